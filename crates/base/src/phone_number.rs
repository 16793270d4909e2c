//! Telephone numbers, parsed from the text of a PBX. Display and Debug mask a number; only [`E164::as_e164`] gives the
//! full text.
//!
//! Pure: no clock, no I/O, no actor.

use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

use crate::invisible::is_invisible;
use rlibphonenumber::{NumberLengthType, PHONE_NUMBER_UTIL, PhoneNumber, Region as LibraryRegion};

mod kind;
mod region;
#[cfg(test)]
mod tests;

pub use kind::NumberKind;
pub use region::{NotARegion, Region};

/// Longest text that is parsed, in bytes: about twice a SIP header with display name.
const RAW_MAX: usize = 128;
/// Most digits that E.164 allows, including the country code.
const E164_DIGITS_MAX: usize = 15;
/// Most digits of an internal extension.
const EXTENSION_DIGITS_MAX: usize = 6;

/// Texts for a withheld number (3CX facts, section 5, row 15, and texts of carriers).
const WITHHELD: &[&str] = &[
    "anonymous",
    "restricted",
    "unavailable",
    "unknown",
    "private",
    "withheld",
    "blocked",
    "no caller id",
    "not available",
];

/// The caller's number as sent by the PBX.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum CallerNumber {
    /// A public number.
    Public(E164),
    /// An internal extension.
    Internal(Extension),
    /// The caller withheld the number, or the PBX sent none.
    Withheld,
    /// Text that is not a number.
    Unreadable,
}

impl CallerNumber {
    /// Parses the text of a PBX: `+49 30 ...`, `0049...`, national form of `region`, `"Name" <sip:+49...@host>`, an
    /// extension of up to six digits, or a word for a withheld number. Any other text is `Unreadable`.
    #[must_use]
    pub fn parse(raw: &str, region: Region) -> Self {
        if raw.len() > RAW_MAX {
            return Self::Unreadable;
        }
        let text = clean(raw);
        if is_withheld(&text) {
            return Self::Withheld;
        }
        let address = address_part(&text);
        if is_withheld(address) {
            return Self::Withheld;
        }
        if let Some(digits) = Digits::read(address) {
            return Self::from_digits(&digits, region);
        }
        embedded_number(&text).map_or(Self::Unreadable, Self::Public)
    }

    /// Parses the text of a person: as [`Self::parse`], and without a region digits without `+` count as a number with
    /// its country code, because nothing else can be meant.
    #[must_use]
    pub fn parse_written(text: &str, region: Region) -> Self {
        match Self::parse(text, region) {
            Self::Unreadable if region == Region::UNKNOWN => {
                Self::parse(&format!("+{}", text.trim()), region)
            }
            found => found,
        }
    }

    /// The first characters of a number in the form in which numbers are stored: `+49` for `+49`, `0049` and `(+49)`,
    /// `+4930` for `030` in Germany, and `10` for the extensions 100 to 109. None if the text is no part of a number.
    #[must_use]
    pub fn prefix(raw: &str, region: Region) -> Option<String> {
        if raw.len() > RAW_MAX {
            return None;
        }
        let text = clean(raw);
        let address = address_part(&text).trim();
        if address == "+" {
            return Some(address.to_owned());
        }
        let is_international = address.starts_with('+') || address.starts_with("00");
        // Nobody dials the zero in brackets behind a country code.
        let address = if is_international { address.replace("(0)", "") } else { address.to_owned() };
        let digits = Digits::read(&address)?;
        if digits.plus {
            return Some(format!("+{}", digits.text));
        }
        if let Some(international) = digits.text.strip_prefix("00") {
            return Some(format!("+{international}"));
        }
        let national = digits.text.strip_prefix('0').and_then(|rest| Some((region.trunk_zero()?, rest)));
        Some(national.map_or_else(|| digits.text.clone(), |(code, rest)| format!("+{code}{rest}")))
    }

    /// The public number, if it is one.
    #[must_use]
    pub fn e164(&self) -> Option<&E164> {
        match self {
            Self::Public(number) => Some(number),
            Self::Internal(_) | Self::Withheld | Self::Unreadable => None,
        }
    }

    fn from_digits(digits: &Digits, region: Region) -> Self {
        if digits.plus {
            return E164::from_international(&digits.text).map_or(Self::Unreadable, Self::Public);
        }
        if digits.text.len() <= EXTENSION_DIGITS_MAX {
            return Self::Internal(Extension(Arc::from(digits.text.as_str())));
        }
        if let Some(international) = digits.text.strip_prefix("00") {
            return E164::from_international(international).map_or(Self::Unreadable, Self::Public);
        }
        E164::from_national(&digits.text, region).map_or(Self::Unreadable, Self::Public)
    }
}

