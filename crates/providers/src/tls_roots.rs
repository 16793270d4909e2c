//! Whom a client takes for the PBX: what the host trusts, and one file beside it, since many a PBX on premises has a
//! certificate of its own authority.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// A bundle of every public authority has some 250 kB.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why an administrator's file of certificates cannot be used. Says which file, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// It is not there, or may not be read.
    #[error("{path}: {reason}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// It holds nothing that begins as a certificate does.
    #[error("{path}: it holds no certificate in PEM form (`-----BEGIN CERTIFICATE-----`)", path = .0.display())]
    Empty(PathBuf),
    /// What it holds is no certificate.
    #[error("{path}: certificate {number} cannot be read: {reason}", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        number: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS itself cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Unusable(String),
}

/// Whom a client believes, as TLS needs it: HTTP/1.1 only, names are checked. Cheap to clone.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust")
    }
}

impl Trust {
    /// The host's own authorities, and those in the file.
    ///
    /// # Errors
    /// As [`TrustError`] says.
    pub fn of_host_and(extra_ca: Option<&Path>) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        // A certificate of the host that cannot be read is one authority less.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = extra_ca {
            add(&mut roots, path)?;
        }
        // Named, because there must be exactly one: with two, a client panics when it is built.
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TrustError::Unusable(error.to_string()))?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    /// For whoever speaks TLS.
    #[must_use]
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }
}

/// Whether a file can be used, for a configuration that is checked before anything starts. Returns how many certificates it has.
///
/// # Errors
/// As [`TrustError`] says.
pub fn certificates_in(path: &Path) -> Result<usize, TrustError> {
    add(&mut RootCertStore::empty(), path)
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<usize, TrustError> {
    let unreadable = |reason: String| TrustError::Unreadable { path: path.to_owned(), reason };
    // A device could be endless, and opening a pipe could wait for ever.
    let about = std::fs::metadata(path).map_err(|error| unreadable(error.kind().to_string()))?;
    if !about.is_file() || about.len() > FILE_BYTES_MAX {
        return Err(unreadable("it is no regular file of at most 4 MiB".to_owned()));
    }
    let pem = std::fs::read(path).map_err(|error| unreadable(error.kind().to_string()))?;
    let mut count = 0_usize;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        count = count.saturating_add(1);
        let damaged = |reason: String| TrustError::Damaged { path: path.to_owned(), number: count, reason };
        let certificate = certificate.map_err(|error| damaged(error.to_string()))?;
        roots.add(certificate).map_err(|error| damaged(error.to_string()))?;
    }
    if count == 0 { Err(TrustError::Empty(path.to_owned())) } else { Ok(count) }
}

#[cfg(test)]
mod tests;
