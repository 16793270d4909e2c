//! The live check against a simulated PBX that behaves like different builds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // Tests may panic.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use precall_providers::tls_roots::TlsRoots;
use precall_simulators::threecx::{
    Codes, ExpiresIn, Fault, NewCall, OldTokens, Options, Outcome, SecondPost, Simulator, StreamFault, Turn,
    WsFault,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;

use super::{Access, Finding, Plan, Report, Verdict, Way, run};

const SECRET: &str = "pbx-secret";
const NUMBER: &str = "+4915550123456";
const OVER_WITHIN: Duration = Duration::from_secs(60);

fn options() -> Options {
    Options::new("900", SECRET.parse().unwrap())
}

fn plan(pbx: &Simulator, way: Way) -> Plan {
    let access = Access {
        base: pbx.base_url().parse().unwrap(),
        client_id: "900".to_owned(),
        client_secret: SECRET.to_owned(),
        trust: None,
    };
    Plan { access, way, routeto: None }
}

/// Runs a test with a time limit.
fn within<T>(test: impl Future<Output = T>) -> T {
    actix::System::new().block_on(async { tokio::time::timeout(OVER_WITHIN, test).await.expect("in time") })
}

async fn rung(pbx: &Simulator) -> Report {
    run(plan(pbx, Way::Ring(NUMBER.to_owned())), pending(), |_| {}).await
}

/// The person answers after the early streams were measured.
fn after_a_while() -> Turn {
    Turn { outcome: Outcome::Answered, after_ms: Some(1_500), ..Turn::default() }
}

fn of<'a>(report: &'a Report, name: &str) -> &'a Finding {
    report
        .findings
        .iter()
        .find(|finding| finding.name == name)
        .unwrap_or_else(|| panic!("no {name}: {report:#?}"))
}

#[track_caller]
fn says(report: &Report, name: &str, part: &str, verdict: Verdict) {
    let finding = of(report, name);
    assert!(finding.value.contains(part), "{finding}");
    assert_eq!(finding.verdict, verdict, "{finding}");
}

#[test]
fn a_pbx_that_behaves_as_documented_shows_no_difference() {
    within(async {
        let pbx = Simulator::start(options()).await.unwrap();
        pbx.set_makecall(vec![after_a_while()]);
        let report = rung(&pbx).await;
        let differ: Vec<String> = report
            .findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Differs)
            .map(ToString::to_string)
            .collect();
        assert_eq!((report.problem.clone(), report.left_behind.clone()), (None, None), "{report:#?}");
        assert_eq!(differ, Vec::<String>::new());
        use Verdict::AsExpected as Good;
        for (name, part) in [
            ("token: expires_in", "3600: seconds"),
            ("token: life", "3600 s"),
            ("list: own DN", "Wroutepoint"),
            ("makecall: status", "200"),
            ("result: finalstatus", "\"Success\", a word"),
            ("leg: direct_control", "false"),
            ("GET stream before Connected", "200"),
            ("GET stream from Connected on", "424 (no body)"),
            ("second POST stream", "replaces the first: answered 200"),
            ("play-out: 1 s at once", "1000 ms accepted"),
            ("play-out: 4 s ahead", "4000 ms ahead"),
            ("attach: status", "200"),
            ("WebSocket request: keys", "status 200, with the keys Path, RequestID, Response, StatusCode"),
            ("events: sequence", "each connection has its own count, from 1 and from 1; 0 gaps"),
            ("token re-issued: old token", "refused with 401"),
            ("token re-issued: GET stream", "kept, audio goes on"),
            ("token re-issued: POST stream", "kept"),
            ("token re-issued: WebSocket", "stays open"),
            ("events: attached_data of Upserts", "null"),
            ("drop: status", "200"),
            ("drop: streams", "GET ends after"),
            ("drop: the leg afterwards", "404"),
        ] {
            says(&report, name, part, Good);
        }
        for name in
            ["leg: party_did", "routeto: default timeout", "voicemail destination", "trunk: X- headers"]
        {
            assert_eq!(of(&report, name).verdict, Verdict::NotMeasured);
        }
        let call = pbx.calls().pop().unwrap();
        assert_eq!((pbx.legs(), call.attached.participant.len()), (0, 1));
        let text = format!("{report:?}");
        assert!(!text.contains(NUMBER) && !text.contains(SECRET) && !text.contains("eyJ"), "{text}");
    });
}

