//! Broken set-ups at 3CX: token, permissions, DN, WebSocket, certificate, destinations.

use std::sync::Arc;

use precall_simulators::threecx::{self, Grants};
use serde_json::json;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::*;
use crate::support::AGENT;

#[actix::test]
async fn a_broken_pbx_is_named() {
    let grants = [
        (
            Grants { call_control: false, ..Grants::default() },
            wrong("no call control", "3CX", "tick \"3CX Call Control API Access\""),
        ),
        (
            Grants { streams: false, ..Grants::default() },
            wrong("no streams", "3CX", "not so: audio streams are permitted (403"),
        ),
        (
            Grants { dn_type: "Wextension".to_owned(), ..Grants::default() },
            wrong("an extension", "3CX", "is Wextension, not a route point"),
        ),
    ];
    for (grants, case) in grants {
        let setup = Setup::sound().await;
        setup.pbx.set_grants(grants);
        holds(setup, case).await;
    }
    let faults = [
        (
            pbx_fault("/connect/token", None, 404),
            wrong("no v20 PBX", "3CX", "no 3CX v20 PBX at THREECX_BASE_URL (404)"),
        ),
        (
            pbx_fault("/connect/token", None, 502),
            wrong("a proxy without PBX", "3CX", "no access token (status 502"),
        ),
        (
            pbx_fault("/callcontrol/ws", None, 403),
            wrong("a refused WebSocket", "3CX", "the event WebSocket (/callcontrol/ws) does not open"),
        ),
        (
            pbx_fault("/callcontrol", Some("/participants"), 500),
            wrong("a failing list", "3CX", "not so: our legs can be listed (500"),
        ),
        (
            threecx::Fault { path: "/connect/token".to_owned(), hang: true, ..threecx::Fault::default() },
            wrong("a slow PBX", "3CX", "no answer within 3 s"),
        ),
        (
            threecx::Fault {
                path: "/callcontrol".to_owned(),
                body: Some(json!([])),
                ..threecx::Fault::default()
            },
            wrong("another DN", "3CX", "correct THREECX_CLIENT_ID"),
        ),
    ];
    for (fault, case) in faults {
        let setup = Setup::sound().await;
        setup.pbx.set_faults(vec![fault]);
        holds(setup, case).await;
    }
    let environments = [
        (
            [("THREECX_CLIENT_SECRET", "another-secret-of-the-pbx")].as_slice(),
            wrong("a wrong secret", "3CX", "3CX refuses THREECX_CLIENT_ID and THREECX_CLIENT_SECRET"),
        ),
        (
            &[("THREECX_BASE_URL", "http://127.0.0.1:9")],
            wrong("nobody there", "3CX", "the PBX cannot be reached"),
        ),
        (
            &[("FALLBACK_DESTINATION", "")],
            warned("no person", "destinations", "FALLBACK_DESTINATION is not set"),
        ),
    ];
    for (changes, case) in environments {
        let mut setup = Setup::sound().await;
        for (name, value) in changes {
            setup.set(name, value);
        }
        holds(setup, case).await;
    }
    let setup = Setup::sound().await;
    let line = "insert into lines (number, fallback_destination) values ('+12025550177', $1)";
    setup.execute(line, &[&CLIENT]).await;
    holds(setup, wrong("a line that leads back", "destinations", "precall's own DN")).await;
}

#[actix::test]
async fn a_certificate_that_is_not_trusted_is_named() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    actix::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(acceptor.accept(stream).await);
        }
    });
    let mut setup = Setup::sound().await;
    setup.set("THREECX_BASE_URL", &format!("https://localhost:{port}"));
    holds(setup, wrong("an unknown authority", "3CX", "set THREECX_CA_FILE")).await;
}

#[actix::test]
async fn a_destination_that_leads_back_does_not_pass() {
    let mut setup = Setup::sound().await;
    setup.set("FALLBACK_DESTINATION", CLIENT);
    let config = Config::from_pairs(setup.env.clone());
    // The configuration may refuse it already.
    if config.is_ok() {
        holds(setup, wrong("its own DN", "destinations", "FALLBACK_DESTINATION is 900, precall's own DN"))
            .await;
    }
    let mut setup = Setup::sound().await;
    setup.set("CALL_ROUTE", "transfer");
    setup.set("AGENT_DESTINATION", AGENT);
    setup.set("INITIATION_SECRET", SECRET);
    holds(setup, wrong("no initiation webhook", "ElevenLabs webhooks", "no initiation webhook is set")).await;
}
