//! What may be read, what must not, and what is said about it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A failed test is a failed test.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::{AudioFormat, SAMPLE_BYTES_MAX, SampleError, SampleFolder};

const WAV: &[u8] =
    b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\0\0\0\0";

struct Place {
    _whole: tempfile::TempDir,
    root: PathBuf,
    outside: PathBuf,
    folder: SampleFolder,
}

fn place() -> Place {
    let whole = tempfile::tempdir().unwrap();
    let (root, outside) = (whole.path().join("voices"), whole.path().join("secret"));
    fs::create_dir_all(root.join("sub dir")).unwrap();
    fs::create_dir_all(&outside).unwrap();
    fs::write(root.join("anna.wav"), WAV).unwrap();
    fs::write(root.join("sub dir/b.wav"), WAV).unwrap();
    fs::write(outside.join("key.wav"), WAV).unwrap();
    Place { folder: SampleFolder::new(&root), _whole: whole, root, outside }
}

#[test]
fn a_sample_is_found_by_every_form_of_its_path() {
    let place = place();
    let root = place.root.display();
    for reference in [
        "anna.wav".to_owned(),
        "./anna.wav".to_owned(),
        "sub dir/../anna.wav".to_owned(),
        "  anna.wav ".to_owned(),
        format!("{root}/anna.wav"),
        format!("file://{root}/anna.wav"),
        format!("FILE://localhost{root}/anna.wav"),
        format!("file://{root}/sub%20dir/b.wav"),
        "sub dir/b.wav".to_owned(),
    ] {
        let sample =
            place.folder.read_blocking(&reference).unwrap_or_else(|error| panic!("{reference}: {error}"));
        assert_eq!((sample.format, &sample.content[..]), (AudioFormat::Wav, WAV));
        assert_eq!(hex::encode(sample.sha256).len(), 64);
    }
}

#[test]
fn nothing_outside_the_folder_is_read() {
    let place = place();
    symlink(place.outside.join("key.wav"), place.root.join("link.wav")).unwrap();
    symlink(&place.outside, place.root.join("linked")).unwrap();
    symlink(place.root.join("anna.wav"), place.root.join("inner.wav")).unwrap();
    let outside = place.outside.display();
    for reference in [
        format!("{outside}/key.wav"),
        format!("file://{outside}/key.wav"),
        "../secret/key.wav".to_owned(),
        "sub dir/../../secret/key.wav".to_owned(),
        format!("file://{}/%2e%2e/secret/key.wav", place.root.display()),
        "link.wav".to_owned(),
        "linked/key.wav".to_owned(),
        "/etc/passwd".to_owned(),
    ] {
        assert_eq!(place.folder.read_blocking(&reference), Err(SampleError::Outside), "{reference}");
    }
    assert!(place.folder.read_blocking("inner.wav").is_ok(), "a link that stays inside is fine");
    // A sibling whose name begins like the folder's is outside too.
    fs::create_dir(place.root.with_file_name("voices2")).unwrap();
    fs::write(place.root.with_file_name("voices2").join("c.wav"), WAV).unwrap();
    assert_eq!(place.folder.read_blocking("../voices2/c.wav"), Err(SampleError::Outside));
}

#[test]
fn what_cannot_be_used_says_why() {
    let place = place();
    fs::write(place.root.join("empty.wav"), b"").unwrap();
    fs::write(place.root.join("text.mp3"), b"I am not audio, whatever my name says.").unwrap();
    let big = fs::File::create(place.root.join("big.wav")).unwrap();
    big.set_len(SAMPLE_BYTES_MAX + 1).unwrap();
    let table = [
        ("missing.wav", SampleError::Missing),
        ("anna.wav/x", SampleError::Missing),
        ("sub dir", SampleError::NotAFile),
        ("empty.wav", SampleError::Empty),
        ("text.mp3", SampleError::NotAudio),
        ("big.wav", SampleError::TooLarge),
        ("", SampleError::Malformed),
        ("a\0b.wav", SampleError::Malformed),
        ("file://elsewhere/anna.wav", SampleError::Malformed),
        ("s3://bucket/anna.wav", SampleError::Scheme { scheme: "s3".to_owned() }),
        ("https://example.org/anna.wav", SampleError::Scheme { scheme: "https".to_owned() }),
    ];
    for (reference, expected) in table {
        assert_eq!(place.folder.read_blocking(reference), Err(expected), "{reference}");
    }
    let long = "x".repeat(5000);
    assert_eq!(place.folder.read_blocking(&long), Err(SampleError::Malformed));
    let nowhere = SampleFolder::new("/nowhere/at/all");
    assert!(matches!(nowhere.read_blocking("a.wav"), Err(SampleError::NoFolder(_))));
}

#[test]
fn a_pipe_does_not_hold_the_reader() {
    let place = place();
    let made = std::process::Command::new("mkfifo").arg(place.root.join("pipe.wav")).status().unwrap();
    assert!(made.success());
    assert_eq!(place.folder.read_blocking("pipe.wav"), Err(SampleError::NotAFile));
}

#[test]
fn the_content_decides_what_it_is() {
    let place = place();
    let mp3_frame = [0xff_u8, 0xfb, 0x90, 0x64];
    let table: [(&str, Vec<u8>, Option<AudioFormat>); 12] = [
        ("a.wav", WAV.to_vec(), Some(AudioFormat::Wav)),
        ("a", WAV.to_vec(), Some(AudioFormat::Wav)),
        ("a.mp3", WAV.to_vec(), Some(AudioFormat::Wav)),
        ("b.mp3", [b"ID3\x04".as_slice(), &[0; 20]].concat(), Some(AudioFormat::Mp3)),
        ("c.mp3", mp3_frame.to_vec(), Some(AudioFormat::Mp3)),
        ("d.mp3", [vec![0; 100], mp3_frame.to_vec()].concat(), Some(AudioFormat::Mp3)),
        ("d.bin", [vec![0; 100], mp3_frame.to_vec()].concat(), None),
        ("e.flac", b"fLaC\0\0\0\x22".to_vec(), Some(AudioFormat::Flac)),
        ("f.ogg", b"OggS\0\x02".to_vec(), Some(AudioFormat::Ogg)),
        ("g.m4a", b"\0\0\0\x20ftypM4A ".to_vec(), Some(AudioFormat::M4a)),
        ("h.wav", b"RIFF\0\0\0\0AVI ".to_vec(), None),
        ("i.wav", b"R".to_vec(), None),
    ];
    for (name, content, expected) in table {
        fs::write(place.root.join(name), content).unwrap();
        let format = place.folder.read_blocking(name).map(|sample| sample.format).ok();
        assert_eq!(format, expected, "{name}");
    }
}

#[test]
fn reading_waits_off_the_arbiter() {
    let place = place();
    let sample = actix::System::new().block_on(place.folder.read("anna.wav"));
    assert_eq!(sample.unwrap().format, AudioFormat::Wav);
}
