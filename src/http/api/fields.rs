//! Checks of the fields of JSON bodies. A problem never repeats a value, because it may be personal.

use crate::http::error::{Code, Problem};

/// Longest name, in bytes.
pub(crate) const NAME_MAX: usize = 200;
/// Longest path or URL, in bytes.
pub(crate) const URL_MAX: usize = 1_024;
/// Longest description, in bytes.
pub(crate) const TEXT_MAX: usize = 2_000;

/// Checks a text of one line.
pub(crate) fn line(field: &str, text: &str, most: usize) -> Result<(), Problem> {
    checked(field, text, most, |letter| letter.is_control())
}

/// Checks a text of several lines.
pub(crate) fn prose(field: &str, text: &str, most: usize) -> Result<(), Problem> {
    checked(field, text, most, |letter| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t'))
}

fn checked(field: &str, text: &str, most: usize, bad: impl Fn(char) -> bool) -> Result<(), Problem> {
    if text.trim().is_empty() || text.len() > most || text.contains(bad) {
        let detail = format!("{field} must have 1 to {most} bytes and no control characters");
        return Err(Problem::new(Code::BadField, detail));
    }
    Ok(())
}

/// Checks a SHA-256: 64 lower-case hex digits.
pub(crate) fn sha256(field: &str, text: &str) -> Result<(), Problem> {
    let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() != 64 || !is_hex {
        return Err(Problem::new(Code::BadField, format!("{field} must be 64 lower-case hex digits")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
