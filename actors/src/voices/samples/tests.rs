//! Tests of the sample store: allowed and refused access to the folder, and the texts of refusals.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A failed test is a failed test.

use std::fs;
use std::future::Future;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use precall_providers::elevenlabs::{SampleFormat, VoiceSample};
use precall_providers::s3::S3Settings;
use sha2::{Digest as _, Sha256};

use super::reference::SampleLocation;
use super::{SAMPLE_BYTES_MAX, SampleDeleted, SampleError, SampleStore, UploadPlace};

/// A WAV of this length and level.
fn wav(milliseconds: u32, level: i16) -> Vec<u8> {
    // A square wave has a constant level.
    wav_of((0..milliseconds * 8).map(|n| if (n / 10) % 2 == 0 { level } else { -level }))
}

fn wav_of(samples: impl Iterator<Item = i16>) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    samples.for_each(|sample| writer.write_sample(sample).unwrap());
    writer.finalize().unwrap();
    file.into_inner()
}

/// A sawtooth around 0 with this period.
fn wave(n: u32, period: u32) -> i16 {
    i16::try_from(n % period).unwrap() - i16::try_from(period / 2).unwrap()
}

fn good() -> Vec<u8> {
    wav(3_500, 8_000)
}

struct Place {
    _whole: tempfile::TempDir,
    root: PathBuf,
    outside: PathBuf,
    store: SampleStore,
}

fn place() -> Place {
    let whole = tempfile::tempdir().unwrap();
    let (root, outside) = (whole.path().join("voices"), whole.path().join("secret"));
    fs::create_dir_all(root.join("sub dir")).unwrap();
    fs::create_dir_all(&outside).unwrap();
    fs::write(root.join("anna.wav"), good()).unwrap();
    fs::write(root.join("sub dir/b.wav"), good()).unwrap();
    fs::write(outside.join("key.wav"), good()).unwrap();
    Place { store: SampleStore::new(&root, None, UploadPlace::Folder), _whole: whole, root, outside }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    actix::System::new().block_on(future)
}

impl Place {
    fn read(&self, reference: &str) -> Result<VoiceSample, SampleError> {
        run(self.store.read(reference))
    }

    fn is_there(&self, name: &str) -> bool {
        self.root.join(name).symlink_metadata().is_ok()
    }
}

#[test]
fn sample_is_found_by_every_form_of_its_path() {
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
        let sample = place.read(&reference).unwrap_or_else(|error| panic!("{reference}: {error}"));
        assert_eq!((sample.format, &sample.content[..]), (SampleFormat::Wav, &good()[..]));
        assert_eq!(hex::encode(sample.sha256).len(), 64);
        assert_eq!(sample.duration, Duration::from_millis(3_500));
    }
}

/// References that lead out of the folder.
fn ways_out(place: &Place) -> Vec<String> {
    symlink(place.outside.join("key.wav"), place.root.join("link.wav")).unwrap();
    symlink(&place.outside, place.root.join("linked")).unwrap();
    // A sibling folder with the same prefix is outside too.
    fs::create_dir(place.root.with_file_name("voices2")).unwrap();
    fs::write(place.root.with_file_name("voices2").join("c.wav"), good()).unwrap();
    let outside = place.outside.display();
    vec![
        format!("{outside}/key.wav"),
        format!("file://{outside}/key.wav"),
        "../secret/key.wav".to_owned(),
        "sub dir/../../secret/key.wav".to_owned(),
        format!("file://{}/%2e%2e/secret/key.wav", place.root.display()),
        "link.wav".to_owned(),
        "linked/key.wav".to_owned(),
        "/etc/passwd".to_owned(),
        "../voices2/c.wav".to_owned(),
    ]
}

#[test]
fn nothing_outside_the_folder_is_read_or_deleted() {
    let place = place();
    for reference in ways_out(&place) {
        assert_eq!(place.read(&reference), Err(SampleError::Outside), "{reference}");
        assert_eq!(run(place.store.mark(&reference)), Err(SampleError::Outside), "{reference}");
        assert_eq!(run(place.store.delete(&reference)), Err(SampleError::Outside), "{reference}");
    }
    assert!(place.outside.join("key.wav").exists());
    assert!(place.root.with_file_name("voices2").join("c.wav").exists());
    symlink(place.root.join("anna.wav"), place.root.join("inner.wav")).unwrap();
    assert!(place.read("inner.wav").is_ok(), "a link inside the folder is allowed");
}

