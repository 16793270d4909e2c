//! Tests of pin.
#![allow(clippy::unwrap_used)] // A test stops where it fails.

use super::{Pin, PinError, hash_pin, is_pin_of};

#[test]
fn a_hash_matches_only_its_pin_and_is_salted() {
    let hash = hash_pin("4711").unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert!(is_pin_of(&Pin::parse("4711").unwrap(), &hash));
    for other in ["4712", "04711", "47110", "1174"] {
        assert!(!is_pin_of(&Pin::parse(other).unwrap(), &hash), "{other}");
    }
    assert_ne!(hash_pin("4711").unwrap(), hash, "the salt is the same");
    assert!(!is_pin_of(&Pin::parse("4711").unwrap(), "4711"));
}

#[test]
fn invalid_and_guessable_pins_are_refused_with_the_reason() {
    for (pin, why) in [
        ("471", PinError::Length),
        ("4711471147114", PinError::Length),
        ("", PinError::Length),
        ("47a1", PinError::NotDigits),
        ("47 11", PinError::NotDigits),
        ("\u{664}\u{667}\u{661}\u{661}", PinError::NotDigits),
        ("0000", PinError::OneDigit),
        ("7777777", PinError::OneDigit),
        ("1234", PinError::InARow),
        ("9876", PinError::InARow),
    ] {
        assert_eq!(hash_pin(pin), Err(why), "{pin}");
        assert!(pin.is_empty() || !why.to_string().contains(pin));
    }
    for pin in ["1235", "1123", "8901", "471147114711"] {
        assert!(hash_pin(pin).is_ok(), "{pin}");
    }
}

#[test]
fn debug_output_hides_the_pin() {
    assert_eq!(format!("{:?}", Pin::parse("4711").unwrap()), "Pin(..)");
}
