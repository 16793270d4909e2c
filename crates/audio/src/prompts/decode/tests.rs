//! Tests of the decoder: all formats, and broken files of each kind.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use std::f32::consts::TAU;
use std::io::Cursor;
use std::time::Duration;

use bytes::Bytes;
use hound::{SampleFormat, WavSpec, WavWriter};
use proptest::prelude::{ProptestConfig, any, proptest};

use super::super::audio_error::AudioError;
use super::super::pcm::listening::{amplitude, level_db, samples};
use super::{FILE_BYTES_MAX, decode};

const MP3: &[u8] = include_bytes!("../fixtures/tone.mp3");
const FLAC: &[u8] = include_bytes!("../fixtures/tone.flac");
const VORBIS: &[u8] = include_bytes!("../fixtures/tone.vorbis.ogg");
const OPUS: &[u8] = include_bytes!("../fixtures/tone.opus.ogg");
const ULAW: &[u8] = include_bytes!("../fixtures/tone.ulaw.wav");
const ADPCM: &[u8] = include_bytes!("../fixtures/tone.adpcm.wav");

/// A WAV file of 16 bits; `sample` gives a channel's value between -1 and 1 at a time in seconds.
fn wav(rate: u32, channels: u16, frames: u32, sample: impl Fn(u16, f32) -> f32) -> Bytes {
    let spec = WavSpec { channels, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut file = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut file, spec).unwrap();
    for frame in 0..frames {
        #[allow(clippy::cast_precision_loss)] // Seconds of sound.
        let at = frame as f32 / rate as f32;
        for channel in 0..channels {
            #[allow(clippy::cast_possible_truncation)] // Within the range of 16 bits.
            writer.write_sample((sample(channel, at) * 32_767.0) as i16).unwrap();
        }
    }
    writer.finalize().unwrap();
    Bytes::from(file.into_inner())
}

fn sine(hz: f32) -> impl Fn(u16, f32) -> f32 {
    move |_, at| 0.5 * (TAU * hz * at).sin()
}

fn refused(content: impl Into<Bytes>) -> AudioError {
    decode(&content.into()).unwrap_err()
}

/// Asserts 600 ms of 700 Hz at 12 dB below full scale, within the encoders' tolerances.
#[track_caller]
fn is_the_tone(content: &'static [u8]) {
    let clip = decode(&Bytes::from_static(content)).unwrap();
    let length = clip.duration().as_millis();
    // MP3 without declared padding has two more frames.
    assert!((595..=710).contains(&length), "{length} ms");
    let heard = samples(&clip);
    let middle = &heard[1_200..3_600];
    assert!((amplitude(middle, 700.0) - 0.25).abs() < 0.02, "{}", amplitude(middle, 700.0));
    assert!((level_db(middle) + 15.05).abs() < 0.5, "there is sound beside the tone: {}", level_db(middle));
}

#[test]
fn every_format_is_decoded() {
    for recording in [MP3, FLAC, VORBIS, OPUS, ULAW, ADPCM] {
        is_the_tone(recording);
    }
}

#[test]
fn every_rate_and_channel_count_is_decoded() {
    for (rate, channels) in [(8_000, 1), (8_000, 2), (11_025, 1), (16_000, 1), (44_100, 2), (48_000, 6)] {
        let clip = decode(&wav(rate, channels, rate / 2, sine(440.0))).unwrap();
        assert_eq!(clip.duration(), Duration::from_millis(500), "{rate}");
        let heard = samples(&clip);
        assert!((amplitude(&heard[1_000..3_000], 440.0) - 0.5).abs() < 0.01, "{rate} {channels}");
    }
}

#[test]
fn pcm_of_8_khz_mono_is_unchanged() {
    let file = wav(8_000, 1, 4_000, sine(440.0));
    let clip = decode(&file).unwrap();
    let pcm = &file[file.len() - 8_000..];
    let worst = pcm.chunks(2).zip(clip.pcm().chunks(2)).map(|(a, b)| {
        i32::from(i16::from_le_bytes([a[0], a[1]])) - i32::from(i16::from_le_bytes([b[0], b[1]]))
    });
    assert!(worst.map(i32::abs).max().unwrap() <= 1, "rounding only");
}

#[test]
fn channels_are_averaged_and_the_level_is_kept() {
    let one_side = wav(8_000, 2, 8_000, |channel, at| if channel == 0 { sine(440.0)(0, at) } else { 0.0 });
    let heard = samples(&decode(&one_side).unwrap());
    assert!((amplitude(&heard, 440.0) - 0.25).abs() < 0.005, "one of two channels is half as loud");
    let quiet = wav(16_000, 1, 16_000, |_, at| 0.01 * (TAU * 440.0 * at).sin());
    let heard = samples(&decode(&quiet).unwrap());
    assert!((amplitude(&heard[2_000..6_000], 440.0) - 0.01).abs() < 0.001, "quiet stays quiet");
}

