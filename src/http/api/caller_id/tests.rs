//! One number in the spellings that people use.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use super::*;

#[test]
fn one_number_is_read_in_every_spelling() {
    let region: Region = "DE".parse().unwrap();
    for text in [
        "+4930123456",
        "+49 30 123456",
        "+49 (0)30 12 34 56",
        "0049 30 123456",
        "030 123456",
        "(030) 12.34.56",
        "030/123-456",
        "4930123456",
        "tel:+49-30-123456",
        "sip:+4930123456@pbx.example",
        "\u{ff0b}\u{ff14}\u{ff19}30123456",
        "+49\u{a0}30\u{a0}123456",
        "\u{202a}+4930123456\u{202c}",
    ] {
        assert_eq!(parse(text, region).unwrap(), "+4930123456", "{text}");
        assert_eq!(parse(&with_plus(text), region).unwrap(), "+4930123456", "{text}");
    }
    assert_eq!(parse(&with_plus(" 4930123456"), region).unwrap(), "+4930123456");
    for text in ["101", "tel:101", "\u{ff11}01", " 101"] {
        assert_eq!(parse(text, region).unwrap(), "101", "{text}");
    }
    for text in ["", "+", "anonymous", "+49\0", "x", &"1".repeat(5000)] {
        assert_eq!(parse(text, region).unwrap_err().code, Code::BadNumber, "{text}");
    }
}

#[test]
fn without_a_region_digits_are_international() {
    for text in ["4930123456", " 4930123456", "+4930123456", "004930123456"] {
        assert_eq!(parse(text, Region::UNKNOWN).unwrap(), "+4930123456", "{text}");
    }
    assert_eq!(parse("101", Region::UNKNOWN).unwrap(), "101");
    assert!(parse("030123456", Region::UNKNOWN).is_err());
}

#[test]
fn prefixes_are_read_as_numbers_are() {
    let region: Region = "DE".parse().unwrap();
    for (text, read) in [
        ("+49", "+49"),
        (" 49", "+49"),
        ("+49 30", "+4930"),
        ("+49 (0)30", "+4930"),
        ("0049", "+49"),
        ("00", "+"),
        ("030", "+4930"),
        ("(030) 1", "+49301"),
        ("10", "10"),
        ("\u{ff0b}\u{ff14}\u{ff19}", "+49"),
        ("tel:+49-30", "+4930"),
        ("", ""),
        ("+", "+"),
    ] {
        assert_eq!(prefix_of(text, region).unwrap(), read, "{text}");
    }
    assert_eq!(prefix_of("030", Region::UNKNOWN).unwrap(), "030");
    for text in ["x", "+4_", "++4", "12345678901234567"] {
        assert_eq!(prefix_of(text, region).unwrap_err().code, Code::BadQuery, "{text}");
    }
}