#[test]
fn differences_of_another_build_are_reported() {
    within(async {
        let pbx = Simulator::start(Options {
            expires_in: ExpiresIn::Minutes,
            old_tokens: OldTokens::Kept,
            codes: Codes::Numbers,
            action_status: 202,
            second_post: SecondPost::Refused,
            post_not_ready: Duration::from_millis(150),
            ..options()
        })
        .await
        .unwrap();
        pbx.set_makecall(vec![after_a_while()]);
        let cut = Fault { streams: Some(StreamFault::CloseOnToken), ..Fault::default() };
        let deaf = Fault { ws: Some(WsFault::CloseOnToken), ..Fault::default() };
        pbx.set_faults(vec![cut, deaf]);
        let report = rung(&pbx).await;
        assert_eq!((&report.problem, &report.left_behind), (&None, &None), "{report:#?}");
        use Verdict::{AsExpected as Good, Differs};
        for (name, part, verdict) in [
            ("token: expires_in", "60: minutes", Good),
            ("makecall: status", "202", Good),
            ("attach: status", "202", Good),
            ("drop: status", "202", Good),
            ("result: finalstatus", "1, a number", Differs),
            ("POST stream from Connected on", "424 (no body) until", Good),
            ("second POST stream", "refused: answered 409", Good),
            ("token re-issued: old token", "still works (200)", Differs),
            ("token re-issued: GET stream", "cut after", Good),
            ("token re-issued: POST stream", "cut after", Good),
            ("token re-issued: WebSocket", "cut after", Good),
        ] {
            says(&report, name, part, verdict);
        }
        assert_eq!(pbx.legs(), 0);
    });
}

#[test]
fn an_incoming_call_is_measured() {
    within(async {
        let pbx = Simulator::start(options()).await.unwrap();
        let checking = run(plan(&pbx, Way::Wait), pending(), |_| {});
        let ringing = async {
            // The check lists existing legs first, so the caller must come later.
            let is_list = |request: &serde_json::Value| {
                request["path"] == "/callcontrol/900/participants" && request["status"] == 200
            };
            while !pbx.requests().iter().any(is_list) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let call = NewCall { party_did: "+4930111222".to_owned(), ..NewCall::from(NUMBER) };
            pbx.place_call(call).unwrap();
        };
        let (report, ()) = futures_util::join!(checking, ringing);
        assert_eq!((&report.problem, &report.left_behind), (&None, &None), "{report:#?}");
        says(&report, "leg: party_did", "filled (11 characters)", Verdict::Differs);
        says(&report, "makecall: status", "not part of this kind of call", Verdict::NotMeasured);
        assert_eq!(pbx.legs(), 0);
    });
}

#[test]
fn an_early_hangup_is_not_reported_as_a_difference() {
    within(async {
        for hangup_after_ms in [400, 1_100, 2_200, 3_300] {
            let pbx = Simulator::start(options()).await.unwrap();
            pbx.set_makecall(vec![Turn {
                outcome: Outcome::Answered,
                after_ms: Some(100),
                ..Turn::default()
            }]);
            let hanging_up = async {
                while pbx.calls().iter().all(|call| call.connected_at.is_none()) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                tokio::time::sleep(Duration::from_millis(hangup_after_ms)).await;
                for call in pbx.calls() {
                    pbx.hang_up(&call.call_id);
                }
            };
            let (report, ()) = futures_util::join!(rung(&pbx), hanging_up);
            assert!(report.problem.is_some() && report.left_behind.is_none(), "{report:#?}");
            let differs = report.findings.iter().find(|finding| finding.verdict == Verdict::Differs);
            assert_eq!(differs, None, "{hangup_after_ms}");
        }
    });
}

#[test]
fn an_unanswered_routeto_is_timed() {
    within(async {
        let pbx = Simulator::start(options()).await.unwrap();
        pbx.set_routeto(vec![Turn { outcome: Outcome::NoAnswer, after_ms: Some(1_200), ..Turn::default() }]);
        let plan = Plan { routeto: Some("200".to_owned()), ..plan(&pbx, Way::Ring(NUMBER.to_owned())) };
        let report = run(plan, pending(), |_| {}).await;
        says(&report, "routeto: default timeout", "1.2 s, answered 422", Verdict::Differs);
        assert_eq!(pbx.legs(), 0);
    });
}

