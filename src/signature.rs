//! Signatures of webhooks: HMAC-SHA256 over the time and the raw bytes of the body.
//!
//! Both senders write `t=<unix seconds>,v0=<hex>` and sign `"<t>." + body`. The parser is strict: it accepts only what
//! a sender writes, and each header has one meaning.
//! - `t` occurs exactly once, with 1 to 12 digits. The signature covers its text.
//! - A tag is 64 lower-case hex digits. There may be several (while a secret is exchanged); one match is enough.
//! - Tags are `v0`, for 3CX also `v1`. Other keys are ignored, in any order. White space is not trimmed, so `, v0=` is
//!   an unknown key.
//! - At most 1,024 bytes and 8 tags.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use precall_call::At;
use sha2::Sha256;

/// The sender. It determines header name, tags and time window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The 3CX call flow: `X-3CX-Signature`, 300 s past, 60 s future.
    ThreeCx,
    /// ElevenLabs: `ElevenLabs-Signature`, 30 min past (retries come late), 60 s future.
    ElevenLabs,
    /// precall itself, when it posts alerts: `X-Precall-Signature`, 300 s past, 60 s future.
    Alert,
}

impl Kind {
    /// The header that carries the signature.
    #[must_use]
    pub fn header_name(self) -> &'static str {
        match self {
            Self::ThreeCx => "X-3CX-Signature",
            Self::ElevenLabs => "ElevenLabs-Signature",
            Self::Alert => "X-Precall-Signature",
        }
    }

    /// Highest age of a signature, in seconds.
    #[must_use]
    pub fn past_seconds(self) -> i64 {
        match self {
            Self::ThreeCx | Self::Alert => 300,
            Self::ElevenLabs => 30 * 60,
        }
    }

    /// Seconds that the sender's clock may be ahead.
    #[must_use]
    pub fn future_seconds(self) -> i64 {
        60
    }

    fn is_tag(self, key: &str) -> bool {
        match self {
            Self::ThreeCx => matches!(key, "v0" | "v1"),
            Self::ElevenLabs | Self::Alert => key == "v0",
        }
    }
}

/// Why a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No header.
    #[error("the signature is missing")]
    Missing,
    /// The header has a wrong format.
    #[error("the signature's header is malformed")]
    Malformed,
    /// Older than the window, by the clock of this host: a clock is wrong, or it is a late or repeated delivery.
    #[error(
        "the signature's time is {seconds} s behind this host's clock: check NTP on both hosts, or do not send an old \
         request again"
    )]
    TooOld {
        /// How far the signature's time is behind.
        seconds: i64,
    },
    /// Too far in the future, by the clock of this host: a clock is wrong.
    #[error("the signature's time is {seconds} s ahead of this host's clock: check NTP on both hosts")]
    TooNew {
        /// How far the signature's time is ahead.
        seconds: i64,
    },
    /// The secret or the body differs.
    #[error("the signature does not match")]
    Wrong,
}

const TAG_BYTES: usize = 32;

/// A parsed header. Its tags are not checked yet.
struct Claim<'a> {
    time: &'a str,
    tags: Vec<[u8; TAG_BYTES]>,
}

impl<'a> Claim<'a> {
    fn parse(kind: Kind, header: &'a [u8]) -> Option<Self> {
        const MAX_HEADER_BYTES: usize = 1_024;
        const MAX_TAGS: usize = 8;
        if header.len() > MAX_HEADER_BYTES {
            return None;
        }
        let (mut time, mut tags) = (None, Vec::new());
        for part in std::str::from_utf8(header).ok()?.split(',') {
            let (key, value) = part.split_once('=')?;
            if key == "t" {
                if time.replace(value).is_some() {
                    return None;
                }
            } else if kind.is_tag(key) {
                tags.push(tag(value)?);
            }
        }
        let is_usable = !tags.is_empty() && tags.len() <= MAX_TAGS;
        if is_usable { Some(Self { time: time?, tags }) } else { None }
    }

