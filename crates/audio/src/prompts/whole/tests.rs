//! Tests of files that were cut off.
#![allow(clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use super::{ends_within_the_segment, number};

const WEBM: &[u8] = include_bytes!("../fixtures/recordings/webm_opus.webm");
const LIVE: &[u8] = include_bytes!("../fixtures/recordings/webm_opus_live.webm");

#[test]
fn a_segment_of_known_size_shows_a_cut() {
    assert!(!ends_within_the_segment(WEBM));
    for kept in [WEBM.len() - 1, WEBM.len() / 2, 1_000] {
        assert!(ends_within_the_segment(&WEBM[..kept]), "{kept} bytes");
    }
    assert!(!ends_within_the_segment(&LIVE[..LIVE.len() / 2]), "of unknown size");
    assert!(!ends_within_the_segment(b"") && !ends_within_the_segment(b"\x1a\x45"));
}

#[test]
fn numbers_have_their_length_in_the_first_byte() {
    assert_eq!(number(b"\x81", false), Some((1, 1)));
    assert_eq!(number(b"\x40\x02", false), Some((2, 2)));
    assert_eq!(number(b"\x01\xff\xff\xff\xff\xff\xff\xff", false), Some(((1 << 56) - 1, 8)));
    assert_eq!(number(b"\x1a\x45\xdf\xa3", true), Some((0x1a45_dfa3, 4)));
    assert_eq!((number(b"\0", false), number(b"\x40", false)), (None, None));
}
