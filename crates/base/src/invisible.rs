//! Characters that nobody sees: editors, web pages and spreadsheets put them into keys, numbers and files.
//!
//! Pure: no clock, no I/O, no actor.

/// The byte order mark at the beginning of a file, U+FEFF.
pub const BYTE_ORDER_MARK: char = '\u{feff}';
/// [`BYTE_ORDER_MARK`] in UTF-8.
const MARK_BYTES: &[u8] = b"\xef\xbb\xbf";

/// Whether a character has no width and no ink: zero-width characters, soft hyphen, marks of direction, fillers,
/// variation selectors, tags, and the byte order mark. Control characters are not among them.
#[must_use]
pub fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | BYTE_ORDER_MARK
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a character looks like an ordinary space and is another one: the no-break space and its relatives.
#[must_use]
pub fn is_odd_space(letter: char) -> bool {
    letter.is_whitespace() && !letter.is_ascii()
}

/// The text without spaces, control characters and invisible characters at both ends.
#[must_use]
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(|letter: char| letter.is_whitespace() || letter.is_control() || is_invisible(letter))
}

/// The body without byte order marks at its beginning. A signature covers the whole body, marks included.
#[must_use]
pub fn without_mark(mut body: &[u8]) -> &[u8] {
    while let Some(rest) = body.strip_prefix(MARK_BYTES) {
        body = rest;
    }
    body
}

/// Whether the bytes begin as text in UTF-16 does.
#[must_use]
pub fn is_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff")
}

#[cfg(test)]
mod tests;
