//! Texts become values.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
use super::lists::List;
use super::numbers::Whole;
use super::{FromText, Secret, Word};
use crate::trusted_addresses::AddressList;

#[test]
fn booleans_are_read_in_every_usual_spelling() {
    for yes in ["true", "TRUE", "1", "Yes", "on"] {
        assert_eq!(bool::from_text(yes), Ok(true), "{yes}");
    }
    for no in ["false", "False", "0", "NO", "off"] {
        assert_eq!(bool::from_text(no), Ok(false), "{no}");
    }
    assert!(bool::from_text("maybe").is_err());
}

#[test]
fn lists_are_commas_or_json_and_trimmed() {
    let expected = Ok(List(vec!["a".into(), "b c".into()]));
    for text in ["a, b c", " a ,b c,", "[\"a\", \" b c \"]", "a\nb c\n"] {
        assert_eq!(List::from_text(text), expected, "{text}");
    }
    assert!(List::from_text("[\"a\", 5]").is_err());
    assert!(List::from_text("[a").is_err());
}

#[test]
fn numbers_are_digits_only() {
    type Percent = Whole<u8, 1, 100>;
    assert_eq!(Percent::from_text("35"), Ok(Whole(35)));
    for text in ["-1", "+1", "1.5", "35s", "99999999999999999999"] {
        let complaint = Percent::from_text(text).unwrap_err();
        assert!(complaint.wrong.contains("is not a whole number"), "{complaint:?}");
    }
    for text in ["0", "101", "256"] {
        let complaint = Percent::from_text(text).unwrap_err();
        assert_eq!(
            (complaint.wrong, complaint.right.as_str()),
            (format!("`{text}` is out of range"), "1 to 100")
        );
    }
}

#[test]
fn levels_are_read_in_any_case() {
    assert_eq!(slog::Level::from_text("WARNING"), Ok(slog::Level::Warning));
    assert_eq!(slog::Level::from_text("Warn"), Ok(slog::Level::Warning));
    assert!(slog::Level::from_text("loud").is_err());
}

#[test]
fn a_bad_secret_is_never_quoted() {
    let complaint = Secret::from_text("topsecret\nmore").unwrap_err();
    assert!(!format!("{complaint:?}").contains("topsecret"));
    let complaint = Word::from_text("top secret").unwrap_err();
    assert!(!format!("{complaint:?}").contains("top"));
}

#[test]
fn addresses_may_be_bare_or_blocks() {
    assert!(AddressList::from_text("10.0.0.1, 10.2.0.0/16,::1").is_ok());
    let complaint = AddressList::from_text("10.0.0.1, 10.2.0.0/33").unwrap_err();
    assert!(complaint.wrong.contains("10.2.0.0/33"), "{complaint:?}");
    assert!(AddressList::from_text(",").is_err());
}
