//! Removes secrets, tokens and telephone numbers from a text of somebody else, for logs, answers and error messages. A
//! provider repeats what it was sent, and sometimes more.

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

/// The secrets of this process.
static KNOWN: RwLock<BTreeSet<Box<str>>> = RwLock::new(BTreeSet::new());

/// Remembers a secret of the configuration: no text shows it from now on, whoever repeats it.
pub fn know(secret: &str) {
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    if secret.len() >= SECRET_CHARS_MIN && known.len() < SECRETS_MAX {
        known.insert(secret.into());
    }
}

/// One line of at most `chars_max` characters. Secrets, tokens and the queries of addresses become `***`; numbers
/// longer than six digits keep their last three, also when they are written with spaces or dashes. `secrets` are hidden
/// beside those of [`know`].
#[must_use]
pub fn redact(text: &str, chars_max: usize, secrets: &[&str]) -> String {
    let mut text = Cow::Borrowed(text);
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    for secret in secrets.iter().copied().chain(known.iter().map(|secret| &**secret)) {
        if !secret.is_empty() && text.contains(secret) {
            text = Cow::Owned(text.replace(secret, HIDDEN));
        }
    }
    drop(known);
    // What follows makes a text shorter, but not by that much.
    let end = text.char_indices().nth(chars_max.saturating_mul(4)).map_or(text.len(), |(end, _)| end);
    let text = without_tokens(text.get(..end).unwrap_or_default());
    let text = without_numbers(&text);
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.trim().chars().take(chars_max).collect()
}

/// Whether a character ends a word.
fn is_gap(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '<' | '>' | '(' | ')')
}

/// Hides tokens, the word after `Bearer` and `Basic`, and users and queries of addresses.
fn without_tokens(text: &str) -> Cow<'_, str> {
    if ![TOKEN_BEGINS, "://", "earer", "asic"].iter().any(|sign| text.contains(sign)) {
        return Cow::Borrowed(text);
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
    Cow::Owned(hidden)
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
fn without_numbers(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        masked.push_str(before);
        let follows_word = masked.chars().next_back().is_some_and(is_of_a_word);
        let (number, behind) = number_of(from, follows_word);
        push_number(&mut masked, number);
        rest = behind;
    }
    masked.push_str(rest);
    masked
}

fn is_of_a_word(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

/// The number that the text begins with, and what is behind it.
fn number_of(text: &str, follows_word: bool) -> (&str, &str) {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let alone = text.split_at(digits);
    let mut end = digits;
    let mut gap = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '0'..='9' => (end, gap) = (at.saturating_add(1), 0),
            ' ' | '-' | '.' | '/' | '(' | ')' if gap < 2 => gap = gap.saturating_add(1),
            _ => break,
        }
    }
    let (number, behind) = text.split_at(end);
    // Parts of ids are no numbers of telephones.
    let is_id = follows_word || behind.starts_with(is_of_a_word);
    let is_date = text.get(..10).is_some_and(is_date);
    if is_id {
        return alone;
    }
    if is_date { text.split_at(10) } else { (number, behind) }
}

/// `2026-11-30`
fn is_date(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    })
}

fn push_number(text: &mut String, number: &str) {
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    if digits <= DIGITS_MAX || is_date(number) || number.parse::<Ipv4Addr>().is_ok() {
        text.push_str(number);
        return;
    }
    let last: Vec<char> = number.chars().filter(char::is_ascii_digit).rev().take(3).collect();
    text.push_str("*****");
    text.extend(last.into_iter().rev());
}

#[cfg(test)]
mod tests;
