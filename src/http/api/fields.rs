//! Checks of the fields of JSON bodies, and problems of unreadable bodies. A problem never repeats a value, because it
//! may be personal.

use actix_web::error::JsonPayloadError;
use actix_web::web::JsonConfig;

use crate::http::error::{Code, Problem};

/// Longest name, in bytes.
pub(crate) const NAME_MAX: usize = 200;
/// Longest path or URL, in bytes.
pub(crate) const URL_MAX: usize = 1_024;
/// Longest description, in bytes.
pub(crate) const TEXT_MAX: usize = 2_000;
/// Largest JSON body, in bytes.
const BODY_MAX: usize = 64 * 1024;

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

/// Reads JSON bodies of every content type. That is safe because a key and not a cookie identifies the client.
pub(crate) fn json_bodies() -> JsonConfig {
    JsonConfig::default()
        .limit(BODY_MAX)
        .content_type_required(false)
        .content_type(|_| true)
        .error_handler(|error, _| unreadable(&error).into())
}

fn unreadable(error: &JsonPayloadError) -> Problem {
    match error {
        JsonPayloadError::Overflow { .. } | JsonPayloadError::OverflowKnownLength { .. } => {
            Problem::of(Code::BodyTooLarge)
        }
        JsonPayloadError::Deserialize(error) if error.is_data() => {
            // Only these two messages of the library contain no values.
            let text = error.to_string();
            let names = ["missing field", "unknown field"].iter().any(|start| text.starts_with(start));
            Problem::new(Code::BadField, if names { text } else { "a field has a wrong value".to_owned() })
        }
        JsonPayloadError::Payload(_) => Problem::of(Code::BodyBroken),
        _ => Problem::of(Code::BadJson),
    }
}

#[cfg(test)]
mod tests;
