//! What each `sslmode` checks in the server's certificate: the same as libpq, done by rustls.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::url::{DatabaseUrl, RootCertificates, SslMode};
use super::{ConnectError, causes};

/// The ALPN name that a direct TLS handshake has to offer (PostgreSQL 17 and newer).
const ALPN: &[u8] = b"postgresql";

/// The TLS configuration. It names its crypto provider, so it needs no process-wide default.
pub(crate) fn client_config(url: &DatabaseUrl) -> Result<ClientConfig, ConnectError> {
    let provider = Arc::new(ring::default_provider());
    let check = ServerCheck::new(url, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ConnectError::Tls(error.to_string()))?;
    let mut config =
        builder.dangerous().with_custom_certificate_verifier(Arc::new(check)).with_no_client_auth();
    if url.negotiates_directly() {
        config.alpn_protocols = vec![ALPN.to_vec()];
    }
    Ok(config)
}

/// Advice for a refused certificate; `None` for other errors.
pub(crate) fn advice(error: &tokio_postgres::Error) -> Option<&'static str> {
    let refused = causes(error)
        .filter_map(|cause| {
            cause.downcast_ref::<std::io::Error>()?.get_ref()?.downcast_ref::<rustls::Error>()
        })
        .find_map(|error| match error {
            rustls::Error::InvalidCertificate(refused) => Some(refused),
            _not_about_a_certificate => None,
        })?;
    match refused {
        CertificateError::UnknownIssuer => Some(
            "its issuer is unknown here: name its CA certificate with sslrootcert=/path/to/ca.pem in DATABASE_URL",
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Some(
            "it is for another host: connect by the name in its subjectAltName, or use sslmode=verify-ca",
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Some("it has expired: renew it on the server")
        }
        CertificateError::Other(_) | CertificateError::BadEncoding => Some(
            "a self-signed certificate is trusted when sslrootcert=/path/to/server.crt names it; every other \
             certificate must be X.509 version 3",
        ),
        _anything_else_speaks_for_itself => None,
    }
}

#[derive(Debug)]
struct ServerCheck {
    algorithms: WebPkiSupportedAlgorithms,
    check: CertificateCheck,
}

#[derive(Debug)]
enum CertificateCheck {
    /// `prefer` and `require`: encrypted, but any certificate will do.
    Skip,
    /// `verify-ca` and `verify-full`.
    Chain { verifier: Arc<WebPkiServerVerifier>, named: Vec<CertificateDer<'static>>, name: NameCheck },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NameCheck {
    Any,
    Must,
}

impl ServerCheck {
    fn new(url: &DatabaseUrl, provider: &Arc<CryptoProvider>) -> Result<Self, ConnectError> {
        let algorithms = provider.signature_verification_algorithms;
        let name = match url.ssl_mode() {
            SslMode::Disable | SslMode::Prefer | SslMode::Require => {
                return Ok(Self { algorithms, check: CertificateCheck::Skip });
            }
            SslMode::VerifyCa => NameCheck::Any,
            SslMode::VerifyFull => NameCheck::Must,
        };
        let (roots, named) = match url.root_certificates() {
            RootCertificates::System => (system_roots(), Vec::new()),
            RootCertificates::File(path) => roots_in(path)?,
        };
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .build()
            .map_err(|error| ConnectError::Tls(format!("{error}; name a CA certificate with sslrootcert")))?;
        Ok(Self { algorithms, check: CertificateCheck::Chain { verifier, named, name } })
    }

    /// Accepts a certificate that rustls cannot read, if no certificate is checked. One example is X.509 version 1,
    /// which PostgreSQL's own manual had OpenSSL make.
    fn unless_unread(
        &self,
        verdict: Result<HandshakeSignatureValid, rustls::Error>,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let unread = matches!(
            verdict,
            Err(rustls::Error::InvalidCertificate(
                CertificateError::Other(_) | CertificateError::BadEncoding
            ))
        );
        match self.check {
            CertificateCheck::Skip if unread => Ok(HandshakeSignatureValid::assertion()),
            CertificateCheck::Skip | CertificateCheck::Chain { .. } => verdict,
        }
    }
}

impl ServerCertVerifier for ServerCheck {
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let CertificateCheck::Chain { verifier, named, name: name_check } = &self.check else {
            return Ok(ServerCertVerified::assertion());
        };
        match verifier.verify_server_cert(server, intermediates, name, ocsp, now) {
            // The chain is checked before the name, so only the name is wrong.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if *name_check == NameCheck::Any => Ok(ServerCertVerified::assertion()),
            // `openssl req -x509` makes a self-signed certificate a CA, which webpki refuses as a server's certificate.
            // precall trusts the very certificate that the operator named; webpki has checked its dates by now.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(_)))
                if named.iter().any(|known| known == server) =>
            {
                if *name_check == NameCheck::Must {
                    let parsed = ParsedCertificate::try_from(server)?;
                    rustls::client::verify_server_name(&parsed, name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        server: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.unless_unread(verify_tls12_signature(message, server, signed, &self.algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        server: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.unless_unread(verify_tls13_signature(message, server, signed, &self.algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The CAs of the host. An unreadable certificate is left out; with none left, the verifier reports an error.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn roots_in(path: &Path) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), ConnectError> {
    let refuse = |reason: String| ConnectError::RootCertificate { path: path.display().to_string(), reason };
    let parsed = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| refuse(error.to_string()))?;
    if parsed.is_empty() {
        return Err(refuse("it holds no certificate in PEM form".to_owned()));
    }
    let mut roots = RootCertStore::empty();
    for certificate in &parsed {
        roots.add(certificate.clone()).map_err(|error| refuse(error.to_string()))?;
    }
    Ok((roots, parsed))
}
