//! Checks of the fields of JSON bodies, and their schemas. A problem never repeats a value, because it may be personal.

use precall_actors::call::pin::DIGITS_MAX;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::http::error::{Code, Problem};
use crate::http::openapi::names::components;

/// Longest name, in characters.
pub(crate) const NAME_MAX: usize = 200;
/// Longest path or URL, in characters.
pub(crate) const URL_MAX: usize = 1_024;
/// Longest description, in characters.
pub(crate) const TEXT_MAX: usize = 2_000;
/// Longest reason of an operator, in characters.
pub(crate) const REASON_MAX: usize = 500;
/// Longest text that an operator tells an agent, in characters.
pub(crate) const TOLD_MAX: usize = 1_000;
/// Longest text of a consent, in characters.
pub(crate) const AGREED_MAX: usize = 20_000;

/// Checks a text of one line.
pub(crate) fn line(field: &str, text: &str, most: usize) -> Result<(), Problem> {
    checked(field, text, most, |letter| letter.is_control())
}

/// Checks a text of several lines.
pub(crate) fn prose(field: &str, text: &str, most: usize) -> Result<(), Problem> {
    checked(field, text, most, |letter| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t'))
}

fn checked(field: &str, text: &str, most: usize, bad: impl Fn(char) -> bool) -> Result<(), Problem> {
    if text.trim().is_empty() || text.chars().count() > most || text.contains(bad) {
        let detail =
            format!("{field} must have 1 to {most} characters, not only spaces, and no control characters");
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

/// What [`line`] takes, as a regular expression.
const LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";
/// What [`prose`] takes, as a regular expression.
const PROSE: &str = concat!(
    r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*",
    r"[^\s\x00-\x1f\x7f-\x9f]",
    r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"
);

components! {
    /// A name in one line, not only of spaces.
    NameText = text(LINE, NAME_MAX);
    /// A path or URL in one line.
    LocationText = text(LINE, URL_MAX);
    /// A description of several lines, not only of spaces.
    DescriptionText = text(PROSE, TEXT_MAX);
    /// A reason in one line, not only of spaces.
    ReasonText = text(LINE, REASON_MAX);
    /// What an agent is told, not only spaces.
    ToldText = text(PROSE, TOLD_MAX);
    /// The text of a consent, not only of spaces.
    ConsentText = text(PROSE, AGREED_MAX);
    /// A SHA-256 in lower-case hex.
    Sha256Text = text("^[0-9a-f]{64}$", 64);
    /// An address, or a block of them in CIDR notation.
    AddressText = text("^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$", 64);
    /// 4 to 12 digits.
    PinText = text("^[0-9]{4,12}$", DIGITS_MAX);
}

fn text(pattern: &str, longest: usize) -> ObjectBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern));
    text.min_length(Some(1)).max_length(Some(longest))
}

#[cfg(test)]
mod tests;
