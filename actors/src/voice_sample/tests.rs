//! What may be read, what must not, and what is said about it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A failed test is a failed test.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::{AudioFormat, SAMPLE_BYTES_MAX, SampleError, SampleFolder};

/// So many seconds of something that is not silent.
fn wav(milliseconds: u32, level: i16) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    for n in 0..milliseconds * 8 {
        // A square, so that its level is its level.
        writer.write_sample(if (n / 10) % 2 == 0 { level } else { -level }).unwrap();
    }
    writer.finalize().unwrap();
    file.into_inner()
}

fn good() -> Vec<u8> {
    wav(3_500, 8_000)
}

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
    fs::write(root.join("anna.wav"), good()).unwrap();
    fs::write(root.join("sub dir/b.wav"), good()).unwrap();
    fs::write(outside.join("key.wav"), good()).unwrap();
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
        assert_eq!((sample.format, &sample.content[..]), (AudioFormat::Wav, &good()[..]));
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
    fs::write(place.root.with_file_name("voices2").join("c.wav"), good()).unwrap();
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
    let mp3_frame = [0xff_u8, 0xfb, 0x90, 0x64];
    let table: [(&str, Vec<u8>, Option<AudioFormat>); 12] = [
        ("a.wav", good(), Some(AudioFormat::Wav)),
        ("a", good(), Some(AudioFormat::Wav)),
        ("a.mp3", good(), Some(AudioFormat::Wav)),
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
        assert_eq!(super::recognise(&content, std::path::Path::new(name)), expected, "{name}");
    }
}

/// What an administrator reads who put a file there that no voice can be made of.
#[test]
fn a_sample_without_a_usable_voice_is_refused_in_words() {
    let place = place();
    let said = |name: &str, content: &[u8]| {
        fs::write(place.root.join(name), content).unwrap();
        place.folder.read_blocking(name).unwrap_err().to_string()
    };
    let fixture = |name: &str| fs::read(format!("src/prompts/fixtures/{name}")).unwrap();
    // Frames of one file, again and again, so that it is long enough; it ends within one of them.
    let mp3 = fixture("tone.mp3").repeat(8);
    let cut = said("cut.mp3", &mp3[..mp3.len() - 50]);
    assert!(cut.starts_with("the sample cannot be used: the recording is cut off"), "{cut}");
    let text = said("text.wav", b"Dear Anna, here is the recording that you asked for.");
    assert_eq!(
        text,
        "the sample is not WAV, MP3, FLAC, OGG or M4A audio: convert it, WAV of 16 bits is safest"
    );
    let short = said("short.wav", &wav(1_000, 8_000));
    assert_eq!(
        short,
        "the sample is only 1000 ms long: record at least 3 seconds, one or two minutes are best"
    );
    let silence = said("silence.wav", &wav(4_000, 0));
    assert!(silence.starts_with("the sample cannot be used: the recording is silent"), "{silence}");
    let loud = said("loud.wav", &wav(4_000, 32_700));
    assert!(loud.starts_with("the sample is distorted"), "{loud}");
    let zip = said("zip.wav", b"PK\x03\x04\x14\0\0\0\x08\0anna.wav");
    assert_eq!(zip, text);
    let empty = said("empty.wav", b"");
    assert_eq!(empty, "the sample is empty: record or upload it again");
    let large = said("large.wav", &vec![1; 40 * 1024 * 1024]);
    assert!(large.starts_with("the sample is larger than"), "{large}");
    let long = said("long.wav", &wav(601_000, 8_000));
    assert!(long.starts_with("the sample cannot be used: the recording is longer than 10 minutes"), "{long}");
    let opus = said("voice.ogg", &fixture("tone.opus.ogg"));
    assert!(opus.starts_with("the sample cannot be used: its encoding is not read here"), "{opus}");
    let half = said("half.wav", &good()[..good().len() / 2]);
    assert!(half.starts_with("the sample cannot be used: the recording is cut off"), "{half}");
    assert!(place.folder.read_blocking("anna.wav").is_ok(), "3.5 s are enough");
    fs::write(place.root.join("whole.mp3"), &mp3).unwrap();
    assert_eq!(place.folder.read_blocking("whole.mp3").unwrap().format, AudioFormat::Mp3);
}

#[test]
fn reading_waits_off_the_arbiter() {
    let place = place();
    let sample = actix::System::new().block_on(place.folder.read("anna.wav"));
    assert_eq!(sample.unwrap().format, AudioFormat::Wav);
}
