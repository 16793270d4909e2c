//! What each `sslmode` asks of the server's certificate: the same as libpq asks, through rustls.

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

/// A configuration with a crypto provider named outright: no process-wide default to race for.
pub(super) fn client_config(url: &DatabaseUrl) -> Result<ClientConfig, ConnectError> {
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

/// What to do about a certificate that was refused; `None` when the trouble is another.
pub(super) fn advice(error: &tokio_postgres::Error) -> Option<&'static str> {
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
            "a certificate that vouches for itself is trusted when sslrootcert=/path/to/server.crt names it; any other \
             has to be X.509 version 3 to be verified",
        ),
        _anything_else_speaks_for_itself => None,
    }
}

#[derive(Debug)]
struct ServerCheck {
    algorithms: WebPkiSupportedAlgorithms,
    trust: Trust,
}

#[derive(Debug)]
enum Trust {
    /// `prefer` and `require`: encrypted, with whoever is there.
    Anybody,
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
                return Ok(Self { algorithms, trust: Trust::Anybody });
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
        Ok(Self { algorithms, trust: Trust::Chain { verifier, named, name } })
    }

    /// A certificate that rustls cannot read (X.509 version 1, say, as PostgreSQL's own manual had OpenSSL make them)
    /// is nothing to refuse where no certificate is checked anyway.
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
        match self.trust {
            Trust::Anybody if unread => Ok(HandshakeSignatureValid::assertion()),
            Trust::Anybody | Trust::Chain { .. } => verdict,
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
        let Trust::Chain { verifier, named, name: name_check } = &self.trust else {
            return Ok(ServerCertVerified::assertion());
        };
        match verifier.verify_server_cert(server, intermediates, name, ocsp, now) {
            // The chain is checked before the name: all but the name is right.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if *name_check == NameCheck::Any => Ok(ServerCertVerified::assertion()),
            // `openssl req -x509` makes a server's own certificate a CA, which is no server's certificate to webpki.
            // The very certificate that the operator named is to be trusted; by now its dates have been checked.
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

/// A certificate of the host that cannot be read is one CA less; with none left the verifier says so.
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
