//! The same streams under TLS, with a certificate that only `extra_ca` vouches for.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::media::leg_report::{LegNews, StreamFailure};

/// TLS in front of a PBX, until it is dropped.
struct Front {
    port: u16,
    ca: tempfile::NamedTempFile,
    _end: oneshot::Sender<()>,
}

impl Front {
    /// Shows a certificate for this host name.
    fn before(pbx: SocketAddr, name: &str) -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
        let mut ca = tempfile::NamedTempFile::new().unwrap();
        ca.write_all(cert.pem().as_bytes()).unwrap();
        let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let (end, ended) = oneshot::channel::<()>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let acceptor = TlsAcceptor::from(Arc::new(config));
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
        Self { port, ca, _end: end }
    }
}

fn world(name: &str) -> (Pbx, Front, Media, TokenDesk) {
    let pbx = Pbx::start();
    let front = Front::before(pbx.address, name);
    let mut settings = MediaSettings::new(format!("https://localhost:{}", front.port).parse().unwrap());
    settings.extra_ca = Some(front.ca.path().to_owned());
    let (tokens, mut desk) = TokenDesk::open();
    desk.publish("one");
    let media = Media::start(settings, tokens, Logger::root(Discard, o!())).unwrap();
    (pbx, front, media, desk)
}

#[test]
fn a_pbx_with_a_certificate_of_its_own_gets_the_scene() {
    let (pbx, front, media, _desk) = world("localhost");
    let owner = Owner::new();
    let clip = speech(300 * MS);
    let audio = media.open(leg(1), clock::now(), once(&clip), owner.reports.clone());
    assert_eq!(pbx.audio(clip.pcm().len())[..clip.pcm().len()], *clip.pcm());
    let head = pbx.change(|state| state.posts[0].head.clone());
    assert!(head.contains(&format!("host: localhost:{}\r\n", front.port)), "{head}");
    drop(audio);
    let post = pbx.first_post_over();
    assert_eq!((post.is_complete, post.audio.len() as u64), (true, owner.closed().bytes));
}

#[test]
fn a_certificate_for_another_host_is_not_taken() {
    let (pbx, _front, media, _desk) = world("pbx.example");
    let owner = Owner::new();
    let connected_at = precall_call::At(clock::now().0 - 9_800_000);
    let _audio = media.open(leg(1), connected_at, Scene::default(), owner.reports.clone());
    let _ = owner.closed();
    owner.wait_for(&LegNews::Failed(StreamFailure::Unreachable));
    assert_eq!(pbx.change(|state| state.posts.len() + state.gets.len()), 0);
}
