//! A key of a telephone.

use super::value::{Complaint, FromText};

/// One of the twelve that every telephone has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DtmfKey(pub(super) char);

impl FromText for DtmfKey {
    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str = "one key of 0 to 9, * or #";
        let mut keys = text.chars();
        match (keys.next(), keys.next()) {
            (Some(key), None) if key.is_ascii_digit() || matches!(key, '*' | '#') => Ok(Self(key)),
            _ => Err(Complaint::new("is not one key of a telephone", RIGHT)),
        }
    }
}

#[cfg(test)]
mod tests {
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
}
