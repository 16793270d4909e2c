//! Tests of what is read of MP4 files beside their sound.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use proptest::prelude::{ProptestConfig, any, proptest};

use super::super::audio_error::AudioError;
use super::{Mp4, Played, core_config};

const MEMO: &[u8] = include_bytes!("../fixtures/recordings/m4a_moov_at_end.m4a");
const TWO_EDITS: &[u8] = include_bytes!("../fixtures/recordings/m4a_two_edits.m4a");
const AMR: &[u8] = include_bytes!("../fixtures/recordings/3gp_amr.3gp");
const VIDEO: &[u8] = include_bytes!("../fixtures/recordings/mp4_video.mp4");

#[test]
fn the_played_part_is_that_of_the_edit_list() {
    let memo = Mp4::read(MEMO);
    assert_eq!((memo.is_whole, memo.tracks.len(), memo.has_video()), (true, 1, false));
    let id = memo.tracks[0].id;
    assert_eq!(memo.played(id), Ok(Some(Played { from: 0.064, length: Some(3.2) })));
    assert_eq!(memo.played(id + 1), Ok(None));
    assert_eq!(Mp4::read(TWO_EDITS).played(id), Err(AudioError::Edited));
}

#[test]
fn a_track_that_is_not_read_has_a_name() {
    assert_eq!(Mp4::read(AMR).unread(), AudioError::Codec("AMR"));
    let video = Mp4::read(VIDEO);
    assert_eq!((video.tracks.len(), video.has_video()), (2, true));
    assert_eq!(Mp4::read(b"\0\0\0\x08free").unread(), AudioError::NoSound);
}

#[test]
fn a_cut_file_is_not_whole() {
    for kept in [MEMO.len() - 1, MEMO.len() / 2, 60] {
        assert!(!Mp4::read(&MEMO[..kept]).is_whole, "{kept} bytes");
    }
    let to_the_end = b"\0\0\0\x08free\0\0\0\0mdatabc";
    assert!(Mp4::read(to_the_end).is_whole, "a size of 0 means the rest");
}

#[test]
fn the_core_of_aac_is_found() {
    // 16 kHz, one channel; the same with the marks of HE-AAC at its end; 22,050 as HE-AAC and as HE-AAC v2.
    for (config, core) in [
        ([0x14, 0x08].as_slice(), [0x14, 0x08]),
        (&[0x13, 0x88, 0x56, 0xe5, 0xa5], [0x13, 0x88]),
        (&[0x2b, 0x8a, 0x08, 0x00], [0x13, 0x88]),
        (&[0xeb, 0x8a, 0x08, 0x00], [0x13, 0x88]),
    ] {
        assert_eq!(core_config(config), Ok(core), "{config:x?}");
    }
    for (config, name) in [
        ([0xf9, 0x48, 0x80].as_slice(), "xHE-AAC"),
        (&[0xf8, 0xe8, 0x50], "AAC-ELD"),
        (&[0xb9, 0x08], "AAC-LD"),
        (&[0x0c, 0x08], "AAC Main"),
        (&[0x11, 0xb0], "AAC with more than two channels"),
        (&[], "AAC with a configuration that precall does not know"),
        (&[0x14, 0x0c], "AAC with a configuration that precall does not know"),
    ] {
        assert_eq!(core_config(config), Err(AudioError::Codec(name)), "{config:x?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_damaged_file_never_panics(
        at in any::<proptest::sample::Index>(), byte in any::<u8>(), kept in 0..2_000_usize,
    ) {
        let mut content = MEMO[MEMO.len() - 1_500..].to_vec();
        let place = at.index(content.len());
        content[place] = byte;
        content.truncate(kept);
        let file = Mp4::read(&content);
        for track in &file.tracks {
            let _ = file.played(track.id);
        }
    }

    #[test]
    fn any_aac_configuration_is_answered(config in proptest::collection::vec(any::<u8>(), 0..10)) {
        let _ = core_config(&config);
    }
}
