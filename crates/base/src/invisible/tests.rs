//! What is seen, and what is not.

use super::{is_invisible, is_odd_space, is_utf16, trimmed, without_mark};

#[test]
fn characters_without_width_are_found() {
    for letter in [
        '\u{ad}',
        '\u{200b}',
        '\u{200c}',
        '\u{200d}',
        '\u{200e}',
        '\u{200f}',
        '\u{202a}',
        '\u{202e}',
        '\u{2060}',
        '\u{2066}',
        '\u{2069}',
        '\u{feff}',
        '\u{fe0f}',
        '\u{180e}',
        '\u{61c}',
        '\u{3164}',
        '\u{e0041}',
    ] {
        assert!(is_invisible(letter), "{:x}", u32::from(letter));
    }
    for letter in ['a', ' ', '-', '\n', '\u{e4}', '\u{4e2d}', '\u{2011}', '\u{a0}', '\u{ff11}'] {
        assert!(!is_invisible(letter), "{:x}", u32::from(letter));
    }
    for space in ['\u{a0}', '\u{202f}', '\u{2009}', '\u{3000}', '\u{2028}', '\u{85}'] {
        assert!(is_odd_space(space), "{:x}", u32::from(space));
    }
    assert!(!is_odd_space(' ') && !is_odd_space('\t'));
}

#[test]
fn ends_are_trimmed() {
    assert_eq!(trimmed("\u{feff}\u{a0} In\u{200b}\r\n\0"), "In");
    assert_eq!(trimmed("a\u{200b}b"), "a\u{200b}b");
    assert_eq!(trimmed("\u{feff}"), "");
}

#[test]
fn a_mark_before_a_body_is_removed() {
    assert_eq!(without_mark(b"\xef\xbb\xbf\xef\xbb\xbf{}"), b"{}");
    assert_eq!(without_mark(b"{}"), b"{}");
    assert_eq!(without_mark(b"\xef\xbb"), b"\xef\xbb");
    assert!(is_utf16(b"\xff\xfe{\0}\0") && is_utf16(b"\xfe\xff\0{") && !is_utf16(b"\xef\xbb\xbf{}"));
}
