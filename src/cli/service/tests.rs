//! Keys as people paste them.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use super::read_key;

#[test]
fn a_key_is_read_without_what_nobody_sees_around_it() {
    for text in ["abc", " abc\r\n", "\u{feff}abc\n", "abc\u{200b}\u{a0}"] {
        assert_eq!(read_key(text).unwrap().expose(), "abc", "{text:?}");
    }
    for text in ["", "\u{feff}", "a\u{200b}bc", "a bc", "a\u{ad}bc"] {
        assert!(read_key(text).is_err(), "{text:?}");
    }
}
