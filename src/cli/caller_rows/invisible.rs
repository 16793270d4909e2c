//! Characters that nobody sees: they come along when a cell is copied from a web page, a phone book or a chat, and a
//! number or a path that holds one does not match.

/// What is wrong with a cell that has such a character where it cannot simply be left out.
pub(super) fn complaint(text: &str) -> Option<String> {
    let found = text.chars().find(|c| is_invisible(*c) || is_odd_space(*c))?;
    Some(format!("holds the invisible character U+{:04X}: type the text again", u32::from(found)))
}

/// Without invisible characters, and with plain spaces alone, none of them at the ends.
pub(super) fn without(text: &str) -> String {
    let plain = text.chars().filter(|c| !is_invisible(*c)).map(|c| if is_odd_space(c) { ' ' } else { c });
    plain.collect::<String>().trim().to_owned()
}

/// Without invisible characters and spaces at the ends; those within may be meant, as the joiner in some scripts.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c))
}

/// Zero-width characters, joiners, marks of direction, the soft hyphen, the byte order mark.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
    )
}

/// A space that does not break, or of another width. The narrow one stands in names that macOS gives to recordings.
fn is_odd_space(c: char) -> bool {
    const NARROW: char = '\u{202f}';
    c.is_whitespace() && !c.is_ascii() && c != NARROW
}
