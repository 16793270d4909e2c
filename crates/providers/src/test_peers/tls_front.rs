//! A TLS proxy with a self-signed certificate in front of a scripted PBX.
#![allow(clippy::unwrap_used)] // A failed test is a failed test.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// A key and its self-signed certificate.
pub struct Identity {
    server: Arc<ServerConfig>,
    ca: tempfile::NamedTempFile,
}

impl Identity {
    /// An identity of the host `name`.
    pub fn of(name: &str) -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
        let mut ca = tempfile::NamedTempFile::new().unwrap();
        let pem = BASE64_STANDARD.encode(cert.der());
        write!(ca, "-----BEGIN CERTIFICATE-----\n{pem}\n-----END CERTIFICATE-----\n").unwrap();
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self { server: Arc::new(config), ca }
    }

    /// The TLS settings of a server.
    pub fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }

    /// The certificate file, for a client that trusts it.
    pub fn ca_file(&self) -> &Path {
        self.ca.path()
    }
}

/// A TLS proxy; it stops when it is dropped.
pub struct Front {
    pub port: u16,
    identity: Identity,
    _end: oneshot::Sender<()>,
}

impl Front {
    /// Starts a proxy whose certificate is for the host `name`.
    pub fn before(pbx: SocketAddr, name: &str) -> Self {
        let identity = Identity::of(name);
        let config = identity.server();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let (end, ended) = oneshot::channel::<()>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let acceptor = TlsAcceptor::from(config);
                let serve = async {
                    while let Ok((tcp, _)) = listener.accept().await {
                        let acceptor = acceptor.clone();
                        tokio::spawn(async move {
                            let mut tls = acceptor.accept(tcp).await?;
                            copy_bidirectional(&mut tls, &mut TcpStream::connect(pbx).await?).await
                        });
                    }
                };
                tokio::select! { () = serve => {}, _ = ended => {} }
            });
        });
        Self { port, identity, _end: end }
    }

    /// The certificate file, for a client that trusts it.
    pub fn ca_file(&self) -> &Path {
        self.identity.ca_file()
    }
}