#[test]
fn deletion_is_complete_and_repeatable() {
    let place = place();
    symlink(place.root.join("anna.wav"), place.root.join("inner.wav")).unwrap();
    assert_eq!(run(place.store.delete("inner.wav")), Ok(SampleDeleted::Now));
    assert!(!place.is_there("anna.wav") && !place.is_there("inner.wav"), "neither the file nor its link");
    assert_eq!(run(place.store.delete("anna.wav")), Ok(SampleDeleted::WasGone));
    assert_eq!(run(place.store.delete("sub dir")), Err(SampleError::NotAFile));
    assert!(place.is_there("sub dir/b.wav"));
}

#[test]
fn unusable_references_are_refused_with_a_reason() {
    let place = place();
    let big = fs::File::create(place.root.join("big.wav")).unwrap();
    big.set_len(SAMPLE_BYTES_MAX + 1).unwrap();
    let scheme = |scheme: &str| SampleError::Scheme { scheme: scheme.to_owned() };
    let table = [
        ("missing.wav", SampleError::Missing),
        ("anna.wav/x", SampleError::Missing),
        ("sub dir", SampleError::NotAFile),
        ("big.wav", SampleError::TooLarge),
        ("", SampleError::Malformed),
        ("a\0b.wav", SampleError::Malformed),
        ("file://elsewhere/anna.wav", SampleError::Malformed),
        ("s3://bucket/anna.wav", SampleError::NoBucket),
        ("https://example.org/anna.wav", scheme("https")),
        ("ftp://example.org/anna.wav", scheme("ftp")),
    ];
    for (reference, expected) in table {
        assert_eq!(place.read(reference), Err(expected), "{reference}");
    }
    let long = "x".repeat(5000);
    assert_eq!(place.read(&long), Err(SampleError::Malformed));
    let nowhere = SampleStore::new("/nowhere/at/all", None, UploadPlace::Folder);
    assert!(matches!(run(nowhere.read("a.wav")), Err(SampleError::NoFolder(_))));
}

#[test]
fn pipe_does_not_block_the_reader() {
    let place = place();
    let made = std::process::Command::new("mkfifo").arg(place.root.join("pipe.wav")).status().unwrap();
    assert!(made.success());
    assert_eq!(place.read("pipe.wav"), Err(SampleError::NotAFile));
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(format!("../crates/audio/src/prompts/fixtures/{name}")).unwrap()
}

/// Repeats the frames of one file, to be long enough.
fn mp3() -> Vec<u8> {
    fixture("tone.mp3").repeat(8)
}

/// Texts that an administrator reads about an unusable sample.
#[test]
fn unusable_recordings_are_refused_with_a_text() {
    let mp3 = mp3();
    let hiss = |level: i16| {
        let mut noise = 1_u32;
        wav_of((0..4_000 * 8).map(move |_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            i16::try_from(noise >> 16).map_or(-level, |_| level)
        }))
    };
    let no_audio = "the sample cannot be used: it is not a recording in WAV, MP3, FLAC, Ogg, WebM, M4A, MP4, 3GP, AAC, \
        AIFF or CAF: convert it, for example with ffmpeg -i IN OUT.wav";
    let archive = "the sample cannot be used: it is a ZIP archive: unpack it, and use the recording in it";
    let cut_off = "the sample is cut off, since it ends before its own end: copy or upload it again";
    let silent = "the sample is nearly silent: check the microphone and its level, and record it again";
    let too_large = "the sample is larger than 20971520 bytes: one or two minutes of clean speech are best, \
     cut or compress it";
    // A word within ten seconds, and 4 s of sound within two minutes: both are too little.
    let word = wav_of((0..80_000_u32).map(|n| if n < 5_000 { wave(n, 20) * 400 } else { 0 }));
    let seldom = wav_of((0..960_000_u32).map(|n| if n < 32_000 { wave(n, 20) * 400 } else { 0 }));
    let table: [(&str, Vec<u8>, &str); 15] = [
        ("cut.mp3", mp3[..mp3.len() - 50].to_vec(), cut_off),
        ("half.wav", good()[..good().len() / 2].to_vec(), cut_off),
        ("text.wav", b"Dear Anna, here is the recording that you asked for.".to_vec(), no_audio),
        (
            "short.wav",
            wav(1_000, 8_000),
            "the sample is only 1000 ms long: record at least 3 seconds, one or two minutes are best",
        ),
        (
            "long.wav",
            wav(601_000, 8_000),
            "the sample is longer than 10 minutes: one or two minutes of clean speech are best, cut it",
        ),
        ("silence.wav", wav(4_000, 0), silent),
        ("hiss.wav", hiss(33), silent),
        // A constant offset of the microphone is no sound.
        ("offset.wav", wav_of((0..32_000_u32).map(|n| 900 + wave(n, 2))), silent),
        ("seldom.wav", seldom, silent),
        ("word.wav", word, silent),
        (
            "loud.wav",
            wav(4_000, 32_700),
            "the sample is distorted, since its level was too high: record it again with a lower one",
        ),
        ("zip.wav", b"PK\x03\x04\x14\0\0\0\x08\0anna.wav".to_vec(), archive),
        ("empty.wav", Vec::new(), "the sample is empty: record or upload it again"),
        ("large.wav", vec![1; 40 * 1024 * 1024], too_large),
        (
            "voice.wav",
            fixture("recordings/wav_gsm.wav"),
            "the sample cannot be used: its codec (GSM 6.10) is not supported: convert it, for example with \
             ffmpeg -i IN OUT.wav",
        ),
    ];
    let place = place();
    for (name, content, expected) in table {
        fs::write(place.root.join(name), &content).unwrap();
        let refused = place.read(name).unwrap_err();
        assert_eq!(refused.to_string(), expected, "{name}");
        assert!(refused.is_about_content() && !refused.is_passing(), "{name}");
        let refused = run(place.store.put("default", Bytes::from(content))).unwrap_err();
        assert_eq!(refused.to_string(), expected, "{name}, uploaded");
    }
    assert!(!place.is_there("uploads"), "nothing was stored");
}

