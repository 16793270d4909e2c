//! Whole numbers and times. The range is part of the type, so the document and the check cannot differ.

use std::time::Duration;

use super::super::kind::Kind;
use super::super::redact::shown;
use super::{Complaint, FromText};

/// A whole number from `MIN` to `MAX`. The variable's `unit` says what is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct Whole<N, const MIN: u64, const MAX: u64>(pub(in crate::config) N);

impl<N: TryFrom<u64>, const MIN: u64, const MAX: u64> FromText for Whole<N, MIN, MAX> {
    const KIND: Kind = Kind::Number { min: MIN, max: MAX, unit: "" };

    fn from_text(text: &str) -> Result<Self, Complaint> {
        let number = number(text, MIN, MAX)?;
        N::try_from(number).map(Self).map_err(|_| out_of_range(number, MIN, MAX))
    }
}

/// A time in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct Seconds<const MIN: u64, const MAX: u64>(pub(in crate::config) Duration);

impl<const MIN: u64, const MAX: u64> FromText for Seconds<MIN, MAX> {
    const KIND: Kind = Kind::Number { min: MIN, max: MAX, unit: "seconds" };

    fn from_text(text: &str) -> Result<Self, Complaint> {
        number(text, MIN, MAX).map(Duration::from_secs).map(Self)
    }
}

/// A time in whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct Millis<const MIN: u64, const MAX: u64>(pub(in crate::config) Duration);

impl<const MIN: u64, const MAX: u64> FromText for Millis<MIN, MAX> {
    const KIND: Kind = Kind::Number { min: MIN, max: MAX, unit: "milliseconds" };

    fn from_text(text: &str) -> Result<Self, Complaint> {
        number(text, MIN, MAX).map(Duration::from_millis).map(Self)
    }
}

/// Digits only: no sign, no fraction, no unit.
fn number(text: &str, min: u64, max: u64) -> Result<u64, Complaint> {
    let all_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number: Option<u64> = if all_digits { text.parse().ok() } else { None };
    let number = number.ok_or_else(|| {
        Complaint::new(format!("`{}` is not a whole number", shown(text)), format!("{min} to {max}"))
    })?;
    if (min..=max).contains(&number) { Ok(number) } else { Err(out_of_range(number, min, max)) }
}

fn out_of_range(number: u64, min: u64, max: u64) -> Complaint {
    Complaint::new(format!("`{number}` is out of range"), format!("{min} to {max}"))
}
