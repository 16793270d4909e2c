//! Proof that a webhook is from who it claims to be: HMAC-SHA256 over the time and the raw bytes of the body.
//!
//! Both senders write `t=<unix seconds>,v0=<hex>` and sign `"<t>." + body`. Reading is strict: what no sender
//! writes is malformed, and a header is never read in two ways.
//! - `t` stands exactly once, as 1 to 12 digits; the signature covers it as it was written.
//! - A tag is 64 lower-case hex digits. Several may stand (a secret being exchanged); one that matches is enough.
//! - Tags are `v0`, for 3CX also `v1`. Other keys are ignored, in any order; white space is not trimmed, so
//!   `, v0=` is an unknown key.
//! - At most 1,024 bytes and 8 tags.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit, Mac};
use precall_call::At;
use sha2::Sha256;

/// Who signs: the header's name, the tags and the window follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The 3CX call flow: `X-3CX-Signature`, 300 s past, 60 s future.
    ThreeCx,
    /// ElevenLabs: `ElevenLabs-Signature`, 30 min past (its retries come late), 60 s future.
    ElevenLabs,
}

impl Kind {
    /// The header that carries the signature.
    #[must_use]
    pub fn header_name(self) -> &'static str {
        match self {
            Self::ThreeCx => "X-3CX-Signature",
            Self::ElevenLabs => "ElevenLabs-Signature",
        }
    }

    /// How old a signature may be, in seconds.
    #[must_use]
    pub fn past_seconds(self) -> i64 {
        match self {
            Self::ThreeCx => 300,
            Self::ElevenLabs => 30 * 60,
        }
    }

    /// How far ahead the sender's clock may be, in seconds.
    #[must_use]
    pub fn future_seconds(self) -> i64 {
        60
    }

    fn is_tag(self, key: &str) -> bool {
        match self {
            Self::ThreeCx => matches!(key, "v0" | "v1"),
            Self::ElevenLabs => key == "v0",
        }
    }
}

/// Why a body is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No header.
    #[error("the signature is missing")]
    Missing,
    /// A header that no sender writes.
    #[error("the signature's header is malformed")]
    Malformed,
    /// Older than the window: perhaps a replay.
    #[error("the signature is too old")]
    TooOld,
    /// From the future: a clock is wrong.
    #[error("the signature is from the future")]
    TooNew,
    /// Other secret or other body.
    #[error("the signature does not match")]
    Wrong,
}

const TAG_BYTES: usize = 32;

/// A header that can be used, before its tags are checked.
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

/// Checks a body that arrives in pieces, without keeping it.
pub struct Verifier {
    mac: Hmac<Sha256>,
    tags: Vec<[u8; TAG_BYTES]>,
}

impl Verifier {
    /// Checks the header and its time, which needs nothing of the body.
    ///
    /// # Errors
    /// All of [`SignatureError`] but `Wrong`, unless the secret is empty.
    pub fn begin(kind: Kind, secret: &[u8], header: Option<&[u8]>, now: At) -> Result<Self, SignatureError> {
        let claim =
            Claim::parse(kind, header.ok_or(SignatureError::Missing)?).ok_or(SignatureError::Malformed)?;
        let signed_at = claim.seconds().ok_or(SignatureError::Malformed)?;
        let age = unix_seconds(now).saturating_sub(signed_at);
        if age > kind.past_seconds() {
            return Err(SignatureError::TooOld);
        }
        if age < kind.future_seconds().saturating_neg() {
            return Err(SignatureError::TooNew);
        }
        let mut mac = keyed(secret).ok_or(SignatureError::Wrong)?;
        mac.update(claim.time.as_bytes());
        mac.update(b".");
        Ok(Self { mac, tags: claim.tags })
    }

    /// Takes the next piece of the body, as it came over the wire.
    pub fn update(&mut self, piece: &[u8]) {
        self.mac.update(piece);
    }

    /// Whether the whole body was signed with the secret.
    ///
    /// # Errors
    /// [`SignatureError::Wrong`].
    pub fn finish(self) -> Result<(), SignatureError> {
        let Self { mac, tags } = self;
        // Every tag is compared, so that the time taken tells nothing about which.
        let matching = tags.iter().filter(|tag| mac.clone().verify_slice(tag.as_slice()).is_ok()).count();
        if matching == 0 { Err(SignatureError::Wrong) } else { Ok(()) }
    }
}

/// A body whose sender is known. Only this module makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed<B>(B);

impl<B: AsRef<[u8]>> Signed<B> {
    /// Believes the body if its signature is good.
    ///
    /// # Errors
    /// Why it is not.
    pub fn verify(
        kind: Kind,
        secret: &[u8],
        header: Option<&[u8]>,
        body: B,
        now: At,
    ) -> Result<Self, SignatureError> {
        let mut verifier = Verifier::begin(kind, secret, header, now)?;
        verifier.update(body.as_ref());
        verifier.finish()?;
        Ok(Self(body))
    }

    /// Believes the body as it is. For development without a secret, where only this machine can post.
    #[must_use]
    pub fn open_in_development(body: B) -> Self {
        Self(body)
    }

    /// The bytes that were signed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// The body.
    #[must_use]
    pub fn into_body(self) -> B {
        self.0
    }
}

/// The header that a sender would write: name and value.
///
/// An empty secret signs nothing: the value then has a tag that [`Signed::verify`] refuses.
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

/// An empty secret would let everybody sign.
fn keyed(secret: &[u8]) -> Option<Hmac<Sha256>> {
    if secret.is_empty() { None } else { Hmac::new_from_slice(secret).ok() }
}

fn unix_seconds(at: At) -> i64 {
    at.0.div_euclid(1_000_000)
}

#[cfg(test)]
mod tests;