#[test]
fn common_recordings_are_accepted() {
    let place = place();
    // One second of speech, four of silence, at the level of a soft voice.
    let pauses = wav_of((0..160_000_u32).map(|n| match (n / 8_000) % 5 {
        0 => wave(n, 80) * 10,
        _ => 3,
    }));
    let behind_noise = [vec![7; 100], mp3()].concat();
    for (what, content, format) in [
        ("pauses", pauses, SampleFormat::Wav),
        ("MP3", mp3(), SampleFormat::Mp3),
        ("MP3 behind something else", behind_noise, SampleFormat::Mp3),
    ] {
        // The file name does not matter.
        fs::write(place.root.join("voice.bin"), &content).unwrap();
        let sample = place.read("voice.bin").unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((sample.format, sample.content.len()), (format, content.len()), "{what}");
    }
}

/// The table of the decoder's own test: what is read as a prompt is read as a sample, what is refused is refused.
#[test]
fn samples_and_prompts_agree_on_every_recording() {
    let place = place();
    let table = include_str!("../../../../crates/audio/tests/recordings.tsv");
    let folder = Path::new("../crates/audio/src/prompts/fixtures/recordings");
    let mut seen = 0;
    for row in table.lines().filter(|line| !line.starts_with('#')) {
        let [name, outcome, _, detail] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let Ok(content) = fs::read(folder.join(name)) else { continue };
        seen += 1;
        let sha256 = hex::encode(Sha256::digest(&content));
        fs::write(place.root.join("voice"), &content).unwrap();
        let read = place.read("voice");
        let stored = run(place.store.put("default", Bytes::from(content.clone())));
        if outcome == "refused" {
            assert!(read.unwrap_err().is_about_content() && stored.is_err(), "{name}");
            continue;
        }
        let sample = read.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(hex::encode(sample.sha256), sha256, "{name}: consents refer to the stored file");
        assert_eq!(sample.content == content, detail == "as it is", "{name}");
        assert!(detail == "as it is" || sample.format == SampleFormat::Wav, "{name}");
        let stored = stored.unwrap();
        assert_eq!((stored.format, stored.bytes, stored.sha256), (outcome, content.len(), sha256), "{name}");
        assert!(stored.reference.ends_with(outcome), "{name}: {}", stored.reference);
        let again = place.read(&stored.reference).unwrap();
        assert_eq!(again, sample, "{name}, stored");
    }
    assert!(seen >= 30, "{seen} recordings");
}

#[test]
fn replaced_file_has_another_mark() {
    let place = place();
    let mark = || run(place.store.mark("anna.wav")).unwrap();
    let first = mark();
    assert_eq!(mark(), first, "nothing changed");
    // The same size and the same second: only the inode or the nanoseconds differ.
    fs::write(place.root.join("new.wav"), wav(3_500, 9_000)).unwrap();
    fs::rename(place.root.join("new.wav"), place.root.join("anna.wav")).unwrap();
    assert_ne!(mark(), first);
    assert!(first.as_str().len() < 100 && !first.as_str().contains("anna"), "{first:?}");
    assert_eq!(run(place.store.mark("missing.wav")), Err(SampleError::Missing));
}

