//! Tests of fields.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use super::*;

#[test]
fn texts_have_limits_and_no_control_characters() {
    assert!(line("name", "Anna", 4).is_ok() && prose("text", "a\nb", 3).is_ok());
    for text in ["", " ", "Annab", "a\0", "a\n"] {
        assert_eq!(line("name", text, 4).unwrap_err().code, Code::BadField, "{text:?}");
    }
}

#[test]
fn a_hash_is_lower_case_hex() {
    assert!(sha256("x", &"a1".repeat(32)).is_ok());
    for text in ["", &"A1".repeat(32), &"a1".repeat(31), &"g1".repeat(32)] {
        assert!(sha256("x", text).is_err(), "{text}");
    }
}
