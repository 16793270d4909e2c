//! What the fields of an order may hold, and what is said of bodies that cannot be read. No message repeats a value: it may be personal.

use actix_web::error::JsonPayloadError;
use actix_web::web::JsonConfig;

use crate::http::error::{Code, Problem};

/// Bytes of a name.
pub(crate) const NAME_MAX: usize = 200;
/// Bytes of a path or URL.
pub(crate) const URL_MAX: usize = 1_024;
/// Bytes of a description.
pub(crate) const TEXT_MAX: usize = 2_000;
/// Bytes of an order's body.
const BODY_MAX: usize = 64 * 1024;

/// One line of text.
pub(crate) fn line(field: &str, text: &str, most: usize) -> Result<(), Problem> {
    checked(field, text, most, |letter| letter.is_control())
}

/// Text of several lines.
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

/// A SHA-256: 64 lower-case hex digits.
pub(crate) fn sha256(field: &str, text: &str) -> Result<(), Problem> {
    let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() != 64 || !is_hex {
        return Err(Problem::new(Code::BadField, format!("{field} must be 64 lower-case hex digits")));
    }
    Ok(())
}

/// How the bodies of orders are read: whatever their content type, since a key and no cookie says who sends them.
pub(crate) fn orders() -> JsonConfig {
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
            // Of the library's sentences only these two name fields and nothing else.
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
