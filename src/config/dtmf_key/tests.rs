//! The twelve keys.
use super::{DtmfKey, FromText};

#[test]
fn every_telephone_has_twelve_keys() {
    for key in "0123456789*#".chars() {
        assert_eq!(DtmfKey::from_text(&key.to_string()), Ok(DtmfKey(key)));
    }
    for text in ["A", "11", "", "\u{661}", "+", "*1"] {
        assert!(DtmfKey::from_text(text).is_err(), "{text}");
    }
}
