//! Numbers in JSON that no 64-bit integer holds, kept as they were written. A reader that turns them into a fraction
//! loses digits, and then two ids of calls look like one.
//!
//! Pure: no clock, no I/O, no actor.

use std::borrow::Cow;

/// Above this number of digits an exponent adds zeros to a number that its sender had already rounded (2^53 has 16).
const EXACT_DIGITS: usize = 15;
/// A plain integer of up to this many digits fits 64 bits.
const PLAIN_DIGITS: usize = 18;

/// The same JSON with each number as text that is no integer of at most 18 digits: `1264.0` becomes `"1264"`, `1e3`
/// `"1000"`, and `1264.5` and an integer of any length keep their digits. A number with an exponent that stands for
/// more digits than it has is `null`: its sender rounded it. What is not valid JSON stays as it is.
#[must_use]
pub fn exact_numbers(json: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Vec<u8> = Vec::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => at = end_of_string(json, at),
            // A sign that JSON does not know, or a word, is part of the token, so that it stays invalid.
            byte if is_token_part(*byte) => {
                let token = token_at(json, at);
                let end = at.saturating_add(token.len());
                if let Some(with) = rewritten(token) {
                    out.extend_from_slice(json.get(copied..at).unwrap_or_default());
                    out.extend_from_slice(with.as_bytes());
                    copied = end;
                }
                at = end;
            }
            _ => at = at.saturating_add(1),
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    out.extend_from_slice(json.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// The offset behind the string that begins at `start`.
fn end_of_string(json: &[u8], start: usize) -> usize {
    let mut at = start.saturating_add(1);
    loop {
        match json.get(at) {
            None => return at,
            Some(b'"') => return at.saturating_add(1),
            Some(b'\\') => at = at.saturating_add(2),
            Some(_) => at = at.saturating_add(1),
        }
    }
}

fn is_token_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

fn token_at(json: &[u8], start: usize) -> &[u8] {
    let rest = json.get(start..).unwrap_or_default();
    let length = rest.iter().position(|byte| !is_token_part(*byte)).unwrap_or(rest.len());
    rest.get(..length).unwrap_or_default()
}

/// What is written instead of a number. None: it stays.
fn rewritten(token: &[u8]) -> Option<String> {
    let token = std::str::from_utf8(token).ok()?;
    let number = Number::parse(token)?;
    if number.is_plain() {
        return None;
    }
    Some(number.text().map_or_else(|| "null".to_owned(), |text| format!("\"{text}\"")))
}

/// A number by the grammar of JSON.
struct Number<'a> {
    token: &'a str,
    is_negative: bool,
    whole: &'a str,
    fraction: Option<&'a str>,
    exponent: Option<&'a str>,
}

impl<'a> Number<'a> {
    fn parse(token: &'a str) -> Option<Self> {
        let (mantissa, exponent) = match token.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (token, None),
        };
        let unsigned = mantissa.strip_prefix('-').unwrap_or(mantissa);
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (unsigned, None),
        };
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let power = exponent.map(|text| text.strip_prefix(['+', '-']).unwrap_or(text));
        let is_whole = is_digits(whole) && (whole.len() == 1 || !whole.starts_with('0'));
        let is_number = is_whole && fraction.is_none_or(is_digits) && power.is_none_or(is_digits);
        let is_negative = mantissa.len() != unsigned.len();
        is_number.then_some(Self { token, is_negative, whole, fraction, exponent })
    }

    fn is_plain(&self) -> bool {
        // Minus zero is a fraction to a reader.
        let is_integer = self.fraction.is_none() && self.exponent.is_none() && self.token != "-0";
        is_integer && self.whole.len() <= PLAIN_DIGITS
    }

    /// The exact value: digits where it is whole, otherwise the number as it was written. None where digits are lost.
    fn text(&self) -> Option<String> {
        let fraction = self.fraction.unwrap_or_default().trim_end_matches('0');
        // An exponent of so many digits that it cannot be read stands for more digits than the number has.
        let power: i64 = self.exponent.map_or(Some(0), |text| text.parse().ok())?;
        let digits = format!("{}{fraction}", self.whole);
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() {
            return Some("0".to_owned());
        }
        let shift = power.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        if shift < 0 {
            return Some(self.integer_or_token(digits, usize::try_from(shift.checked_neg()?).ok()?));
        }
        let zeros = usize::try_from(shift).ok()?;
        if zeros > 0 && digits.len().saturating_add(zeros) > EXACT_DIGITS {
            return None;
        }
        Some(self.signed(&format!("{digits}{}", "0".repeat(zeros))))
    }

    /// `digits` with the last `cut` of them behind the point.
    fn integer_or_token(&self, digits: &str, cut: usize) -> String {
        let place = digits.len().saturating_sub(cut);
        match digits.split_at_checked(place) {
            Some((whole, rest)) if place > 0 && rest.bytes().all(|byte| byte == b'0') => self.signed(whole),
            _ => self.token.to_owned(),
        }
    }

    fn signed(&self, digits: &str) -> String {
        if self.is_negative { format!("-{digits}") } else { digits.to_owned() }
    }
}

#[cfg(test)]
mod tests;
