//! Who may send a webhook: every path against every proof and every address. tests/it/keys.rs has the same table for
//! the paths of the API.

use std::collections::BTreeSet;

use serde_json::Value;

use super::client::send;
use super::harness::{POSTCALL, SECRET, THREECX, TOKEN, addresses, now_plus, run_with, settings};
use crate::http::Settings;
use crate::signature::{Kind, sign};

const INITIATION: &str = "/webhook/elevenlabs/initiation";
const INITIATION_SECRET: &str = "knock knock";
const ENDED: &str = r#"{"event_type":"CallEnded","call_id":"77"}"#;
const REPORT: &str =
    r#"{"type":"post_call_transcription","data":{"agent_id":"a","conversation_id":"c","status":"done"}}"#;
const QUESTION: &str = r#"{"caller_id":"+1","agent_id":"a","called_number":"+2","call_sid":"s"}"#;
const CRM_REPORT: &str = r#"{"caller_id":"+12025550123","direction":"Inbound","duration":"00:01:00",
    "timestamp":"2026-11-30T09:00:00Z","ended_at":"2026-11-30T09:01:00Z"}"#;
const BEARER: &str = "Bearer token-token-token-token-token-1234";
/// The senders' addresses, by the settings of these tests.
const TRUSTED: &str = "192.0.2.7";
const STRANGER: &str = "198.51.100.1";

