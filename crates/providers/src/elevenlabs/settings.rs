//! Where the provider is and what opens it, checked before the first request.

use std::fmt;

use awc::http::header::HeaderValue;
use url::Url;

/// The account's key. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// Takes the key as it was configured.
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

/// What a client needs to know. Cheap to share; each arbiter builds its own client from it.
#[derive(Clone, Debug)]
pub struct Settings {
    base: Url,
    key: ApiKey,
}

/// Why the settings cannot be used. Names the variable, never its secret value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// `ELEVENLABS_API_BASE` is something else than an address.
    #[error(
        "ELEVENLABS_API_BASE must be an http or https address without user, query or fragment, like https://api.elevenlabs.io"
    )]
    Base,
    /// `ELEVENLABS_API_KEY` cannot stand in a header.
    #[error(
        "ELEVENLABS_API_KEY is empty or holds characters that a key never has (spaces, line ends, letters beyond ASCII)"
    )]
    Key,
}

impl Settings {
    /// Checks both; the base may end in `/v1`, as it did in the service before this one.
    ///
    /// # Errors
    /// Which of the two is wrong.
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
        Ok(Self { base, key })
    }

    pub(super) fn key(&self) -> &ApiKey {
        &self.key
    }

    /// The header's value, marked so that no library prints it.
    pub(super) fn key_header(&self) -> HeaderValue {
        let mut value =
            HeaderValue::from_str(self.key.reveal()).unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }

    /// The address of an endpoint; every segment is escaped, so an id cannot reach another path.
    pub(super) fn endpoint(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed test is a failed test.

    use super::{ApiKey, Settings, SettingsError};

    fn settings(base: &str, key: &str) -> Result<Settings, SettingsError> {
        Settings::new(base.parse().unwrap(), ApiKey::new(key))
    }

    #[test]
    fn the_base_is_taken_with_and_without_version() {
        for (base, expected) in [
            ("https://api.elevenlabs.io", "https://api.elevenlabs.io/v1/voices/add"),
            ("https://api.elevenlabs.io/", "https://api.elevenlabs.io/v1/voices/add"),
            ("https://api.elevenlabs.io/v1", "https://api.elevenlabs.io/v1/voices/add"),
            ("https://api.elevenlabs.io/v1/", "https://api.elevenlabs.io/v1/voices/add"),
            ("http://127.0.0.1:8080/proxy/v1", "http://127.0.0.1:8080/proxy/v1/voices/add"),
        ] {
            assert_eq!(settings(base, "k").unwrap().endpoint(&["v1", "voices", "add"]).as_str(), expected);
        }
    }

    #[test]
    fn an_id_stays_one_segment() {
        let url =
            settings("https://api.elevenlabs.io", "k").unwrap().endpoint(&["v1", "voices", "../../a?b#c d"]);
        assert_eq!(url.path(), "/v1/voices/..%2F..%2Fa%3Fb%23c%20d");
        assert_eq!(url.query(), None);
    }

    #[test]
    fn a_bad_base_or_key_is_refused_and_a_good_key_never_shown() {
        for base in
            ["ftp://a", "https://user:pass@host", "https://host/?a=b", "mailto:a@b", "https://host/#x"]
        {
            assert_eq!(settings(base, "k").unwrap_err(), SettingsError::Base, "{base}");
        }
        for key in ["", "a b", "a\nb", "schl\u{fc}ssel"] {
            assert_eq!(settings("https://host", key).unwrap_err(), SettingsError::Key, "{key:?}");
        }
        let good = settings("https://host", "sk_verysecret").unwrap();
        assert!(!format!("{good:?} {:?}", good.key_header()).contains("verysecret"));
    }
}
