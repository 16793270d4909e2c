//! A PBX with a self-signed certificate: accepted only by clients with its root certificate.
#![allow(clippy::unwrap_used, clippy::panic)] // A failed test is a failed test.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;

use crate::test_peers::scripted_pbx::{DN, SECRET, ScriptedPbx, run};
use crate::test_peers::tls_front::Front;
use crate::threecx::access_token::TokenPublisher;
use crate::threecx::client::ThreeCx;
use crate::threecx::error::ThreeCxErrorKind;
use crate::threecx::settings::{ClientSecret, Settings};
use crate::threecx::socket::{SocketEvent, SocketTiming};
use crate::threecx::token::{TokenClient, TokenError};
use crate::tls_roots::TlsRoots;

fn settings(front: &Front, ca_file: Option<&Path>) -> Arc<Settings> {
    let base = format!("https://localhost:{}", front.port).parse().unwrap();
    let within = Duration::from_secs(10);
    let settings = Settings::new(base, DN, ClientSecret::new(SECRET), within).unwrap();
    Arc::new(settings.with_tls_roots(TlsRoots::load(ca_file).unwrap()))
}

#[test]
fn with_the_root_certificate_all_requests_succeed() {
    run(async {
        let pbx = ScriptedPbx::start().await;
        let front = Front::before(pbx.address(), "localhost");
        let settings = settings(&front, Some(front.ca_file()));
        let granted = TokenClient::new(Arc::clone(&settings)).ask().await.unwrap();
        let (tokens, mut desk) = TokenPublisher::channel();
        desk.publish(&granted.bearer);
        let client = ThreeCx::new(settings, tokens);
        assert_eq!(client.dns().await.unwrap().len(), 2);
        let mut socket = Box::pin(client.open_socket(SocketTiming::default()).await.unwrap().events);
        pbx.upsert(7);
        let news = socket.next().await.unwrap();
        assert!(matches!(news, SocketEvent::Event(_)), "{news:?}");
    });
}

#[test]
fn without_the_root_certificate_or_under_another_name_the_secret_is_not_sent() {
    run(async {
        let pbx = ScriptedPbx::start().await;
        let ours = Front::before(pbx.address(), "localhost");
        let elsewhere = Front::before(pbx.address(), "pbx.example");
        for settings in [settings(&ours, None), settings(&elsewhere, Some(elsewhere.ca_file()))] {
            let error = TokenClient::new(Arc::clone(&settings)).ask().await.unwrap_err();
            assert!(matches!(error, TokenError::Unreachable(_)), "{error:?}");
            let (tokens, mut desk) = TokenPublisher::channel();
            desk.publish("token1");
            let client = ThreeCx::new(settings, tokens);
            assert_eq!(client.dns().await.unwrap_err().kind, ThreeCxErrorKind::Unreachable);
            let Err(error) = client.open_socket(SocketTiming::default()).await else { panic!("it is open") };
            assert_eq!(error.kind, ThreeCxErrorKind::Unreachable);
        }
        assert!(pbx.seen("").is_empty());
    });
}
