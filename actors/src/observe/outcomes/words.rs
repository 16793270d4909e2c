//! Words of other services, fit to be shown to anybody who may read health.
//!
//! Pure: no clock, no I/O, no actor.

/// Longest text.
const CHARS_MAX: usize = 300;
/// A run of at least this many digits may be a telephone number.
const NUMBER_DIGITS_MIN: usize = 7;
/// Digits of such a run that stay readable.
const DIGITS_SHOWN: usize = 2;

/// The text on one line, at most 300 characters, with long runs of digits masked. Clients have removed secrets.
pub(crate) fn presentable(words: &str) -> String {
    let mut shown = String::new();
    let mut digits = String::new();
    for letter in words.chars().map(|letter| if letter.is_control() { ' ' } else { letter }) {
        if letter.is_ascii_digit() {
            digits.push(letter);
        } else {
            put(&mut shown, &digits);
            digits.clear();
            shown.push(letter);
        }
        if shown.len() > CHARS_MAX * 4 {
            break;
        }
    }
    put(&mut shown, &digits);
    shown.trim().chars().take(CHARS_MAX).collect()
}

fn put(shown: &mut String, digits: &str) {
    if digits.len() < NUMBER_DIGITS_MIN {
        return shown.push_str(digits);
    }
    let hidden = digits.len().saturating_sub(DIGITS_SHOWN);
    shown.push_str("***");
    shown.extend(digits.chars().skip(hidden));
}
