//! A file of certificates that precall trusts beside the authorities of the host.

use std::path::PathBuf;

use precall_providers::tls_roots::count_certificates;

use super::kind::Kind;
use super::value::{Complaint, FromText};

/// A file with at least one usable certificate. It is read when the configuration is checked.
pub(super) struct CertificateFile(pub(super) PathBuf);

impl FromText for CertificateFile {
    const KIND: Kind = Kind::Form("PEM file");

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str = "a readable PEM file with the certificate of the authority that signed the server's, as \
            its administrator exports it; or unset, when the host trusts that authority";
        let path = PathBuf::from_text(text)?;
        match count_certificates(&path) {
            Ok(_) => Ok(Self(path)),
            Err(error) => Err(Complaint::new(error.to_string(), RIGHT)),
        }
    }
}
