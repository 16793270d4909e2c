//! Characters that nobody sees, in a cell: they come along when it is copied from a web page, a phone book or a chat,
//! and a number or a path that holds one does not match.

use precall_base::invisible::{self, is_invisible};

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

/// The narrow no-break space stands in names that macOS gives to recordings.
fn is_odd_space(c: char) -> bool {
    const NARROW: char = '\u{202f}';
    invisible::is_odd_space(c) && c != NARROW
}
