//! The access token that a process which stops by plan leaves to its successor, sealed.
//!
//! A new token may end all open audio streams (3CX facts, section 1.1), so a successor that used one would cut every
//! caller's audio. The key comes from the secret of the API client, which both have: the database alone
//! does not give the token away.

use std::time::Duration;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use super::settings::Settings;
use super::token::GrantedToken;

/// A token with less time left is renewed instead.
const WORTH: Duration = Duration::from_secs(60);

#[derive(Serialize, Deserialize)]
struct Sealed {
    bearer: String,
    /// What is left of its lifetime.
    life_ms: u64,
}

/// Seals a token for a process with the same address, client and secret. `None` when it is not worth it.
#[must_use]
pub fn seal(settings: &Settings, token: &GrantedToken) -> Option<Vec<u8>> {
    if token.life < WORTH {
        return None;
    }
    let life_ms = u64::try_from(token.life.as_millis()).ok()?;
    let mut text = serde_json::to_vec(&Sealed { bearer: token.bearer.clone(), life_ms }).ok()?;
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).ok()?;
    let place = settings.place();
    key(settings)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place.as_bytes()), &mut text)
        .ok()?;
    Some([nonce.as_slice(), &text].concat())
}

/// Opens what [`seal`] made. `None` for anything else, and for the token of another PBX, client or secret.
#[must_use]
pub fn open(settings: &Settings, sealed: &[u8]) -> Option<GrantedToken> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let (mut rest, place) = (rest.to_vec(), settings.place());
    let text = key(settings)?
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(place.as_bytes()), &mut rest)
        .ok()?;
    let Sealed { bearer, life_ms } = serde_json::from_slice(text).ok()?;
    Some(GrantedToken { bearer, life: Duration::from_millis(life_ms) })
}

fn key(settings: &Settings) -> Option<LessSafeKey> {
    let secret = settings.secret();
    let derived =
        Salt::new(HKDF_SHA256, b"precall: access token for a successor").extract(secret.reveal().as_bytes());
    let material = derived.expand(&[b"chacha20-poly1305"], &CHACHA20_POLY1305).ok()?;
    Some(LessSafeKey::new(UnboundKey::from(material)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;
    use crate::threecx::settings::ClientSecret;

    fn settings(base: &str, client: &str, secret: &str) -> Settings {
        Settings::new(base.parse().unwrap(), client, ClientSecret::new(secret), Duration::from_secs(1))
            .unwrap()
    }

    #[test]
    fn only_the_same_client_with_the_same_secret_opens_a_token() {
        let ours = settings("https://pbx/", "900", "secret");
        let token = GrantedToken { bearer: "a.b.c".to_owned(), life: Duration::from_secs(3_000) };
        let sealed = seal(&ours, &token).unwrap();
        assert_eq!(open(&settings("https://pbx/", "900", "secret"), &sealed), Some(token.clone()));
        assert_ne!(seal(&ours, &token).unwrap(), sealed, "never the same nonce");
        assert!(!sealed.windows(5).any(|part| part == b"a.b.c"));
        for (base, client, secret) in [
            ("https://pbx/", "900", "another"),
            ("https://pbx/", "901", "secret"),
            ("https://pbx2/", "900", "secret"),
        ] {
            assert_eq!(open(&settings(base, client, secret), &sealed), None, "{base} {client} {secret}");
        }
        for length in 0..sealed.len() {
            assert_eq!(open(&ours, sealed.get(..length).unwrap()), None, "{length} bytes");
        }
        let mut changed = sealed;
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(open(&ours, &changed), None);
        assert_eq!(seal(&ours, &GrantedToken { life: Duration::from_secs(59), ..token }), None);
    }
}
