//! Countries of the numbering plans.
//!
//! Pure: no clock, no I/O, no actor.

use std::fmt;
use std::str::FromStr;

use rlibphonenumber::{PHONE_NUMBER_UTIL, Region as LibraryRegion};

/// A country or territory with its own numbers, by two letters (ISO 3166-1, as the numbering plans use them).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region(pub(super) LibraryRegion);

impl Region {
    /// No country: numbers in national form cannot be parsed.
    pub const UNKNOWN: Self = Self(LibraryRegion::ZZ);

    /// The country code, if numbers of this country are dialled with a leading 0 that is no part of the international
    /// number.
    pub(super) fn trunk_zero(self) -> Option<String> {
        let code = PHONE_NUMBER_UTIL.get_country_code_for_region(self.0)?.to_string();
        let example = PHONE_NUMBER_UTIL.get_example_number(self.0).ok()?.to_string();
        let national = example.strip_prefix('+')?.strip_prefix(&code)?;
        let dialled = PHONE_NUMBER_UTIL.parse(format!("0{national}"), Some(self.0)).ok()?;
        (dialled.to_string() == example).then_some(code)
    }

    /// The two letters in upper case; `001` for ranges without a country.
    #[must_use]
    pub fn code(self) -> String {
        self.0.to_string()
    }
}

impl FromStr for Region {
    type Err = NotARegion;

    fn from_str(text: &str) -> Result<Self, NotARegion> {
        let region = LibraryRegion::from_code(text.trim()).map_err(|_| NotARegion)?;
        // The library's enum has all pairs of letters; only some have a numbering plan.
        let known = PHONE_NUMBER_UTIL.get_country_code_for_region(region).is_some();
        if known { Ok(Self(region)) } else { Err(NotARegion) }
    }
}

/// Not a country, or a country without numbering plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a country with telephone numbers (two letters, like DE)")]
pub struct NotARegion;

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
