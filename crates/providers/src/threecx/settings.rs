//! Where the PBX is and what opens it, checked before the first request.

use std::fmt;
use std::time::Duration;

use awc::Client;
use url::Url;

use super::address::Dn;
use crate::http_exchange::{http_client, http_client_with};
use crate::tls_roots::TlsRoots;

/// The API key of the client. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSecret(String);

impl ClientSecret {
    /// Takes the key as it was configured.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(***)")
    }
}

/// What a client needs to know. Cheap to share; each arbiter builds its own client from it.
#[derive(Clone, Debug)]
pub struct Settings {
    base: Url,
    client: Dn,
    secret: ClientSecret,
    within: Duration,
    tls_roots: Option<TlsRoots>,
}

/// Why the settings cannot be used. Names the variable, never its secret value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// `THREECX_BASE_URL` is something else than an address.
    #[error(
        "THREECX_BASE_URL must be the web client's http or https address without user, query or fragment, like https://pbx.example.com:5001"
    )]
    Base,
    /// `THREECX_CLIENT_ID` is no DN.
    #[error(
        "THREECX_CLIENT_ID must be the DN of the API client's route point: printable, without spaces or slashes"
    )]
    ClientId,
    /// `THREECX_CLIENT_SECRET` is no key.
    #[error("THREECX_CLIENT_SECRET is empty or holds line ends")]
    ClientSecret,
}

impl Settings {
    /// Checks all three. `within` is the deadline of a request that does not wait for a telephone, from the wait for a token to
    /// the last byte of the answer.
    ///
    /// # Errors
    /// Which of them is wrong.
    pub fn new(
        base: Url,
        client_id: &str,
        secret: ClientSecret,
        within: Duration,
    ) -> Result<Self, SettingsError> {
        let plain = matches!(base.scheme(), "http" | "https")
            && base.has_host()
            && base.username().is_empty()
            && base.password().is_none()
            && base.query().is_none()
            && base.fragment().is_none();
        if !plain {
            return Err(SettingsError::Base);
        }
        let client_id = client_id.trim();
        let is_dn = client_id.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '/');
        if client_id.is_empty() || !is_dn {
            return Err(SettingsError::ClientId);
        }
        if secret.reveal().trim().is_empty() || secret.reveal().contains(char::is_control) {
            return Err(SettingsError::ClientSecret);
        }
        Ok(Self { base, client: Dn::new(client_id), secret, within, tls_roots: None })
    }

    /// Whom to take for the PBX, under TLS, in place of Mozilla's authorities.
    #[must_use]
    pub fn with_tls_roots(mut self, roots: TlsRoots) -> Self {
        self.tls_roots = Some(roots);
        self
    }

    /// The DN of the client: the legs on it are ours.
    #[must_use]
    pub fn own_dn(&self) -> &Dn {
        &self.client
    }

    /// Where the PBX is.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.base
    }

    pub(super) fn secret(&self) -> &ClientSecret {
        &self.secret
    }

    /// An HTTP client that believes whom these settings do.
    pub(super) fn http(&self) -> Client {
        self.tls_roots.as_ref().map_or_else(http_client, http_client_with)
    }

    pub(super) fn within(&self) -> Duration {
        self.within
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
mod tests;
