//! A caller in a path, a filter or a body: one parser, so that a number that one request takes is taken by all.

use precall_base::invisible::trimmed;
use precall_base::phone_number::{CallerNumber, Region};

use crate::http::app_state::AppState;
use crate::http::error::{Code, Problem};

/// Longest prefix in characters, the plus included (E.164).
const PREFIX_MAX: usize = 16;

/// The number in E.164, or the extension, of a text as people write it.
///
/// # Errors
/// `bad_number`.
pub(crate) fn caller(app: &AppState, text: &str) -> Result<String, Problem> {
    parse(text, app.settings().region)
}

/// [`caller`] in a query, where `+` means a space.
///
/// # Errors
/// `bad_number`.
pub(crate) fn caller_in_query(app: &AppState, text: &str) -> Result<String, Problem> {
    parse(&with_plus(text), app.settings().region)
}

/// A prefix of numbers: `+49`, `0049`, `030` in DEFAULT_REGION, or the first digits of an extension. Separators may be
/// in it.
///
/// # Errors
/// `bad_query`.
pub(crate) fn prefix(app: &AppState, text: &str) -> Result<String, Problem> {
    prefix_of(text, app.settings().region)
}

fn parse(text: &str, region: Region) -> Result<String, Problem> {
    match CallerNumber::parse_written(text, region) {
        CallerNumber::Public(number) => Ok(number.as_e164().to_owned()),
        CallerNumber::Internal(extension) => Ok(extension.as_str().to_owned()),
        CallerNumber::Withheld | CallerNumber::Unreadable => Err(Problem::new(
            Code::BadNumber,
            "write the number as +<country code><number>, as dialled in DEFAULT_REGION, or as an extension",
        )),
    }
}

/// A space at the beginning as `+`, unless the text has a `+` already.
fn with_plus(text: &str) -> String {
    match text.strip_prefix(' ') {
        Some(rest) if trimmed(rest).starts_with(|letter: char| letter.is_ascii_digit()) => format!("+{rest}"),
        Some(_) | None => text.to_owned(),
    }
}

fn prefix_of(text: &str, region: Region) -> Result<String, Problem> {
    let wrong =
        || Problem::new(Code::BadQuery, "prefix must be + and digits, or digits, 16 characters at most");
    let text = with_plus(text);
    if trimmed(&text).is_empty() {
        return Ok(String::new());
    }
    let prefix = CallerNumber::prefix(&text, region).ok_or_else(wrong)?;
    if prefix.len() > PREFIX_MAX { Err(wrong()) } else { Ok(prefix) }
}

#[cfg(test)]
mod tests;
