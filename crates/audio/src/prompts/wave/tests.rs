//! Tests of WAV headers as programs leave them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use bytes::Bytes;
use proptest::prelude::{ProptestConfig, any, proptest};

use super::super::audio_error::AudioError;
use super::{Sound, Wave};

const SOUND: u32 = 16_000;

fn u32_of(number: usize) -> u32 {
    u32::try_from(number).unwrap()
}

/// PCM of 8 kHz, a second of it, with these sizes in its header.
fn wav(riff_size: u32, sound_size: u32) -> Vec<u8> {
    let mut file = b"RIFF".to_vec();
    file.extend(riff_size.to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data");
    file.extend(sound_size.to_le_bytes());
    file.extend((0..SOUND).map(|n| u8::try_from(n % 251).unwrap()));
    file
}

fn read(file: Vec<u8>) -> Result<Wave, AudioError> {
    Wave::read(&Bytes::from(file))
}

#[test]
fn sizes_that_were_never_filled_in_mean_the_whole_file() {
    let whole = SOUND + 36;
    for (riff, sound) in [
        (0, 0),
        (whole, 0),
        (36, 0),
        (u32::MAX, u32::MAX),
        (0x7fff_ffff, 0x7fff_ffff),
        (0x7fff_ffff, 0x7fff_ffff - 36),
        (0x7fff_f024, 0x7fff_f000),
        (0x8000_0024, 0x8000_0000),
        (u32::MAX, u32::MAX - 44),
        (SOUND + 44, SOUND + 44),
        (SOUND + 8, SOUND + 8),
        (whole, SOUND + 44),
        (whole, SOUND - 44),
        // An hour and more.
        (whole, 16_000 * 3_700),
    ] {
        let wave = read(wav(riff, sound)).unwrap_or_else(|error| panic!("{riff} {sound}: {error}"));
        assert_eq!((wave.data.len(), wave.is_repaired), (16_000, true), "{riff} {sound}");
        let plain = wave.plain();
        assert_eq!(plain.len(), 16_044, "{riff} {sound}");
        assert!(!Wave::read(&plain).unwrap().is_repaired);
    }
    for (riff, is_repaired) in [(whole, false), (0, true), (u32::MAX, true), (SOUND + 44, true), (36, true)] {
        let wave = read(wav(riff, SOUND)).unwrap();
        assert_eq!((wave.data.len(), wave.is_repaired), (16_000, is_repaired), "{riff}");
    }
}

#[test]
fn a_cut_or_empty_file_is_no_such_file() {
    let whole = wav(SOUND + 36, SOUND);
    for kept in [13, 20, 36, 40, 44, 100, 8_000, 14_000] {
        assert_eq!(read(whole[..kept].to_vec()).unwrap_err(), AudioError::Truncated, "{kept} bytes");
    }
    assert_eq!(
        read(whole[..15_900].to_vec()).unwrap().data.len(),
        15_856,
        "less than a tenth of a second is lost"
    );
    let mut empty = wav(36, 0);
    empty.truncate(44);
    assert!(read(empty.clone()).unwrap().data.is_empty());
    // Nothing was recorded, and a list follows.
    empty.extend(b"LIST\x0c\0\0\0INFOICMT\0\0\0\0");
    assert!(read(empty).unwrap().data.is_empty());
    let no_sound = [&whole[..36], b"LIST\x04\0\0\0INFO"].concat();
    assert_eq!(read(no_sound).unwrap_err(), AudioError::Truncated);
}

#[test]
fn chunks_around_the_sound_are_left_out() {
    let whole = wav(SOUND + 36, SOUND);
    let list = b"LIST\x0d\0\0\0INFOICMT\x01\0\0\0x";
    for (what, file) in [
        ("a list before it", [&whole[..36], list, b"\0", &whole[36..]].concat()),
        ("a list without its pad", [&whole[..36], list, &whole[36..]].concat()),
        ("a list behind it", [&whole, list.as_slice(), b"\0"].concat()),
        ("the format behind it", [&whole[..12], &whole[36..], &whole[12..36]].concat()),
    ] {
        let wave = read(file).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(&wave.data[..], &whole[44..], "{what}");
        assert_eq!(&wave.plain()[44..], &whole[44..], "{what}");
    }
}

#[test]
fn headers_of_64_bits_are_read() {
    let whole = wav(SOUND + 36, SOUND);
    for sound in [u64::from(SOUND), 0] {
        let mut file = b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0".to_vec();
        file.extend(u64::from(SOUND + 72).to_le_bytes());
        file.extend(sound.to_le_bytes());
        file.extend([0; 12]);
        file.extend(&whole[12..40]);
        file.extend(u32::MAX.to_le_bytes());
        file.extend(&whole[44..]);
        let wave = read(file).unwrap();
        assert_eq!((&wave.data[..], wave.is_repaired), (&whole[44..], true));
    }
}

#[test]
fn an_extensible_format_of_two_channels_becomes_a_plain_one() {
    let mut file =
        b"RIFF\0\0\0\0WAVEfmt \x28\0\0\0\xfe\xff\x02\0\x40\x1f\0\0\0\x7d\0\0\x04\0\x10\0\x16\0\x10\0"
            .to_vec();
    // The mask names three channels of two.
    file.extend(b"\x07\0\0\0\x01\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71data\x04\0\0\0abcd");
    let wave = read(file).unwrap();
    assert!(wave.is_pcm() && wave.unsupported().is_none());
    assert_eq!(&wave.plain()[12..22], b"fmt \x10\0\0\0\x01\0");
}

#[test]
fn unsupported_codecs_have_names() {
    for (tag, name) in [(0x31_u16, "GSM 6.10"), (0x45, "G.726"), (0x42, "G.723"), (0x161, "WMA")] {
        let mut file = wav(SOUND + 36, SOUND);
        file[20..22].copy_from_slice(&tag.to_le_bytes());
        assert_eq!(read(file).unwrap().unsupported(), Some(name));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_damaged_header_never_panics_and_never_grows(
        at in 0..60_usize, bytes in proptest::collection::vec(any::<u8>(), 1..9), kept in 0..16_044_usize,
    ) {
        let mut file = wav(SOUND + 36, SOUND);
        let end = (at + bytes.len()).min(file.len());
        file[at..end].copy_from_slice(&bytes[..end - at]);
        file.truncate(kept);
        let length = file.len();
        if let Ok(wave) = read(file) {
            assert!(wave.plain().len() <= length + 64);
        }
    }
}

#[test]
fn no_size_ends_behind_the_file() {
    let content = Bytes::from(vec![0; 1_000]);
    for start in [0, 44, 1_000, 2_000] {
        for declared in [0, 1, 956, 1_000, 5_000, u64::MAX] {
            let sound = Sound { start, declared, bytes_a_second: 0 };
            assert!(sound.end(&content).is_ok_and(|end| end <= 1_000 || start > 1_000) || declared > 0);
        }
    }
    assert_eq!(u32_of(content.len()), 1_000);
}
