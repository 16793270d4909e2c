//! Address, headers and protocol of a collector, checked at start-up.

use std::fmt;
use std::time::Duration;

use awc::http::header::{HeaderName, HeaderValue};
use url::Url;

use crate::tls_roots::TlsRoots;

/// How requests are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `http/protobuf`.
    Protobuf,
    /// `http/json`.
    Json,
}

/// Settings of the client of one collector.
#[derive(Clone)]
pub struct CollectorSettings {
    pub(super) url: Url,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) protocol: Protocol,
    pub(super) within: Duration,
    pub(super) resource: Vec<(String, String)>,
    pub(super) tls_roots: Option<TlsRoots>,
}

/// Why the settings are invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CollectorSettingsError {
    /// A header cannot be sent. Names the header, never its value.
    #[error("the header `{0}` of OTEL_EXPORTER_OTLP_HEADERS cannot be sent")]
    Header(String),
}

impl fmt::Debug for CollectorSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CollectorSettings({})", self.url.host_str().unwrap_or("?"))
    }
}

impl CollectorSettings {
    /// `url`: the whole address, with the path. `headers`: sent with every request. `within`: the time limit of one
    /// request. `resource`: attributes of this process.
    ///
    /// # Errors
    /// [`CollectorSettingsError`].
    pub fn new(
        url: Url,
        headers: &[(String, String)],
        protocol: Protocol,
        within: Duration,
        resource: Vec<(String, String)>,
    ) -> Result<Self, CollectorSettingsError> {
        let headers = headers.iter().map(|(name, value)| {
            let wrong = || CollectorSettingsError::Header(name.clone());
            let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
            value.set_sensitive(true);
            Ok((HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?, value))
        });
        let headers = headers.collect::<Result<_, _>>()?;
        Ok(Self { url, headers, protocol, within, resource, tls_roots: None })
    }

    /// TLS with these root certificates instead of Mozilla's.
    #[must_use]
    pub fn with_tls_roots(self, roots: TlsRoots) -> Self {
        Self { tls_roots: Some(roots), ..self }
    }

    /// The host, for logs.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }
}
