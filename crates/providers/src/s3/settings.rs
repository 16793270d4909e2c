//! Bucket, address and keys, checked at start-up.

use std::fmt;

use rusty_s3::{Bucket, Credentials, UrlStyle};
use url::Url;

use crate::tls_roots::{TlsRoots, TlsRootsError};

/// Settings of the client of one bucket.
#[derive(Clone)]
pub struct S3Settings {
    pub(super) bucket: Bucket,
    pub(super) credentials: Credentials,
    pub(super) tls_roots: TlsRoots,
    endpoint: Option<Url>,
}

/// Why the settings are invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum S3SettingsError {
    /// They form no valid URL.
    #[error("S3_ENDPOINT, S3_REGION and S3_BUCKET_NAME do not form a valid URL")]
    Address,
    /// TLS cannot be set up.
    #[error(transparent)]
    TlsRoots(#[from] TlsRootsError),
}

impl fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Settings({})", self.bucket.base_url())
    }
}

impl S3Settings {
    /// A bucket at `endpoint`, addressed by path. Without endpoint at Amazon, addressed by host name, or by path if the
    /// bucket's name has dots, which no certificate covers. TLS uses the host's root certificates, for stores on
    /// premises.
    ///
    /// # Errors
    /// [`S3SettingsError`].
    pub fn new(
        endpoint: Option<Url>,
        region: &str,
        bucket: &str,
        key_id: &str,
        secret: &str,
    ) -> Result<Self, S3SettingsError> {
        let (address, style) = match &endpoint {
            Some(endpoint) => (endpoint.clone(), UrlStyle::Path),
            None => {
                let domain = domain_of(region);
                let address = format!("https://s3.{region}.{domain}");
                let style = if bucket.contains('.') { UrlStyle::Path } else { UrlStyle::VirtualHost };
                (Url::parse(&address).map_err(|_| S3SettingsError::Address)?, style)
            }
        };
        let bucket = Bucket::new(address, style, bucket.to_owned(), region.to_owned())
            .map_err(|_| S3SettingsError::Address)?;
        let credentials = Credentials::new(key_id, secret);
        Ok(Self { bucket, credentials, tls_roots: TlsRoots::load(None)?, endpoint })
    }

    /// `S3_BUCKET_NAME`.
    #[must_use]
    pub fn bucket_name(&self) -> &str {
        self.bucket.name()
    }

    /// Base URLs under which objects of this bucket can be addressed, each with a slash at the end.
    #[must_use]
    pub fn addresses(&self) -> Vec<Url> {
        let (bucket, region) = (self.bucket.name(), self.bucket.region());
        if self.endpoint.is_some() {
            return vec![self.bucket.base_url().clone()];
        }
        let domain = domain_of(region);
        let mut texts = Vec::new();
        for host in [format!("s3.{region}.{domain}"), format!("s3.dualstack.{region}.{domain}")] {
            texts.push(format!("https://{bucket}.{host}/"));
            texts.push(format!("https://{host}/{bucket}/"));
        }
        // Legacy URLs without region.
        texts.push(format!("https://{bucket}.s3.{domain}/"));
        texts.push(format!("https://s3.{domain}/{bucket}/"));
        texts.iter().filter_map(|text| Url::parse(text).ok()).collect()
    }
}

/// Amazon's domain; China has its own.
fn domain_of(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}
