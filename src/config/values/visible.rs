//! Characters that nobody sees in the text of a variable: editors, web pages and Windows put them there. A byte order
//! mark before a text and a carriage return behind it are removed, and a startup warning says so. All others are
//! refused, because a secret or an id with one of them is another secret or id.

use precall_base::invisible::{BYTE_ORDER_MARK, is_invisible, is_odd_space};

use super::super::kind::Kind;
use super::super::value::Complaint;
use super::super::variables::Variable;

/// A text without what may be removed, and what was removed in words.
pub(super) struct Cleaned<'a> {
    pub(super) text: &'a str,
    pub(super) removed: Option<&'static str>,
}

/// Removes byte order marks before the text and, unless it is a secret, carriage returns behind it.
pub(super) fn cleaned<'a>(text: &'a str, variable: &Variable) -> Cleaned<'a> {
    let unmarked = text.trim_start_matches(BYTE_ORDER_MARK);
    // A secret with a control character is refused: it may have been cut.
    let end = if variable.is_secret() { unmarked } else { unmarked.trim_end_matches(['\r', '\n']) };
    let removed = if unmarked.len() < text.len() {
        Some("begins with a byte order mark (U+FEFF), which is ignored")
    } else if unmarked.get(end.len()..).is_some_and(|rest| rest.contains('\r')) {
        Some("ends with a carriage return (a file with line ends of Windows?), which is ignored")
    } else {
        None
    };
    Cleaned { text: end, removed }
}

/// Refuses a text with a character that nobody sees. Spoken text may have the ones that spelling needs: joiners,
/// variation selectors and no-break spaces.
pub(super) fn check(text: &str, variable: &Variable) -> Result<(), Complaint> {
    let is_spoken = match variable.kind {
        Kind::Text => true,
        Kind::Form(form) => form.starts_with("text"),
        Kind::Secret | Kind::Number { .. } | Kind::OneOf(_) | Kind::List => false,
    };
    let is_spelling = |letter: char| {
        is_odd_space(letter) || matches!(letter, '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}')
    };
    let wrong = (1_usize..).zip(text.chars()).find(|(_, letter)| {
        (is_invisible(*letter) || is_odd_space(*letter)) && !(is_spoken && is_spelling(*letter))
    });
    let Some((place, letter)) = wrong else { return Ok(()) };
    let what = if is_invisible(letter) { "an invisible character" } else { "a space that is none" };
    Err(Complaint::new(
        format!("has {what} (U+{:04X}) as character {place}", u32::from(letter)),
        "the same without it, typed and not pasted",
    ))
}

#[cfg(test)]
mod tests;
