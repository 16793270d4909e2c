//! API address and key, checked at start-up.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use awc::http::header::HeaderValue;
use url::Url;

use crate::request_watch::{RequestObserver, RequestWatch};

/// API key of the account. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// The key as configured.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(***)")
    }
}

/// Settings of the client. Each arbiter builds its own client from them. All clones share the key, so that it can be
/// exchanged while the clients are in use.
#[derive(Clone, Debug)]
pub struct Settings {
    base: Url,
    key: Arc<ArcSwap<ApiKey>>,
    watch: Option<RequestWatch>,
}

/// Why the settings are invalid. Names the variable, never its secret value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// `ELEVENLABS_API_BASE` is not a valid address.
    #[error(
        "ELEVENLABS_API_BASE must be an http or https address without user, query or fragment, \
         like https://api.elevenlabs.io"
    )]
    Base,
    /// `ELEVENLABS_API_KEY` is not valid in an HTTP header.
    #[error(
        "ELEVENLABS_API_KEY is empty or has characters that a key never has (spaces, line breaks, non-ASCII letters)"
    )]
    Key,
}

impl Settings {
    /// Checks both. The base may end in `/v1`, as in set-ups of the service before precall.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn new(mut base: Url, key: ApiKey) -> Result<Self, SettingsError> {
        let plain = matches!(base.scheme(), "http" | "https")
            && base.has_host()
            && base.username().is_empty()
            && base.password().is_none()
            && base.query().is_none()
            && base.fragment().is_none();
        if !plain {
            return Err(SettingsError::Base);
        }
        let path = base.path().trim_end_matches('/');
        let path = path.strip_suffix("/v1").unwrap_or(path).to_owned();
        base.set_path(&path);
        if key.reveal().is_empty() || !key.reveal().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SettingsError::Key);
        }
        Ok(Self { base, key: Arc::new(ArcSwap::from_pointee(key)), watch: None })
    }

    /// Tells how long each request took.
    #[must_use]
    pub fn observed_by(mut self, observer: RequestObserver) -> Self {
        self.watch = Some(RequestWatch::new(observer));
        self
    }

    pub(super) fn watch(&self) -> Option<RequestWatch> {
        self.watch.clone()
    }

    /// Takes the key of other settings, for all clients and from the next request on.
    pub fn use_key_of(&self, other: &Self) {
        self.key.store(other.key.load_full());
    }

    pub(super) fn key(&self) -> Arc<ApiKey> {
        self.key.load_full()
    }

    /// The header value, marked as sensitive so that no library prints it.
    pub(super) fn key_header(&self) -> HeaderValue {
        let mut value =
            HeaderValue::from_str(self.key().reveal()).unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }

    /// URL of an endpoint. Each segment is escaped, so an id cannot lead to another path.
    pub(super) fn endpoint(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

#[cfg(test)]
mod tests;