#[test]
fn loud_audio_does_not_clip() {
    // A square wave overshoots when it is resampled, and a float file may be louder than full scale.
    let square = wav(48_000, 1, 48_000, |_, at| if (at * 300.0).fract() < 0.5 { 1.0 } else { -1.0 });
    let heard = samples(&decode(&square).unwrap());
    let at_the_limit = heard.iter().filter(|sample| sample.abs() > 0.9999).count();
    assert!(at_the_limit < 100, "{at_the_limit} samples are cut off");
    let spec =
        WavSpec { channels: 1, sample_rate: 8_000, bits_per_sample: 32, sample_format: SampleFormat::Float };
    let mut file = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut file, spec).unwrap();
    for n in 0..8_000_u16 {
        let odd = if n == 17 { f32::NAN } else { 0.0 };
        writer.write_sample(odd + 3.0 * (TAU * 440.0 * f32::from(n) / 8_000.0).sin()).unwrap();
    }
    writer.finalize().unwrap();
    let heard = samples(&decode(&Bytes::from(file.into_inner())).unwrap());
    assert!((amplitude(&heard, 440.0) - 1.0).abs() < 0.01, "scaled down to full scale, still a sine");
}

#[test]
fn files_that_are_not_audio_are_refused() {
    assert_eq!(refused(Bytes::new()), AudioError::Empty);
    for text in ["hello", "\u{0}\u{1}\u{2}", &"lorem ipsum ".repeat(5_000)] {
        assert_eq!(refused(text.to_owned()), AudioError::NotAudio, "{text:.20}");
    }
    assert_eq!(refused(vec![0_u8; 100_000]), AudioError::NotAudio);
    let large = vec![0_u8; usize::try_from(FILE_BYTES_MAX).unwrap() + 1];
    assert_eq!(refused(large), AudioError::TooLarge);
    assert_eq!(refused(wav(1_000, 1, 1_000, sine(100.0))), AudioError::Rate(1_000));
}

#[test]
fn truncated_files_are_refused() {
    let whole = wav(16_000, 2, 16_000, sine(440.0));
    for kept in [20, 44, 100, whole.len() / 2, whole.len() * 8 / 10] {
        assert_eq!(refused(whole.slice(..kept)), AudioError::Truncated, "{kept} bytes of a WAV");
    }
    for (name, recording) in [("FLAC", FLAC), ("OGG", VORBIS)] {
        for kept in [30, recording.len() / 2, recording.len() * 7 / 10] {
            assert_eq!(refused(&recording[..kept]), AudioError::Truncated, "{kept} bytes of a {name}");
        }
    }
    // A long OGG that lost its last page decodes up to there; only the end-of-stream flag is missing.
    let mut endless = VORBIS.to_vec();
    let last = endless.windows(4).rposition(|window| window == b"OggS").unwrap();
    assert_eq!(endless[last + 5], 4, "the end-of-stream flag of the last page");
    endless[last + 5] = 0;
    endless[last + 22..last + 26].fill(0);
    let checksum = ogg_checksum(&endless[last..]).to_le_bytes();
    endless[last + 22..last + 26].copy_from_slice(&checksum);
    assert_eq!(refused(endless), AudioError::Truncated);
    // Written into a pipe: the declared length is impossible, the file is complete.
    let mut piped = whole.to_vec();
    piped[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    piped[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(decode(&Bytes::from(piped)).unwrap().duration(), Duration::from_secs(1));
}

/// The checksum of RFC 3533: polynomial 0x04c11db7, no reflection, initial and final value 0.
fn ogg_checksum(page: &[u8]) -> u32 {
    page.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ (u32::from(*byte) << 24), |sum, _| {
            if sum & 0x8000_0000 == 0 { sum << 1 } else { (sum << 1) ^ 0x04c1_1db7 }
        })
    })
}

#[test]
fn empty_silent_and_too_long_recordings_are_refused() {
    assert_eq!(refused(wav(8_000, 1, 0, sine(440.0))), AudioError::Empty);
    assert_eq!(refused(wav(8_000, 1, 8_000, |_, _| 0.0)), AudioError::Silent);
    assert_eq!(
        refused(wav(44_100, 2, 44_100, |_, at| 0.0005 * (TAU * 440.0 * at).sin())),
        AudioError::Silent
    );
    let opposite =
        |channel: u16, at: f32| if channel == 0 { sine(440.0)(0, at) } else { -sine(440.0)(0, at) };
    assert_eq!(refused(wav(8_000, 2, 8_000, opposite)), AudioError::Silent, "the channels cancel each other");
    assert_eq!(refused(wav(8_000, 1, 8_000 * 600 + 8_000, sine(440.0))), AudioError::TooLong);
}

#[test]
fn an_error_says_what_to_do() {
    for error in [AudioError::Truncated, AudioError::NotAudio, AudioError::Codec("GSM"), AudioError::Silent] {
        let text = error.to_string();
        assert!(text.contains(": ") && !text.ends_with('.'), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_damaged_file_never_panics(
        which in 0..6_usize,
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<proptest::sample::Index>(),
    ) {
        let mut content = [MP3, FLAC, VORBIS, OPUS, ULAW, ADPCM][which].to_vec();
        let place = at.index(content.len());
        content[place] = byte;
        content.truncate(content.len() - cut.index(content.len()) / 4);
        let _ = decode(&Bytes::from(content));
    }

    #[test]
    fn random_bytes_never_panic(content in proptest::collection::vec(any::<u8>(), 0..4_000), magic in 0..4_usize) {
        let start: [&[u8]; 4] = [b"", b"RIFF\x00\x10\x00\x00WAVEfmt ", b"fLaC", b"OggS"];
        let _ = decode(&Bytes::from([start[magic], &content].concat()));
    }
}
