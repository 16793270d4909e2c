//! Address and credentials of the PBX, checked at start-up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use url::Url;

use super::address::Dn;
use crate::http_client::HttpClient;
use crate::http_exchange::{http_client, http_client_with};
use crate::request_watch::{RequestObserver, RequestWatch};
use crate::tls_roots::TlsRoots;

/// API key of the API client. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSecret(String);

impl ClientSecret {
    /// The key as configured.
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

/// Settings of the client. Each arbiter builds its own client from them. All clones share the secret, so that it can be
/// exchanged while the clients are in use.
#[derive(Clone, Debug)]
pub struct Settings {
    base: Url,
    client: Dn,
    secret: Arc<ArcSwap<ClientSecret>>,
    within: Duration,
    tls_roots: Option<TlsRoots>,
    watch: Option<RequestWatch>,
}

/// Why the settings are invalid. Names the variable, never its secret value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// `THREECX_BASE_URL` is not a valid address.
    #[error(
        "THREECX_BASE_URL must be the web client's http or https address without user, \
         query or fragment, like https://pbx.example.com:5001"
    )]
    Base,
    /// `THREECX_CLIENT_ID` is not a DN.
    #[error(
        "THREECX_CLIENT_ID must be the DN of the API client's route point: printable, without spaces or slashes"
    )]
    ClientId,
    /// `THREECX_CLIENT_SECRET` is not a key.
    #[error("THREECX_CLIENT_SECRET is empty or has line breaks")]
    ClientSecret,
}

impl Settings {
    /// Checks all three. `within` is the deadline of a request that does not ring a telephone, from the wait for a
    /// token to the last byte of the response.
    ///
    /// # Errors
    /// [`SettingsError`].
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
        let secret = Arc::new(ArcSwap::from_pointee(secret));
        Ok(Self { base, client: Dn::new(client_id), secret, within, tls_roots: None, watch: None })
    }

    /// Verifies the PBX with these root certificates instead of Mozilla's.
    #[must_use]
    pub fn with_tls_roots(mut self, roots: TlsRoots) -> Self {
        self.tls_roots = Some(roots);
        self
    }

    /// Tells how long each request took.
    #[must_use]
    pub fn observed_by(mut self, observer: RequestObserver) -> Self {
        self.watch = Some(RequestWatch::new(observer));
        self
    }

    /// Address and client, for people and to compare: which PBX this is, and as whom.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{} (client {})", self.base.as_str().trim_end_matches('/'), self.client)
    }

    /// DN of the API client; the legs on it are ours.
    #[must_use]
    pub fn own_dn(&self) -> &Dn {
        &self.client
    }

    /// Takes the secret of other settings, for all clients and from the next token on.
    pub fn use_secret_of(&self, other: &Self) {
        self.secret.store(other.secret.load_full());
    }

    pub(super) fn secret(&self) -> Arc<ClientSecret> {
        self.secret.load_full()
    }

    /// An HTTP client with these settings' root certificates.
    pub(super) fn http(&self) -> HttpClient {
        self.tls_roots.as_ref().map_or_else(http_client, http_client_with).watched(self.watch.clone())
    }

    pub(super) fn within(&self) -> Duration {
        self.within
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