impl fmt::Display for CallerNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public(number) => number.fmt(f),
            Self::Internal(extension) => extension.fmt(f),
            Self::Withheld => f.write_str("withheld"),
            Self::Unreadable => f.write_str("unreadable"),
        }
    }
}

/// A public number: `+`, country code, national number; at most 15 digits, of a possible length, not necessarily
/// assigned (see [`E164::kind`]).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct E164(Arc<str>);

impl E164 {
    /// The full number, for requests to providers and for tables; never for logs.
    #[must_use]
    pub fn as_e164(&self) -> &str {
        &self.0
    }

    /// Country of the number; none for a range without a country.
    #[must_use]
    pub fn region(&self) -> Option<Region> {
        self.parsed()?.get_region_code().map(Region)
    }

    /// Kind of the number, from the library's tables.
    #[must_use]
    pub fn kind(&self) -> NumberKind {
        let Some(number) = self.parsed() else { return NumberKind::Unknown };
        if number.get_region_code() == Some(LibraryRegion::World) {
            return NumberKind::Global;
        }
        NumberKind::from(number.get_type())
    }

    fn parsed(&self) -> Option<PhoneNumber> {
        PHONE_NUMBER_UTIL.parse(&self.0, None).ok()
    }

    fn from_international(digits: &str) -> Option<Self> {
        Self::canonical(&PHONE_NUMBER_UTIL.parse(format!("+{digits}"), None).ok()?)
    }

    /// Digits without `+` or `00`: a national number, or an international one without its sign. If both are valid, the
    /// trunk prefix decides: in a country that uses one, a number without it is international.
    fn from_national(digits: &str, region: Region) -> Option<Self> {
        let national = PHONE_NUMBER_UTIL.parse(digits, Some(region.0)).ok();
        let code = PHONE_NUMBER_UTIL.get_country_code_for_region(region.0)?.to_string();
        let bare = digits
            .starts_with(&code)
            .then(|| PHONE_NUMBER_UTIL.parse(format!("+{digits}"), None).ok())
            .flatten();
        let bare_is_valid = bare.as_ref().is_some_and(PhoneNumber::is_valid);
        let national_is_valid = national.as_ref().is_some_and(PhoneNumber::is_valid);
        // If a leading 0 changes nothing, it is the trunk prefix, and this number was written without it.
        let prefixed = PHONE_NUMBER_UTIL.parse(format!("0{digits}"), Some(region.0)).ok();
        let prefix_missing = !digits.starts_with('0') && prefixed == national;
        if bare_is_valid && (!national_is_valid || prefix_missing) {
            return Self::canonical(bare.as_ref()?);
        }
        Self::canonical(national.as_ref()?)
    }

    fn canonical(number: &PhoneNumber) -> Option<Self> {
        // A local number without area code is not unique.
        let possible = matches!(number.is_possible_with_reason(), Ok(NumberLengthType::IsPossible));
        let text = number.to_string();
        let digits = text.strip_prefix('+')?;
        let well_formed = digits.len() <= E164_DIGITS_MAX && digits.bytes().all(|b| b.is_ascii_digit());
        // Each reading takes one trunk zero away: a number with two would be another one when it is read again.
        let is_stable = || PHONE_NUMBER_UTIL.parse(&text, None).is_ok_and(|again| again.to_string() == text);
        (possible && well_formed && is_stable()).then(|| Self(Arc::from(text)))
    }
}

impl FromStr for E164 {
    type Err = NotE164;

    /// Accepts full numbers only: `+` and digits, separators allowed.
    fn from_str(text: &str) -> Result<Self, NotE164> {
        let digits = Digits::read(&clean(text)).filter(|digits| digits.plus).ok_or(NotE164)?;
        Self::from_international(&digits.text).ok_or(NotE164)
    }
}

/// The text is not in E.164. Does not quote it: it may be a misspelt number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a telephone number in E.164 (like +493012345678)")]
pub struct NotE164;

