//! Root certificates of a TLS client: the host's, and those of one file. A PBX on premises often has a private
//! certificate authority.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// A bundle of all public authorities has about 250 kB.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why a certificate file cannot be used. Names the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsRootsError {
    /// The file is missing or not readable.
    #[error("{path}: {reason}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        reason: String,
    },
    /// The file has no PEM certificate.
    #[error("{path}: no PEM certificate in the file (`-----BEGIN CERTIFICATE-----`)", path = .0.display())]
    Empty(PathBuf),
    /// A certificate cannot be parsed.
    #[error("{path}: certificate {number} cannot be read: {reason}", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        number: usize,
        /// The parser's error.
        reason: String,
    },
    /// TLS itself cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Unusable(String),
}

/// TLS client configuration: HTTP/1.1 only, host names are verified. Cheap to clone.
#[derive(Clone)]
pub struct TlsRoots(Arc<ClientConfig>);

impl fmt::Debug for TlsRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsRoots")
    }
}

impl TlsRoots {
    /// The host's root certificates, and those of the file `extra_ca`.
    ///
    /// # Errors
    /// [`TlsRootsError`].
    pub fn load(extra_ca: Option<&Path>) -> Result<Self, TlsRootsError> {
        let mut roots = RootCertStore::empty();
        // A host certificate that cannot be parsed is left out.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = extra_ca {
            add(&mut roots, path)?;
        }
        // The crypto provider is named: with two compiled in and none chosen, rustls panics.
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsRootsError::Unusable(error.to_string()))?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    /// The rustls configuration.
    #[must_use]
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }
}

/// Checks a certificate file before start-up and returns the number of its certificates.
///
/// # Errors
/// [`TlsRootsError`].
pub fn count_certificates(path: &Path) -> Result<usize, TlsRootsError> {
    add(&mut RootCertStore::empty(), path)
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<usize, TlsRootsError> {
    let unreadable = |reason: String| TlsRootsError::Unreadable { path: path.to_owned(), reason };
    // A device has no end, and opening a pipe blocks.
    let about = std::fs::metadata(path).map_err(|error| unreadable(error.kind().to_string()))?;
    if !about.is_file() || about.len() > FILE_BYTES_MAX {
        return Err(unreadable("not a regular file of at most 4 MiB".to_owned()));
    }
    let pem = std::fs::read(path).map_err(|error| unreadable(error.kind().to_string()))?;
    let mut count = 0_usize;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        count = count.saturating_add(1);
        let damaged =
            |reason: String| TlsRootsError::Damaged { path: path.to_owned(), number: count, reason };
        let certificate = certificate.map_err(|error| damaged(error.to_string()))?;
        roots.add(certificate).map_err(|error| damaged(error.to_string()))?;
    }
    if count == 0 { Err(TlsRootsError::Empty(path.to_owned())) } else { Ok(count) }
}

#[cfg(test)]
mod tests;