#[test]
fn an_unanswered_call_leaves_no_leg_and_the_rest_unmeasured() {
    within(async {
        let pbx = Simulator::start(options()).await.unwrap();
        pbx.set_makecall(vec![Turn { outcome: Outcome::NoAnswer, after_ms: Some(800), ..Turn::default() }]);
        let report = rung(&pbx).await;
        assert!(report.problem.as_ref().unwrap().contains("nobody answered"), "{report:#?}");
        assert_eq!((report.left_behind.clone(), pbx.legs()), (None, 0));
        says(&report, "makecall: status", "200", Verdict::AsExpected);
        says(&report, "attach: status", "nobody answered", Verdict::NotMeasured);
    });
}

#[test]
fn a_stopped_check_drops_the_call_even_when_the_answer_was_lost() {
    within(async {
        let pbx = Simulator::start(options()).await.unwrap();
        let lost =
            Fault { suffix: "/makecall".to_owned(), cut_response: true, times: Some(1), ..Fault::default() };
        pbx.set_faults(vec![lost]);
        pbx.set_makecall(vec![Turn { outcome: Outcome::Timeout, ..Turn::default() }]);
        let report = rung(&pbx).await;
        assert!(report.problem.is_some());
        assert_eq!((report.left_behind, pbx.calls().len(), pbx.legs()), (None, 1, 0));

        let stop = async {
            while pbx.legs() == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let report = run(plan(&pbx, Way::Ring(NUMBER.to_owned())), stop, |_| {}).await;
        assert_eq!(report.problem.as_deref(), Some("the check was stopped"));
        assert_eq!((report.left_behind, pbx.legs()), (None, 0));
    });
}

#[test]
fn a_wrong_secret_is_reported_and_makes_no_call() {
    within(async {
        let pbx = Simulator::start(options()).await.unwrap();
        let mut plan = plan(&pbx, Way::Ring(NUMBER.to_owned()));
        plan.access.client_secret = "another".to_owned();
        let report = run(plan, pending(), |_| {}).await;
        assert_eq!(report.problem.as_deref(), Some("the PBX gives no access token (status 401)"));
        assert!(pbx.calls().is_empty());
        assert!(report.findings.iter().all(|finding| finding.verdict == Verdict::NotMeasured));
    });
}

/// TLS in front of a simulator that has none; ends with the test's system. Returns its port.
async fn tls_front(pbx: &Simulator, key: &CertifiedKey<rcgen::KeyPair>) -> u16 {
    let secret = key.signing_key.serialize_der().try_into().unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], secret)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let behind = pbx.base_url().trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    actix::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            actix::spawn(async move {
                let mut tls = acceptor.accept(tcp).await?;
                tokio::io::copy_bidirectional(&mut tls, &mut TcpStream::connect(behind).await?).await
            });
        }
    });
    port
}

#[test]
fn a_pbx_with_a_private_certificate_needs_the_ca_file() {
    within(async {
        let pbx = Simulator::start(options()).await.unwrap();
        let key = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let port = tls_front(&pbx, &key).await;
        let ca_file = tempfile::NamedTempFile::new().unwrap();
        let text = BASE64_STANDARD.encode(key.cert.der());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
        std::fs::write(ca_file.path(), pem).unwrap();
        let mut plan = plan(&pbx, Way::Ring(NUMBER.to_owned()));
        plan.access.base = format!("https://localhost:{port}").parse().unwrap();
        plan.access.trust = Some(TlsRoots::load(None).unwrap());
        let stranger = run(plan.clone(), pending(), |_| {}).await;
        assert!(stranger.problem.is_some() && pbx.requests().is_empty(), "{stranger:?}");
        plan.access.trust = Some(TlsRoots::load(Some(ca_file.path())).unwrap());
        let report = run(plan, pending(), |_| {}).await;
        assert_eq!((&report.problem, &report.left_behind), (&None, &None), "{report:#?}");
        says(&report, "play-out: 1 s at once", "1000 ms accepted", Verdict::AsExpected);
        assert_eq!(pbx.legs(), 0);
    });
}