/// Shortest national number of which the last three digits are printed.
const SHOWN_FROM: usize = 7;

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Country code and three digits: enough to tell two calls apart, not enough to dial.
        let code = self.parsed().map_or(1, |number| number.country_code.to_string().len());
        let head = self.0.get(..=code).unwrap_or("+");
        // Of a short number nothing is printed: three of four digits would be nearly all.
        let shown = if self.0.len().saturating_sub(head.len()) >= SHOWN_FROM { 3 } else { 0 };
        let tail = self.0.get(self.0.len().saturating_sub(shown)..).unwrap_or_default();
        write!(f, "{head}*****{tail}")
    }
}

impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An internal extension: one to six digits. Not personal, so it prints in full.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Extension(Arc<str>);

impl Extension {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ext {}", self.0)
    }
}

impl fmt::Debug for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Digits without separators, and whether a `+` preceded them.
struct Digits {
    plus: bool,
    text: String,
}

impl Digits {
    /// None unless the text is exactly one number. Letters and non-ASCII digits are refused: the library would
    /// translate `FLOWERS` into digits.
    fn read(text: &str) -> Option<Self> {
        let mut read = Self { plus: false, text: String::with_capacity(text.len()) };
        for c in text.chars() {
            match c {
                '0'..='9' => read.text.push(c),
                '+' if !read.plus && read.text.is_empty() => read.plus = true,
                ' ' | '(' | ')' | '-' | '.' | '/' => {}
                _ => return None,
            }
        }
        (!read.text.is_empty()).then_some(read)
    }
}

/// Replaces digits, signs, spaces and dashes of other scripts by ASCII, removes what nobody sees.
fn clean(raw: &str) -> String {
    let ascii = raw.trim().chars().filter_map(|c| match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => Some('-'),
        '\u{ff0b}' | '\u{fe62}' => Some('+'),
        '\u{ff08}' => Some('('),
        '\u{ff09}' => Some(')'),
        '\u{ff0e}' | '\u{2024}' | '\u{b7}' => Some('.'),
        '\u{ff0f}' | '\u{2044}' => Some('/'),
        c if is_invisible(c) => None,
        c if c.is_whitespace() => Some(' '),
        c => Some(ascii_digit(c).unwrap_or(c)),
    });
    ascii.collect()
}

/// A full-width, Arabic or Persian digit as ASCII.
fn ascii_digit(c: char) -> Option<char> {
    [0xff10_u32, 0x660, 0x6f0]
        .into_iter()
        .find_map(|zero| char::from_digit(u32::from(c).checked_sub(zero)?, 10))
}

fn is_withheld(text: &str) -> bool {
    let text = text.trim().trim_matches('"');
    text.is_empty() || WITHHELD.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// The address between `<` and `>`, without scheme, host and irrelevant parameters.
fn address_part(text: &str) -> &str {
    let inner =
        text.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(text, |(inner, _)| inner);
    let scheme = ["sips:", "sip:", "tel:"]
        .into_iter()
        .find(|scheme| inner.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme)));
    let user = scheme.and_then(|scheme| inner.get(scheme.len()..)).unwrap_or(inner);
    let user = user.split_once('@').map_or(user, |(user, _host)| user);
    match user.split_once(';') {
        // With an extension or a context the number alone is not the caller.
        Some((number, parameters))
            if !parameters.contains("ext=") && !parameters.contains("phone-context=") =>
        {
            number
        }
        Some(_) | None => user,
    }
}

/// A number next to a name, as in `Anna +49 171 1234567`. Only the international form is accepted, and no other digits
/// may be in the text.
fn embedded_number(text: &str) -> Option<E164> {
    if text.contains(';') || !text.contains(char::is_alphabetic) {
        return None;
    }
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '+' | ' ' | '(' | ')' | '-' | '.' | '/');
    let mut found = None;
    let mut before = None;
    for piece in text.split_inclusive(|c| !is_part(c)) {
        let end = piece.chars().next_back().filter(|c| !is_part(*c));
        let run = end.map_or(piece, |c| piece.strip_suffix(c).unwrap_or(piece));
        let glued = glued_left(before, run) || glued_right(end, run);
        before = end;
        let Some(digits) = Digits::read(run) else { continue };
        let international =
            if digits.plus { Some(digits.text.as_str()) } else { digits.text.strip_prefix("00") };
        let number = international.and_then(E164::from_international)?;
        if glued || found.is_some() {
            return None;
        }
        found = Some(number);
    }
    found
}

fn glued_left(before: Option<char>, run: &str) -> bool {
    before.is_some_and(char::is_alphanumeric) && !run.starts_with(' ')
}

fn glued_right(after: Option<char>, run: &str) -> bool {
    after.is_some_and(char::is_alphanumeric) && !run.ends_with(' ')
}
