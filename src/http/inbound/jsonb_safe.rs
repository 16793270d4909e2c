//! Makes JSON safe for a `jsonb` column of PostgreSQL.
//!
//! `jsonb` refuses some valid JSON: NUL, unpaired surrogates, very large numbers, very deep nesting. They are replaced,
//! so that a report is not lost for one character; only nesting that is too deep is refused.

use std::borrow::Cow;

/// Nesting depth. No report is that deep; the stack of PostgreSQL allows some thousands.
const DEPTH_MAX: usize = 100;
/// Longest number, in bytes. A double needs 24.
const NUMBER_MAX: usize = 64;
/// Largest exponent of a double.
const EXPONENT_MAX: i64 = 308;
/// U+FFFD as an escape, so that ASCII text stays ASCII.
const REPLACEMENT: &[u8] = b"\\ufffd";

/// The body is nested too deeply to be a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooDeep;

/// The same JSON with everything replaced that `jsonb` refuses. Invalid JSON stays as it is.
///
/// # Errors
/// [`TooDeep`].
pub(crate) fn jsonb_safe(json: &[u8]) -> Result<Cow<'_, [u8]>, TooDeep> {
    let mut scan = Scan { json, at: 0, copied: 0, out: Vec::new(), depth: 0 };
    while let Some(byte) = scan.peek(0) {
        match byte {
            b'"' => scan.string(),
            b'[' | b'{' => {
                scan.depth = scan.depth.saturating_add(1);
                if scan.depth > DEPTH_MAX {
                    return Err(TooDeep);
                }
                scan.skip(1);
            }
            b']' | b'}' => {
                scan.depth = scan.depth.saturating_sub(1);
                scan.skip(1);
            }
            b'-' | b'0'..=b'9' => scan.number(),
            _ => scan.skip(1),
        }
    }
    if scan.copied == 0 {
        return Ok(Cow::Borrowed(json));
    }
    scan.replace(0, b"");
    Ok(Cow::Owned(scan.out))
}

struct Scan<'a> {
    json: &'a [u8],
    at: usize,
    /// Everything before this offset is in `out`.
    copied: usize,
    out: Vec<u8>,
    depth: usize,
}

impl Scan<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.json.get(self.at.saturating_add(ahead)).copied()
    }

    fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }

    /// Writes `with` instead of the next `bytes`.
    fn replace(&mut self, bytes: usize, with: &[u8]) {
        self.out.extend_from_slice(self.json.get(self.copied..self.at).unwrap_or_default());
        self.out.extend_from_slice(with);
        self.skip(bytes);
        self.copied = self.at;
    }

    fn string(&mut self) {
        self.skip(1);
        loop {
            // Fast path: nearly all of a transcript is plain text.
            let rest = self.json.get(self.at..).unwrap_or_default();
            let Some(plain) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) else {
                return self.skip(rest.len());
            };
            self.skip(plain);
            if self.peek(0) == Some(b'"') {
                return self.skip(1);
            }
            match (self.peek(1), self.escaped_unit(0)) {
                (Some(b'u'), Some(unit)) => self.unicode(unit),
                _ => self.skip(2),
            }
        }
    }

    /// The code unit of a `\uXXXX` escape, `ahead` bytes from here.
    fn escaped_unit(&self, ahead: usize) -> Option<u16> {
        let start = self.at.saturating_add(ahead);
        let escape = self.json.get(start..start.saturating_add(6))?;
        let digits = escape.strip_prefix(b"\\u")?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }

    fn unicode(&mut self, unit: u16) {
        let is_low = |unit: u16| (0xdc00..=0xdfff).contains(&unit);
        match unit {
            0xd800..=0xdbff if self.escaped_unit(6).is_some_and(is_low) => self.skip(12),
            0 | 0xd800..=0xdfff => self.replace(6, REPLACEMENT),
            _ => self.skip(6),
        }
    }

    fn number(&mut self) {
        let rest = self.json.get(self.at..).unwrap_or_default();
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let length = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        let text = rest.get(..length).unwrap_or_default();
        if length > NUMBER_MAX || !has_double_exponent(text) {
            return self.replace(length, b"null");
        }
        self.skip(length);
    }
}

fn has_double_exponent(number: &[u8]) -> bool {
    let Some(place) = number.iter().position(|byte| matches!(byte, b'e' | b'E')) else { return true };
    let digits = number.get(place.saturating_add(1)..).unwrap_or_default();
    let text = std::str::from_utf8(digits).unwrap_or_default();
    text.parse::<i64>().is_ok_and(|exponent| exponent.abs() <= EXPONENT_MAX)
}

#[cfg(test)]
mod tests;