    fn seconds(&self) -> Option<i64> {
        const MAX_DIGITS: usize = 12;
        let is_number = self.time.len() <= MAX_DIGITS && self.time.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { self.time.parse().ok() } else { None }
    }
}

fn tag(hex_digits: &str) -> Option<[u8; TAG_BYTES]> {
    if hex_digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let mut tag = [0; TAG_BYTES];
    hex::decode_to_slice(hex_digits, &mut tag).ok()?;
    Some(tag)
}

/// Checks the signature of a body piece by piece.
pub struct Verifier {
    /// One for each secret.
    macs: Vec<Hmac<Sha256>>,
    tags: Vec<[u8; TAG_BYTES]>,
}

impl Verifier {
    /// Checks the header and its time, before the body. `now` is the time of the host's clock: the sender took the
    /// signature's time from a clock of the same kind. While a secret is exchanged there are two of them; either
    /// proves the body.
    ///
    /// # Errors
    /// All of [`SignatureError`] but `Wrong`, unless a secret is empty.
    pub fn begin(
        kind: Kind,
        secrets: &[&[u8]],
        header: Option<&[u8]>,
        now: At,
    ) -> Result<Self, SignatureError> {
        let claim =
            Claim::parse(kind, header.ok_or(SignatureError::Missing)?).ok_or(SignatureError::Malformed)?;
        let signed_at = claim.seconds().ok_or(SignatureError::Malformed)?;
        let age = unix_seconds(now).saturating_sub(signed_at);
        if age > kind.past_seconds() {
            return Err(SignatureError::TooOld { seconds: age });
        }
        if age < kind.future_seconds().saturating_neg() {
            return Err(SignatureError::TooNew { seconds: age.saturating_neg() });
        }
        let begun = |secret: &&[u8]| {
            let mut mac = keyed(secret)?;
            mac.update(claim.time.as_bytes());
            mac.update(b".");
            Some(mac)
        };
        let macs = secrets.iter().map(begun).collect::<Option<_>>().ok_or(SignatureError::Wrong)?;
        Ok(Self { macs, tags: claim.tags })
    }

    /// Adds the next raw bytes of the body.
    pub fn update(&mut self, piece: &[u8]) {
        self.macs.iter_mut().for_each(|mac| mac.update(piece));
    }

    /// Checks the signature of the whole body. Returns the place of the secret that proved it.
    ///
    /// # Errors
    /// [`SignatureError::Wrong`].
    pub fn finish(self) -> Result<usize, SignatureError> {
        let Self { macs, tags } = self;
        let matching = |mac: &Hmac<Sha256>| {
            // Every tag is compared, so that the timing does not show which one matched.
            tags.iter().filter(|tag| mac.clone().verify_slice(tag.as_slice()).is_ok()).count()
        };
        let counts: Vec<usize> = macs.iter().map(matching).collect();
        counts.iter().position(|count| *count > 0).ok_or(SignatureError::Wrong)
    }
}

/// Name and value of the signature header for a body.
///
/// With an empty secret the tag is empty, and [`Verifier`] refuses it.
#[must_use]
pub fn sign(kind: Kind, secret: &[u8], body: &[u8], now: At) -> (&'static str, String) {
    let time = unix_seconds(now).max(0);
    let mut value = format!("t={time},v0=");
    if let Some(mut mac) = keyed(secret) {
        mac.update(format!("{time}.").as_bytes());
        mac.update(body);
        for byte in mac.finalize().into_bytes() {
            let _infallible = write!(value, "{byte:02x}");
        }
    }
    (kind.header_name(), value)
}

/// `None` for an empty secret, with which every sender could sign.
fn keyed(secret: &[u8]) -> Option<Hmac<Sha256>> {
    if secret.is_empty() { None } else { Hmac::new_from_slice(secret).ok() }
}

fn unix_seconds(at: At) -> i64 {
    at.0.div_euclid(1_000_000)
}

#[cfg(test)]
mod tests;
