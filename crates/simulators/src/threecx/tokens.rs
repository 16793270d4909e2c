//! Access tokens: JSON Web Tokens. As at the real PBX, only the newest may be valid. Pure.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::json;
use sha2::Sha256;
use uuid::Uuid;

use super::options::OldTokens;

/// Most tokens that live at once.
const MOST: usize = 1_000;

#[derive(Debug)]
struct Token {
    text: String,
    client: String,
    dies_at: Instant,
}

/// The valid tokens.
#[derive(Debug)]
pub(super) struct Tokens {
    key: [u8; 16],
    rule: OldTokens,
    good: Vec<Token>,
    issued: u64,
}

impl Tokens {
    pub fn new(rule: OldTokens) -> Self {
        Self { key: *Uuid::new_v4().as_bytes(), rule, good: Vec::new(), issued: 0 }
    }

    /// Issues one.
    pub fn issue(&mut self, client_id: &str, life: Duration, now: Instant, wall: Timestamp) -> String {
        let text = self.jwt(client_id, life, wall);
        match self.rule {
            // Of the same client: each has one.
            OldTokens::Revoked => self.good.retain(|token| token.client != client_id),
            OldTokens::Kept => self.good.retain(|token| token.dies_at > now),
        }
        if self.good.len() >= MOST {
            self.good.remove(0);
        }
        let (client, dies_at) = (client_id.to_owned(), now.checked_add(life).unwrap_or(now));
        self.good.push(Token { text: text.clone(), client, dies_at });
        self.issued = self.issued.saturating_add(1);
        text
    }

    /// The client of this token; none if it opens nothing now.
    pub fn accepts(&self, text: &str, now: Instant) -> Option<&str> {
        let token = self.good.iter().find(|token| token.text == text && token.dies_at > now);
        token.map(|token| token.client.as_str())
    }

    /// Revokes every token.
    pub(crate) fn revoke_all(&mut self) {
        self.good.clear();
    }

    /// How many were ever issued.
    pub fn issued(&self) -> u64 {
        self.issued
    }

    fn jwt(&self, client_id: &str, life: Duration, wall: Timestamp) -> String {
        let issued_at = wall.as_second();
        let life = i64::try_from(life.as_secs()).unwrap_or(i64::MAX);
        let head = json!({"alg": "HS256", "typ": "JWT"});
        let claims = json!({
            "iss": "precall-simulator",
            "aud": "precall-simulator",
            "unique_name": client_id,
            "client_id": client_id,
            "role": ["CallControlApi", "Enterprise"],
            "jti": Uuid::new_v4().simple().to_string(),
            "nbf": issued_at,
            "iat": issued_at,
            "exp": issued_at.saturating_add(life),
        });
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&head), part(&claims));
        // HMAC takes a key of any length, so that this cannot fail.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return signed };
        mac.update(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }
}
