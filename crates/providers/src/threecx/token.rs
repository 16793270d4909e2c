//! Requests access tokens: `POST /connect/token`. Only the token keeper does this, one request at a time.

use std::sync::Arc;
use std::time::Duration;

use awc::http::Method;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use precall_base::redact::redact;
use serde::Deserialize;
use serde_json::Value;
use url::form_urlencoded;

use super::settings::Settings;
use crate::http_client::HttpClient;
use crate::http_exchange::{Body, Failure, Progress, Request, exchange, within};
use crate::lenient::Scalar;
use crate::request_watch::Endpoint;

/// A token has about 425 characters.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
const MESSAGE_CHARS_MAX: usize = 200;
/// Below this, `expires_in` is in minutes: it was minutes before 20.0 Update 9 and is seconds since, and no build
/// issued tokens of under five minutes or over five hours (3CX facts, section 1.1).
const MINUTES_BELOW: i64 = 300;
/// Lifetime if the PBX sends none, as in the official example.
const LIFETIME_DEFAULT: Duration = Duration::from_secs(1800);
const LIFETIME_MIN: Duration = Duration::from_secs(1);
const LIFETIME_MAX: Duration = Duration::from_secs(24 * 3600);

/// A token issued by the PBX.
#[derive(Clone, PartialEq, Eq)]
pub struct GrantedToken {
    /// The text after `Bearer`.
    pub bearer: String,
    /// Lifetime, from 1 s to a day.
    pub life: Duration,
}

impl std::fmt::Debug for GrantedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GrantedToken({:?})", self.life)
    }
}

/// Why there is no token. The text is for the administrator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// 400 or 401, or 403.
    #[error(
        "3CX rejects THREECX_CLIENT_ID and THREECX_CLIENT_SECRET (status {status}{said}): \
         check the client, its API key and its allowed addresses under Integrations > API in the admin console"
    )]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The PBX's text, after a colon; may be empty.
        said: String,
    },
    /// 404.
    #[error(
        "no 3CX v20 PBX at THREECX_BASE_URL (status 404): \
         set it to the web client's address, like https://pbx.example.com or https://pbx.example.com:5001"
    )]
    NotV20,
    /// No connection, or no response in time.
    #[error("3CX cannot be reached: {0}")]
    Unreachable(String),
    /// Any other response.
    #[error("3CX issued no token (status {status}): {said}")]
    Unexpected {
        /// The HTTP status.
        status: u16,
        /// The PBX's text, or what is wrong with the response.
        said: String,
    },
}

impl TokenError {
    /// Whether the PBX refused the credentials. It blocks addresses that keep failing, so retries must be slow.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Refused { .. } => true,
            Self::NotV20 | Self::Unreachable(_) | Self::Unexpected { .. } => false,
        }
    }
}

impl From<Failure> for TokenError {
    fn from(failed: Failure) -> Self {
        Self::Unreachable(failed.message)
    }
}

/// Requests tokens. Not `Send`, like its HTTP client.
#[derive(Clone)]
pub struct TokenClient {
    client: HttpClient,
    settings: Arc<Settings>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawToken {
    access_token: Scalar,
    expires_in: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawClaims {
    iat: Scalar,
    exp: Scalar,
}

impl TokenClient {
    /// Call it on the arbiter that will use the client.
    #[must_use]
    pub fn new(settings: Arc<Settings>) -> Self {
        Self { client: settings.http(), settings }
    }

    /// Requests one token, within the deadline of the settings.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn ask(&self) -> Result<GrantedToken, TokenError> {
        self.ask_within(self.settings.within()).await
    }

    /// The same, within another deadline if that is shorter.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn ask_within(&self, limit: Duration) -> Result<GrantedToken, TokenError> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", self.settings.own_dn().as_str())
            .append_pair("client_secret", self.settings.secret().reveal())
            .append_pair("grant_type", "client_credentials")
            .finish();
        let request = Request {
            endpoint: Some(Endpoint::Token),
            method: Method::POST,
            url: self.settings.endpoint(&["connect", "token"]),
            headers: Vec::new(),
            body: Some(Body {
                content_type: "application/x-www-form-urlencoded".to_owned(),
                parts: [Bytes::from(form)].into(),
            }),
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let progress = Progress::new();
        let asked = async { exchange(&self.client, request, &progress).await.map_err(TokenError::from) };
        let answered = within(&self.client, limit.min(self.settings.within()), &progress, asked).await?;
        if answered.is_success() {
            return granted(&answered.body).ok_or_else(|| TokenError::Unexpected {
                status: answered.status,
                said: "the answer contains no access_token".to_owned(),
            });
        }
        Err(self.refused(answered.status, &answered.body))
    }

    fn refused(&self, status: u16, body: &[u8]) -> TokenError {
        let read: Option<Value> = serde_json::from_slice(body).ok();
        let field = |name: &str| read.as_ref()?.get(name)?.as_str().filter(|text| !text.is_empty());
        let said = field("error_description").or_else(|| field("error")).unwrap_or_default();
        let said = redact(said, MESSAGE_CHARS_MAX, &[self.settings.secret().reveal()]);
        match status {
            400 | 401 | 403 => {
                let said = if said.is_empty() { said } else { format!(": {said}") };
                TokenError::Refused { status, said }
            }
            404 => TokenError::NotV20,
            _ => TokenError::Unexpected { status, said },
        }
    }
}

fn granted(body: &[u8]) -> Option<GrantedToken> {
    let raw: RawToken = serde_json::from_slice(body).ok()?;
    let bearer = raw.access_token.into_text()?;
    // It must be valid in a header.
    if !bearer.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let life = jwt_lifetime(&bearer)
        .or_else(|| expires_in_lifetime(raw.expires_in.integer()?))
        .unwrap_or(LIFETIME_DEFAULT);
    Some(GrantedToken { bearer, life: life.clamp(LIFETIME_MIN, LIFETIME_MAX) })
}

/// `exp - iat`: independent of both clocks.
fn jwt_lifetime(token: &str) -> Option<Duration> {
    let claims = token.split('.').nth(1)?.trim_end_matches('=');
    let claims: RawClaims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    let seconds = claims.exp.integer()?.checked_sub(claims.iat.integer()?)?;
    (seconds > 0).then(|| u64::try_from(seconds).ok()).flatten().map(Duration::from_secs)
}

fn expires_in_lifetime(expires_in: i64) -> Option<Duration> {
    let seconds = if expires_in < MINUTES_BELOW { expires_in.checked_mul(60)? } else { expires_in };
    (seconds > 0).then(|| u64::try_from(seconds).ok()).flatten().map(Duration::from_secs)
}

#[cfg(test)]
mod tests;
