//! Removes secrets, tokens and telephone numbers from a text of somebody else, for logs, answers and error messages. A
//! provider repeats what it was sent, and sometimes more. This is the one rule: clients redact what they receive, and
//! the log hides the rest of every line.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{PoisonError, RwLock};

const HIDDEN: &str = "***";
/// A shorter secret could be a word of any text.
const SECRET_CHARS_MIN: usize = 12;
/// Secrets that are remembered.
const SECRETS_MAX: usize = 200;
/// Every JSON Web Token begins so: it is `{"` in Base64.
const TOKEN_BEGINS: &str = "eyJ";
/// Digits of the longest number that is shown whole.
const DIGITS_MAX: usize = 6;
/// Length of a UUID with its dashes.
const UUID_CHARS: usize = 36;
/// Lengths of the ids of spans and traces, and of SHA-1 and SHA-256.
const HEX_CHARS: [usize; 4] = [16, 32, 40, 64];
/// Gaps within a number, as they stand in an address.
const ENCODED_GAPS: [&str; 6] = ["%20", "%2D", "%2d", "%2E", "%2e", "%2F"];

/// The secrets of this process.
static KNOWN: RwLock<BTreeSet<Box<str>>> = RwLock::new(BTreeSet::new());

/// Remembers a secret of the configuration: no text shows it from now on, whoever repeats it.
pub fn know(secret: &str) {
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if secret.len() >= SECRET_CHARS_MIN && known.len() < SECRETS_MAX {
        known.insert(secret.into());
    }
}

/// One line of at most `chars_max` characters, hidden as by [`hide`]. `secrets` are hidden beside those of [`know`].
#[must_use]
pub fn redact(text: &str, chars_max: usize, secrets: &[&str]) -> String {
    let mut shown = Cow::Borrowed(text);
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        if shown.contains(secret) {
            shown = Cow::Owned(shown.replace(secret, HIDDEN));
        }
    }
    replace(&mut shown, without_known);
    // What follows makes a text shorter, but not by that much.
    let end = shown.char_indices().nth(chars_max.saturating_mul(4)).map_or(shown.len(), |(end, _)| end);
    let mut shown = Cow::Borrowed(shown.get(..end).unwrap_or_default());
    replace(&mut shown, without_tokens);
    replace(&mut shown, without_numbers);
    let line: String = shown.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.trim().chars().take(chars_max).collect()
}

/// The text, with its lines and its length. Secrets of [`know`], tokens, and users and queries of addresses become
/// `***` or vanish; numbers longer than six digits keep their last three, also when they are written with spaces or
/// dashes. Dates, times, UUIDs and IP addresses stay.
#[must_use]
pub fn hide(text: &str) -> Cow<'_, str> {
    let mut shown = Cow::Borrowed(text);
    replace(&mut shown, without_known);
    replace(&mut shown, without_tokens);
    replace(&mut shown, without_numbers);
    shown
}

/// Applies a rule, which returns nothing for a text that it leaves as it is.
fn replace(text: &mut Cow<'_, str>, rule: fn(&str) -> Option<String>) {
    if let Some(changed) = rule(text) {
        *text = Cow::Owned(changed);
    }
}

/// Hides the secrets of this process.
fn without_known(text: &str) -> Option<String> {
    if text.len() < SECRET_CHARS_MIN {
        return None;
    }
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let mut hidden: Option<String> = None;
    for secret in known.iter() {
        let so_far = hidden.as_deref().unwrap_or(text);
        if so_far.contains(&**secret) {
            hidden = Some(so_far.replace(&**secret, HIDDEN));
        }
    }
    hidden
}

/// Whether a character ends a word.
fn is_gap(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '<' | '>' | '(' | ')')
}