#[test]
fn upload_is_stored_once_under_its_hash() {
    let place = place();
    let stored = run(place.store.put("a/../b", Bytes::from(good()))).unwrap();
    assert_eq!(stored.reference, format!("uploads/a%2F%2E%2E%2Fb/{}.wav", stored.sha256));
    assert_eq!((stored.format, stored.bytes), ("wav", good().len()));
    assert_eq!(stored.duration, Duration::from_millis(3_500));
    assert_eq!(run(place.store.put("a/../b", Bytes::from(good()))).unwrap(), stored);
    let sample = place.read(&stored.reference).unwrap();
    assert_eq!(hex::encode(sample.sha256), stored.sha256);
    assert!(place.store.is_upload(&stored.reference) && !place.store.is_upload("anna.wav"));
    let mode = |name: &str| fs::metadata(place.root.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&stored.reference), mode("uploads")), (0o600, 0o700));
    assert_eq!(fs::read_dir(place.root.join("uploads/.incoming")).unwrap().count(), 0);
    assert_eq!(run(place.store.delete(&stored.reference)), Ok(SampleDeleted::Now));
    assert_eq!(place.read(&stored.reference), Err(SampleError::Missing));
    assert_eq!(run(place.store.put("", Bytes::from(good()))), Err(SampleError::Account));
}

#[test]
fn upload_does_not_leave_the_folder_through_a_link() {
    let place = place();
    symlink(&place.outside, place.root.join("uploads")).unwrap();
    assert_eq!(run(place.store.put("default", Bytes::from(good()))), Err(SampleError::Outside));
    let nowhere = SampleStore::new(&place.root, None, UploadPlace::Bucket);
    assert_eq!(run(nowhere.put("default", Bytes::from(good()))), Err(SampleError::NoBucket));
}

#[test]
fn only_the_configured_bucket_is_accepted() {
    let bucket = |endpoint: Option<&str>| {
        let endpoint = endpoint.map(|endpoint| endpoint.parse().unwrap());
        S3Settings::new(endpoint, "eu-central-1", "voices", "key", "secret").unwrap()
    };
    let (amazon, own) = (bucket(None), bucket(Some("https://minio.example.com:9000/s3")));
    let object = |key: &str| Ok(SampleLocation::Object(key.to_owned()));
    let (other, bad) = (|| Err(SampleError::OtherBucket), || Err(SampleError::Malformed));
    let table = [
        (&amazon, "s3://voices/a b/c?d.wav", object("a b/c?d.wav")),
        (&amazon, "S3://voices/a%20b.wav", object("a%20b.wav")),
        (&amazon, "https://voices.s3.eu-central-1.amazonaws.com/a%20b/c%3Fd.wav", object("a b/c?d.wav")),
        (&amazon, "https://s3.eu-central-1.amazonaws.com/voices/a.wav", object("a.wav")),
        (&amazon, "https://voices.s3.dualstack.eu-central-1.amazonaws.com/a.wav", object("a.wav")),
        (&amazon, "https://voices.s3.amazonaws.com/a.wav", object("a.wav")),
        (&own, "https://minio.example.com:9000/s3/voices/a.wav", object("a.wav")),
        (&own, "s3://voices/a.wav", object("a.wav")),
        (&amazon, "s3://others/a.wav", other()),
        (&amazon, "s3://voices/../others/a.wav", other()),
        (&amazon, "https://others.s3.eu-central-1.amazonaws.com/a.wav", other()),
        (&amazon, "https://voices.s3.us-east-1.amazonaws.com/a.wav", other()),
        (&amazon, "https://s3.eu-central-1.amazonaws.com/voices/../others/a.wav", other()),
        (&amazon, "https://s3.eu-central-1.amazonaws.com/voices2/a.wav", other()),
        (&amazon, "http://voices.s3.eu-central-1.amazonaws.com/a.wav", other()),
        (&amazon, "https://example.org/voices/a.wav", other()),
        (&own, "https://minio.example.com/s3/voices/a.wav", other()),
        (&own, "https://voices.s3.eu-central-1.amazonaws.com/a.wav", other()),
        (&own, "https://minio.example.com:9000/s3/voices/%2e%2e/others/a.wav", other()),
        (&own, "https://minio.example.com:9000/s3/voices/x%2f..%2f..%2fothers/a.wav", other()),
        (&amazon, "s3://voices/", bad()),
        (&amazon, "s3://voices", bad()),
        (&amazon, "s3://voices/a\n.wav", bad()),
        (&amazon, "https://voices.s3.eu-central-1.amazonaws.com/", bad()),
        (&amazon, "https://voices.s3.eu-central-1.amazonaws.com/a.wav?versionId=3", bad()),
        (&amazon, "https://me:too@voices.s3.eu-central-1.amazonaws.com/a.wav", bad()),
    ];
    for (bucket, reference, expected) in table {
        assert_eq!(SampleLocation::of(reference, Some(bucket)), expected, "{reference}");
    }
}
