//! A key of a telephone, as DTMF.

use super::kind::Kind;
use super::value::{Complaint, FromText};

/// One of the twelve keys that every telephone has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DtmfKey(pub(super) char);

impl FromText for DtmfKey {
    const KIND: Kind = Kind::Form("telephone key: 0 to 9, * or #");

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
mod tests;