/// Hides tokens, the word after `Bearer` and `Basic`, and users and queries of addresses.
fn without_tokens(text: &str) -> Option<String> {
    if ![TOKEN_BEGINS, "://", "earer", "asic"].iter().any(|sign| text.contains(sign)) {
        return None;
    }
    let mut hidden = String::with_capacity(text.len());
    let mut follows_scheme = false;
    for piece in text.split_inclusive(is_gap) {
        let word = piece.trim_end_matches(is_gap);
        let gap = piece.get(word.len()..).unwrap_or_default();
        if follows_scheme && !word.is_empty() {
            hidden.push_str(HIDDEN);
        } else {
            push_word(&mut hidden, word);
        }
        hidden.push_str(gap);
        if !word.is_empty() {
            let scheme = word.trim_end_matches(':');
            follows_scheme = ["bearer", "basic"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        }
    }
    Some(hidden)
}

fn push_word(text: &mut String, word: &str) {
    if let Some((scheme, address)) = word.split_once("://") {
        text.push_str(scheme);
        text.push_str("://");
        let (host, path) = address.split_at(address.find('/').unwrap_or(address.len()));
        text.push_str(host.rsplit_once('@').map_or(host, |(_, host)| host));
        let end = path.find(['?', '#']);
        text.push_str(end.and_then(|end| path.get(..end)).unwrap_or(path));
        if end.is_some() {
            text.push('?');
            text.push_str(HIDDEN);
        }
        return;
    }
    match word.find(TOKEN_BEGINS) {
        // Nothing of a token is in front of it but a name, as in `access_token=eyJ...`.
        Some(at) => {
            text.push_str(word.get(..at).unwrap_or_default());
            text.push_str(HIDDEN);
        }
        None => text.push_str(word),
    }
}

/// Masks long numbers. Digits of one number may be parted as people and trunks write it.
fn without_numbers(text: &str) -> Option<String> {
    if text.bytes().filter(u8::is_ascii_digit).count() <= DIGITS_MAX {
        return None;
    }
    let mut masked = String::with_capacity(text.len());
    let mut at = 0_usize;
    while let Some(digit) = from(text, at).find(|c: char| c.is_ascii_digit()) {
        let digit = at.saturating_add(digit);
        if let Some(end) = end_of_uuid(text, at, digit).or_else(|| end_of_hex(text, at, digit)) {
            masked.push_str(text.get(at..end).unwrap_or_default());
            at = end;
            continue;
        }
        masked.push_str(text.get(at..digit).unwrap_or_default());
        let number = Number::read(from(text, digit), text.get(..digit).unwrap_or_default());
        number.push(&mut masked);
        at = digit.saturating_add(number.text.len());
    }
    masked.push_str(from(text, at));
    Some(masked)
}

fn from(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default()
}

/// The end of the UUID with this digit, its first one; none if it is in no UUID. The UUID begins at `after` or later.
fn end_of_uuid(text: &str, after: usize, digit: usize) -> Option<usize> {
    let start = start_of(text, after, digit, |c| c.is_ascii_hexdigit() || c == '-')?;
    let end = start.checked_add(UUID_CHARS)?;
    let is_uuid = text.get(start..end)?.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    (is_uuid && is_word(text, start, end)).then_some(end)
}

/// The same for an id or a hash in hexadecimal digits.
fn end_of_hex(text: &str, after: usize, digit: usize) -> Option<usize> {
    let start = start_of(text, after, digit, |c| c.is_ascii_hexdigit())?;
    let rest = from(text, start);
    let length = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
    let has_letter = rest.get(..length)?.contains(|c: char| c.is_ascii_alphabetic());
    let end = start.checked_add(length)?;
    (HEX_CHARS.contains(&length) && has_letter && is_word(text, start, end)).then_some(end)
}

/// Where the characters of this kind begin that end in front of `digit`.
fn start_of(text: &str, after: usize, digit: usize, is_part: fn(char) -> bool) -> Option<usize> {
    Some(after.saturating_add(text.get(after..digit)?.trim_end_matches(is_part).len()))
}

fn is_word(text: &str, start: usize, end: usize) -> bool {
    let before = text.get(..start).unwrap_or_default();
    !before.ends_with(char::is_alphanumeric) && !from(text, end).starts_with(char::is_alphanumeric)
}

fn is_of_a_word(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

/// Digits, and what may stand between the digits of a telephone number.
struct Number<'a> {
    text: &'a str,
    /// A date or a time.
    is_time: bool,
}

impl<'a> Number<'a> {
    /// The number that the text begins with; `before` is what is in front of it.
    fn read(text: &'a str, before: &str) -> Self {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let alone = text.get(..digits).unwrap_or_default();
        if let Some(seconds) = seconds_of(text, alone, before) {
            return Self { text: seconds, is_time: true };
        }
        let (number, behind) = text.split_at(end_of_number(text, digits));
        // Parts of ids are no numbers of telephones.
        if before.ends_with(is_of_a_word) || behind.starts_with(is_of_a_word) {
            return Self { text: alone, is_time: false };
        }
        match text.get(..10) {
            Some(date) if is_date(date) => Self { text: date, is_time: true },
            _ => Self { text: number, is_time: false },
        }
    }

    /// Appends it, masked if it is long.
    fn push(&self, text: &mut String) {
        let digits = self.text.bytes().filter(u8::is_ascii_digit).count();
        if self.is_time || digits <= DIGITS_MAX || is_ip(self.text) {
            text.push_str(self.text);
            return;
        }
        let last: Vec<char> = self.text.chars().filter(char::is_ascii_digit).rev().take(3).collect();
        text.push_str("*****");
        text.extend(last.into_iter().rev());
    }
}

/// The end of a number whose first digits end at `end`.
fn end_of_number(text: &str, mut end: usize) -> usize {
    let (mut at, mut gap) = (end, 0_usize);
    while let Some(c) = from(text, at).chars().next() {
        match c {
            '0'..='9' => {
                at = at.saturating_add(1);
                (end, gap) = (at, 0);
                continue;
            }
            ' ' | '-' | '.' | '/' | '(' | ')' => at = at.saturating_add(1),
            '%' if ENCODED_GAPS.iter().any(|gap| from(text, at).starts_with(gap)) => {
                at = at.saturating_add(3)
            }
            _ => break,
        }
        gap = gap.saturating_add(1);
        if gap > 2 {
            break;
        }
    }
    end
}

/// Minutes or seconds of a clock, as in `02:46:45.123456`.
fn seconds_of<'a>(text: &'a str, alone: &str, before: &str) -> Option<&'a str> {
    let follows_clock =
        before.strip_suffix(':').is_some_and(|hours| hours.ends_with(|c: char| c.is_ascii_digit()));
    if !follows_clock || alone.len() != 2 {
        return None;
    }
    let fraction = from(text, 2).strip_prefix('.').unwrap_or_default();
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    match digits {
        0 => text.get(..2),
        1..=9 => text.get(..digits.saturating_add(3)),
        _ => None,
    }
}

/// `2026-11-30`
fn is_date(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    })
}

/// An address, also that of a network: `10.0.0.0/24`.
fn is_ip(text: &str) -> bool {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    address.parse::<Ipv4Addr>().is_ok()
        && bits.is_none_or(|bits| bits.parse::<u8>().is_ok_and(|bits| bits <= 32))
}

#[cfg(test)]
mod tests;
