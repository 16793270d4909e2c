//! The signature of a webhook. 3CX and ElevenLabs sign in the same form.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// `t=<unix seconds>,v0=<hex HMAC-SHA256 of "{t}.{body}">`.
pub(crate) fn signature(secret: &str, unix: i64, body: &[u8]) -> String {
    // HMAC takes a key of any length, so that this cannot fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(unix.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("t={unix},v0={}", hex::encode(mac.finalize().into_bytes()))
}
