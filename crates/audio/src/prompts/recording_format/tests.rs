//! Tests of the table of formats.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use super::super::audio_error::AudioError;
use super::{OTHERWISE, REFUSED, RecordingFormat, recognise};

const MP3: &[u8] = include_bytes!("../fixtures/tone.mp3");

#[test]
fn a_format_is_recognised_by_content() {
    let frame = [0xff_u8, 0xfb, 0x90, 0x64];
    let table = [
        ("WAV", b"RIFF\0\0\0\0WAVE".to_vec(), RecordingFormat::Wav, 0),
        ("RF64", b"RF64\xff\xff\xff\xffWAVEds64".to_vec(), RecordingFormat::Wav, 0),
        ("a tag", [b"ID3\x04".as_slice(), &[0; 20]].concat(), RecordingFormat::Mp3, 10),
        ("FLAC behind a tag", b"ID3\x04\0\0\0\0\0\x02xxfLaC".to_vec(), RecordingFormat::Flac, 12),
        (
            "FLAC behind two tags",
            b"ID3\x04\0\0\0\0\0\0ID3\x04\0\0\0\0\0\0fLaC".to_vec(),
            RecordingFormat::Flac,
            20,
        ),
        ("a frame", frame.to_vec(), RecordingFormat::Mp3, 0),
        ("layer II", vec![0xff, 0xfd, 0x90, 0x64], RecordingFormat::Mp2, 0),
        ("ADTS", vec![0xff, 0xf1, 0x50, 0x80, 0x10, 0x1f, 0xfc], RecordingFormat::Aac, 0),
        ("FLAC", b"fLaC\0\0\0\x22".to_vec(), RecordingFormat::Flac, 0),
        ("Ogg", b"OggS\0\x02".to_vec(), RecordingFormat::Ogg, 0),
        ("MP4", b"\0\0\0\x20ftypM4A ".to_vec(), RecordingFormat::Mp4, 0),
        ("3GP", b"\0\0\0\x18ftyp3gp4".to_vec(), RecordingFormat::Mp4, 0),
        ("WebM", b"\x1a\x45\xdf\xa3\x9f".to_vec(), RecordingFormat::WebM, 0),
        ("AIFF", b"FORM\0\0\0\x20AIFF".to_vec(), RecordingFormat::Aiff, 0),
        ("AIFC", b"FORM\0\0\0\x20AIFC".to_vec(), RecordingFormat::Aiff, 0),
        ("CAF", b"caff\0\x01\0\0".to_vec(), RecordingFormat::Caf, 0),
    ];
    for (what, content, format, start) in table {
        assert_eq!(recognise(&content), Ok((format, start)), "{what}");
    }
    let (format, start) = recognise(&[vec![7; 100], MP3.to_vec()].concat()).unwrap();
    assert_eq!(format, RecordingFormat::Mp3);
    assert!((100..4_096).contains(&start), "{start}");
}

#[test]
fn other_files_are_refused_with_advice() {
    let frame = [0xff_u8, 0xfb, 0x90, 0x64];
    let noise = [vec![0; 100], frame.to_vec()].concat();
    for content in [b"R".to_vec(), b"".to_vec(), noise, b"\xff\xfeD\0e\0".to_vec(), vec![0xff; 1_000]] {
        assert_eq!(recognise(&content), Err(AudioError::NotAudio), "{content:?}");
    }
    for refused in REFUSED {
        let said = recognise(&[refused.magic, &[0; 600]].concat()).unwrap_err().to_string();
        assert!(said.starts_with(refused.name) && said.contains("convert it"), "{said}");
    }
    for (magic, what) in OTHERWISE {
        assert_eq!(recognise(&[magic, b" and more".as_slice()].concat()), Err(AudioError::Otherwise(what)));
    }
    assert!(recognise(b"<!DOCTYPE HTML>").unwrap_err().to_string().contains("a web page"));
    let video = recognise(b"RIFF\0\0\0\0AVI ").unwrap_err().to_string();
    assert!(video.starts_with("AVI is not supported: convert it"), "{video}");
}

/// The text lists what the table has.
#[test]
fn the_refusal_names_every_format() {
    let said = AudioError::NotAudio.to_string();
    for format in RecordingFormat::ALL {
        let name = format.name();
        // MP2 is read, and too rare for a promise.
        assert!(format == RecordingFormat::Mp2 || said.to_lowercase().contains(name), "{name}: {said}");
        if let Some(sample) = format.as_sample() {
            assert_eq!((sample.name(), sample.content_type()), (name, format.content_type()));
        }
    }
}