/// How a request proves who sent it.
#[derive(Clone, Copy, Debug)]
enum Proof {
    /// Signed with this secret, so many seconds from now.
    Signed(Kind, &'static str, i64),
    /// Signed, but for another body.
    OfAnotherBody(Kind),
    /// A header.
    Header(&'static str, &'static str),
    None,
}

impl Proof {
    fn header(self, body: &str) -> Option<(&'static str, String)> {
        match self {
            Self::Signed(kind, secret, seconds) => {
                Some(sign(kind, secret.as_bytes(), body.as_bytes(), now_plus(seconds)))
            }
            Self::OfAnotherBody(kind) => Some(sign(kind, SECRET.as_bytes(), b"{}", now_plus(0))),
            Self::Header(name, value) => Some((name, value.to_owned())),
            Self::None => None,
        }
    }
}

/// A path with one way to prove who sends: method, path, body, the right proof, and each wrong one with its code.
struct Door {
    method: &'static str,
    path: &'static str,
    /// As the document has it.
    documented: &'static str,
    body: &'static str,
    right: Vec<Proof>,
    wrong: Vec<(Proof, &'static str)>,
}

fn signed(path: &'static str, kind: Kind, past: i64, body: &'static str) -> Door {
    let at = |seconds| Proof::Signed(kind, SECRET, seconds);
    Door {
        method: "POST",
        path,
        documented: path,
        body,
        right: vec![at(0), at(10 - past), at(50)],
        wrong: vec![
            (Proof::None, "signature_missing"),
            (Proof::Signed(kind, "another", 0), "signature_wrong"),
            (Proof::OfAnotherBody(kind), "signature_wrong"),
            (at(-past - 10), "signature_expired"),
            (at(70), "signature_expired"),
            (Proof::Header(sign(kind, b"s", b"", now_plus(0)).0, "t=now,v0=zz"), "signature_malformed"),
        ],
    }
}

fn doors() -> Vec<Door> {
    let by_token = |path, documented| Door {
        method: "POST",
        path,
        documented,
        body: ENDED,
        right: vec![Proof::None],
        wrong: Vec::new(),
    };
    vec![
        signed(THREECX, Kind::ThreeCx, 300, ENDED),
        signed(POSTCALL, Kind::ElevenLabs, 1_800, REPORT),
        Door {
            right: vec![Proof::Header("x-api-key", TOKEN)],
            wrong: vec![
                (Proof::Header("x-api-key", "token-token-token-token-token-1235"), "secret_wrong"),
                (Proof::Header("authorization", "Bearer wrong"), "secret_wrong"),
                (Proof::Header("authorization", "Basic d3Jvbmc6d3Jvbmc="), "secret_wrong"),
            ],
            ..by_token(THREECX, THREECX)
        },
        by_token("/webhook/3cx/token-token-token-token-token-1234", "/webhook/3cx/{token}"),
        Door {
            right: Vec::new(),
            wrong: vec![(Proof::None, "secret_wrong")],
            ..by_token("/webhook/3cx/token-token-token-token-token-1235", "/webhook/3cx/{token}")
        },
        Door {
            method: "GET",
            right: vec![Proof::Header("authorization", BEARER)],
            wrong: vec![
                (Proof::None, "secret_wrong"),
                (Proof::Header("authorization", "Bearer wrong"), "secret_wrong"),
            ],
            ..by_token(
                "/webhook/3cx/crm/lookup?number=%2B12025550123&direction=Inbound",
                "/webhook/3cx/crm/lookup",
            )
        },
        Door {
            body: CRM_REPORT,
            right: vec![Proof::Header("authorization", BEARER)],
            wrong: vec![
                (Proof::None, "secret_wrong"),
                (Proof::Header("authorization", "Bearer wrong"), "secret_wrong"),
            ],
            ..by_token("/webhook/3cx/crm/report", "/webhook/3cx/crm/report")
        },
        Door {
            method: "POST",
            path: INITIATION,
            documented: INITIATION,
            body: QUESTION,
            right: vec![Proof::Header("x-initiation-secret", INITIATION_SECRET)],
            wrong: vec![
                (Proof::None, "secret_wrong"),
                (Proof::Header("x-initiation-secret", "knock"), "secret_wrong"),
                (Proof::Header("x-initiation-secret", ""), "secret_wrong"),
            ],
        },
    ]
}

async fn answered(
    settings: Settings,
    door: &Door,
    proof: Proof,
    forwarded_for: Option<&str>,
) -> (u16, String) {
    let server = run_with(settings);
    let proof = proof.header(door.body);
    let mut headers: Vec<(&str, &str)> = proof.iter().map(|(name, value)| (*name, value.as_str())).collect();
    headers.extend(forwarded_for.map(|claimed| ("x-forwarded-for", claimed)));
    let mut answers = Vec::new();
    // The second one is a replay of the first.
    for _ in 0..2 {
        let answer = send(server.address, door.method, door.path, &headers, door.body.as_bytes()).await;
        let code = if answer.status < 300 { "taken".to_owned() } else { answer.code() };
        answers.push((answer.status, code));
    }
    assert_eq!(answers[0], answers[1], "a replay of {} {proof:?} is answered otherwise", door.path);
    if answers[0].0 >= 300 {
        assert!(server.engine.asked().is_empty(), "{} {headers:?} reached the engine", door.path);
    }
    answers.remove(0)
}

fn status_of(code: &str) -> u16 {
    match code {
        "taken" => 200,
        "address_not_trusted" => 403,
        _ => 401,
    }
}

#[actix_web::test]
async fn every_webhook_is_refused_without_its_proof_and_from_elsewhere() {
    let open = settings();
    let mut strict = settings();
    strict.threecx.trusted_ips = Some(addresses(&["192.0.2.0/24"]));
    strict.elevenlabs.trusted_ips = Some(addresses(&["192.0.2.0/24"]));
    let mut proxied = strict.clone();
    proxied.trusted_proxies = addresses(&["127.0.0.1"]);
    for door in doors() {
        for proof in &door.right {
            let rows = [
                (&open, None, "taken"),
                (&open, Some(STRANGER), "taken"),
                (&strict, None, "address_not_trusted"),
                (&strict, Some(TRUSTED), "address_not_trusted"),
                (&proxied, Some(TRUSTED), "taken"),
                (&proxied, Some(STRANGER), "address_not_trusted"),
                (&proxied, Some("192.0.2.7, 198.51.100.1"), "address_not_trusted"),
                (&proxied, Some("198.51.100.1, 192.0.2.7"), "taken"),
                (&proxied, Some("nonsense, 192.0.2.7"), "taken"),
                (&proxied, Some("192.0.2.7, nonsense"), "address_not_trusted"),
            ];
            for (settings, forwarded_for, expected) in rows {
                let answer = answered(settings.clone(), &door, *proof, forwarded_for).await;
                let expected = (status_of(expected), expected.to_owned());
                assert_eq!(
                    answer, expected,
                    "{} {} {proof:?} from {forwarded_for:?}",
                    door.method, door.path
                );
            }
        }
        for (proof, expected) in &door.wrong {
            for (settings, forwarded_for) in [(&open, None), (&proxied, Some(TRUSTED))] {
                let answer = answered(settings.clone(), &door, *proof, forwarded_for).await;
                let expected = (status_of(expected), (*expected).to_owned());
                assert_eq!(answer, expected, "{} {} {proof:?}", door.method, door.path);
            }
        }
    }
}

#[test]
fn every_webhook_of_the_document_is_in_the_table() {
    let document: Value = serde_json::from_str(crate::openapi_json()).unwrap();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation["tags"][0] == "webhooks" && path.starts_with("/webhook/") {
                documented.insert((method.to_uppercase(), path.clone()));
            }
        }
    }
    let table: BTreeSet<(String, String)> =
        doors().iter().map(|door| (door.method.to_owned(), door.documented.to_owned())).collect();
    assert_eq!(table, documented);
}
