//! Webhook bodies: signature, trusted addresses, size and time limits.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use precall_actors::api::InitiationAnswer;
use precall_call::VoiceId;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::client::{connect, head, read_answer, send, send_chunked};
use super::harness::{POSTCALL, SECRET, THREECX, TOKEN, addresses, now_plus, run, run_with, settings};
use super::scripted::{Asked, CALL};
use crate::config::WebhookAuth;
use crate::signature::{Kind, sign};

const ENDED: &str = r#"{"event_type":"CallEnded","call_id":"77"}"#;

#[actix_web::test]
async fn every_wrong_signature_is_401() {
    let server = run();
    let body = ENDED.as_bytes();
    let (name, right) = sign(Kind::ThreeCx, SECRET.as_bytes(), body, now_plus(0));
    let (_, other_secret) = sign(Kind::ThreeCx, b"another", body, now_plus(0));
    let (_, other_body) = sign(Kind::ThreeCx, SECRET.as_bytes(), b"{}", now_plus(0));
    let time = right.split(',').next().unwrap();
    for (value, code) in [
        (None, "signature_missing"),
        (Some(other_secret.as_str()), "signature_wrong"),
        (Some(other_body.as_str()), "signature_wrong"),
        (Some(""), "signature_malformed"),
        (Some("t=now,v0=zz"), "signature_malformed"),
        (Some(time), "signature_malformed"),
    ] {
        let headers: Vec<(&str, &str)> = value.iter().map(|value| (name, *value)).collect();
        let answer = send(server.address, "POST", THREECX, &headers, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, code), "{value:?}");
    }
    let twice = [(name, right.as_str()), (name, right.as_str())];
    let answer = send(server.address, "POST", THREECX, &twice, body).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "signature_malformed"));
    let elsewhere = [("ElevenLabs-Signature", right.as_str())];
    assert_eq!(send(server.address, "POST", THREECX, &elsewhere, body).await.status, 401);
    assert!(server.engine.asked().is_empty(), "nothing of it reached the engine");
}

#[actix_web::test]
async fn replays_are_accepted_inside_the_time_window_only() {
    let server = run();
    let report = br#"{"type":"post_call_transcription","data":{"agent_id":"a","conversation_id":"c","status":"done"}}"#;
    for (path, body, seconds, status) in [
        (THREECX, ENDED.as_bytes(), -290, 200),
        (THREECX, ENDED.as_bytes(), 50, 200),
        (THREECX, ENDED.as_bytes(), -310, 401),
        (THREECX, ENDED.as_bytes(), 70, 401),
        (POSTCALL, report, -1_790, 200),
        (POSTCALL, report, 50, 200),
        (POSTCALL, report, -1_810, 401),
        (POSTCALL, report, 70, 401),
    ] {
        let answer = server.post_at(path, seconds, body).await;
        assert_eq!(answer.status, status, "{path} {seconds} {answer:?}");
        if status == 401 {
            assert_eq!(answer.code(), "signature_expired");
        }
    }
}

#[actix_web::test]
async fn every_content_type_is_accepted() {
    let server = run();
    for media_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let (name, value) = sign(Kind::ThreeCx, SECRET.as_bytes(), ENDED.as_bytes(), now_plus(0));
        let headers = [(name, value.as_str()), ("content-type", media_type)];
        assert_eq!(send(server.address, "POST", THREECX, &headers, ENDED.as_bytes()).await.status, 200);
    }
}

#[actix_web::test]
async fn a_large_body_is_refused_by_its_announced_length() {
    let server = run();
    // The body is never sent, so the server must answer without it.
    for path in [THREECX, "/webhook/elevenlabs/initiation"] {
        let mut stream = connect(server.address).await;
        let head = head("POST", path, &[("content-length", "209715200")]);
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = read_answer(&mut stream).await;
        assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
    }
}

#[actix_web::test]
async fn a_client_that_sends_a_large_body_gets_the_refusal() {
    let server = run();
    let body = vec![b' '; 3 * 1024 * 1024];
    assert_eq!(server.post_at(THREECX, 0, &body).await.code(), "body_too_large");
    let answer = send(server.address, "POST", POSTCALL, &[], &body).await;
    assert_eq!(answer.code(), "signature_missing", "and unsigned it is not read at all");
}

#[actix_web::test]
async fn a_body_without_a_length_is_limited_while_it_is_read() {
    let server = run();
    let body = vec![b' '; 1024 * 1024 + 1];
    let (name, value) = sign(Kind::ThreeCx, SECRET.as_bytes(), &body, now_plus(0));
    let chunks = || body.chunks(50_000).map(<[u8]>::to_vec);
    let answer = send_chunked(server.address, THREECX, &[(name, &value)], chunks()).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));

    let (name, value) = sign(Kind::ThreeCx, SECRET.as_bytes(), ENDED.as_bytes(), now_plus(0));
    let chunks = ENDED.as_bytes().chunks(7).map(<[u8]>::to_vec);
    let answer = send_chunked(server.address, THREECX, &[(name, &value)], chunks).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[actix_web::test]
async fn a_body_that_stalls_times_out() {
    let server = run();
    let (name, value) = sign(Kind::ThreeCx, SECRET.as_bytes(), ENDED.as_bytes(), now_plus(0));
    let mut stream = connect(server.address).await;
    let head = head("POST", THREECX, &[(name, &value), ("content-length", "100")]);
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(b"{\"event_type\"").await.unwrap();
    let begun = Instant::now();
    let answer = read_answer(&mut stream).await;
    assert_eq!((answer.status, answer.code().as_str()), (408, "body_timeout"));
    assert!(begun.elapsed() >= Duration::from_secs(9), "{:?}", begun.elapsed());
}

#[actix_web::test]
async fn an_incomplete_body_does_not_reach_the_engine() {
    let server = run();
    let (name, value) = sign(Kind::ThreeCx, SECRET.as_bytes(), ENDED.as_bytes(), now_plus(0));
    let mut stream = connect(server.address).await;
    let head = head("POST", THREECX, &[(name, &value), ("content-length", "100")]);
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(ENDED.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    drop(tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await);
    assert!(!String::from_utf8_lossy(&rest).starts_with("HTTP/1.1 200"), "{rest:?}");
    assert!(server.engine.asked().is_empty());
}

#[actix_web::test]
async fn the_connection_survives_a_refused_small_body() {
    let server = run();
    let mut stream = connect(server.address).await;
    let request = |path: &str| {
        format!("POST {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n{ENDED}", ENDED.len())
    };
    for _ in 0..3 {
        stream.write_all(request(THREECX).as_bytes()).await.unwrap();
        let answer = super::client::read_until(&mut stream, "signature_missing\"}").await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
        assert!(!answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    }
}

#[actix_web::test]
async fn without_a_secret_no_signature_is_needed() {
    let mut settings = settings();
    settings.threecx.auth = WebhookAuth::OpenInDevelopment;
    let server = run_with(settings);
    assert_eq!(send(server.address, "POST", THREECX, &[], ENDED.as_bytes()).await.status, 200);
    assert_eq!(
        send(server.address, "POST", POSTCALL, &[], b"{}").await.status,
        401,
        "the other one has its own"
    );
}

#[actix_web::test]
async fn only_trusted_addresses_may_post() {
    let mut strict = settings();
    strict.threecx.trusted_ips = Some(addresses(&["192.0.2.0/24"]));
    let server = run_with(strict.clone());
    assert_eq!(server.post(THREECX, ENDED).await.code(), "address_not_trusted");
    let claimed = signed_from("192.0.2.7");
    let claimed: Vec<(&str, &str)> = claimed.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = send(server.address, "POST", THREECX, &claimed, ENDED.as_bytes()).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (403, "address_not_trusted"),
        "a claim is no address"
    );

    strict.trusted_proxies = addresses(&["127.0.0.1"]);
    let server = run_with(strict);
    for (from, status) in
        [("192.0.2.7", 200), ("192.0.2.7, 198.51.100.1", 403), ("198.51.100.1, 192.0.2.7", 200)]
    {
        let headers = signed_from(from);
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = send(server.address, "POST", THREECX, &headers, ENDED.as_bytes()).await;
        assert_eq!(answer.status, status, "{from}");
    }
}

fn signed_from(forwarded_for: &str) -> Vec<(&'static str, String)> {
    let (name, value) = sign(Kind::ThreeCx, SECRET.as_bytes(), ENDED.as_bytes(), now_plus(0));
    vec![(name, value), ("x-forwarded-for", forwarded_for.to_owned())]
}

#[actix_web::test]
async fn other_methods_are_405_with_an_allow_header() {
    let server = run();
    for path in [THREECX, POSTCALL, "/webhook/elevenlabs/initiation"] {
        for method in ["GET", "PUT", "DELETE", "PATCH"] {
            let answer = send(server.address, method, path, &[], b"").await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (405, "method_not_allowed"),
                "{method} {path}"
            );
            assert_eq!(answer.headers["allow"], "POST");
        }
    }
}

#[actix_web::test]
async fn initiation_needs_its_secret_and_answers_with_the_fallback_voice() {
    let server = run();
    let path = "/webhook/elevenlabs/initiation";
    let body = br#"{"caller_id":"+1","agent_id":"a","called_number":"+2","call_sid":"s"}"#;
    for secret in [None, Some("knock"), Some("knock knock knock")] {
        let headers: Vec<(&str, &str)> =
            secret.iter().map(|secret| ("x-initiation-secret", *secret)).collect();
        let answer = send(server.address, "POST", path, &headers, body).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "secret_wrong"));
    }
    let right = [("X-Initiation-Secret", "knock knock")];
    let answer = send(server.address, "POST", path, &right, body).await;
    assert_eq!(answer.status, 200);
    let json = answer.json();
    assert_eq!(json["type"], "conversation_initiation_client_data");
    assert_eq!(json["conversation_config_override"]["tts"]["voice_id"], "fallback-voice");
    assert_eq!(send(server.address, "POST", path, &right, b"{").await.code(), "bad_json");

    let transfer = InitiationAnswer {
        call: Some(CALL),
        voice: Some(VoiceId::new("cloned")),
        ..InitiationAnswer::UNKNOWN
    };
    let closed = InitiationAnswer { may_set_voice: false, ..transfer.clone() };
    let continued = InitiationAnswer {
        without_greeting: true,
        earlier: Some("agent: Good morning".to_owned()),
        ..transfer.clone()
    };
    server.engine.change(|script| script.transfer = Some(transfer));
    let json = send(server.address, "POST", path, &right, body).await.json();
    assert_eq!(json["conversation_config_override"]["tts"]["voice_id"], "cloned");
    assert_eq!(json["user_id"], CALL.to_string());
    let variables = json!({"call_id": CALL.to_string(), "precall_purpose": "agent"});
    assert_eq!(json["dynamic_variables"], variables);
    // An agent that does not allow its voice to be set is sent none: it would refuse the conversation.
    server.engine.change(|script| script.transfer = Some(closed));
    let json = send(server.address, "POST", path, &right, body).await.json();
    assert_eq!(json["conversation_config_override"], json!(null));
    // A caller who was in a conversation is not greeted again.
    server.engine.change(|script| script.transfer = Some(continued));
    let json = send(server.address, "POST", path, &right, body).await.json();
    assert_eq!(json["conversation_config_override"]["agent"], json!({"first_message": ""}));
    assert_eq!(json["dynamic_variables"]["earlier_conversation"], "agent: Good morning");
    let asked = server.engine.asked();
    let Some(Asked::Initiation(asked)) = asked.last() else { panic!("{asked:?}") };
    assert_eq!((asked.agent_id.as_str(), asked.called.as_str(), asked.caller.as_str()), ("a", "+2", "+1"));
    assert_eq!(asked.call_sid.as_deref(), Some("s"));

    let mut closed = settings();
    closed.initiation_secret = None;
    let server = run_with(closed);
    assert_eq!(send(server.address, "POST", path, &right, body).await.status, 404);
}

#[actix_web::test]
async fn a_webhook_by_token_ends_calls_and_begins_none() {
    let server = run();
    let basic = format!("Basic {}", STANDARD.encode(format!("3cx:{TOKEN}")));
    let bearer = format!("Bearer {TOKEN}");
    let in_path = format!("{THREECX}/{TOKEN}");
    let ways: [(&str, Vec<(&str, &str)>); 4] = [
        (THREECX, vec![("authorization", bearer.as_str())]),
        (THREECX, vec![("authorization", basic.as_str())]),
        (THREECX, vec![("x-api-key", TOKEN)]),
        (in_path.as_str(), vec![]),
    ];
    let incoming = br#"{"event_type":"IncomingCall","call_id":"78","caller_id":"+12025550111"}"#;
    for (path, headers) in &ways {
        let asked = server.engine.asked().len();
        let answer = send(server.address, "POST", path, headers, incoming).await;
        assert_eq!(
            (answer.status, answer.json()["status"].as_str()),
            (200, Some("ignored")),
            "{path} {headers:?}"
        );
        assert_eq!(server.engine.asked().len(), asked, "the engine is not asked to begin a call");
        let answer = send(server.address, "POST", path, headers, ENDED.as_bytes()).await;
        assert_eq!(answer.status, 200, "{path} {headers:?}");
        assert_eq!(server.engine.asked().len(), asked + 1, "the end of a call is passed on");
        // A signature counts more than the token: a wrong one is not saved by it.
        let (name, wrong) = sign(Kind::ThreeCx, b"another", ENDED.as_bytes(), now_plus(0));
        let both = [headers.as_slice(), &[(name, wrong.as_str())]].concat();
        let answer = send(server.address, "POST", path, &both, ENDED.as_bytes()).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "signature_wrong"));
        // What cannot be read is not kept: it could be replayed, and begin a call then.
        let answer = send(server.address, "POST", path, headers, b"{").await;
        assert_eq!(answer.status, 400);
    }
    assert!(server.engine.kept().iter().all(|row| row.kind != "3cx" && row.state != "quarantined"));
    let wrong = format!("{THREECX}/{}", TOKEN.replace("token", "taken"));
    for (path, headers) in [(wrong.as_str(), vec![]), (THREECX, vec![("authorization", "Bearer wrong")])] {
        let answer = send(server.address, "POST", path, &headers, ENDED.as_bytes()).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "secret_wrong"), "{path}");
    }
}

#[actix_web::test]
async fn without_a_token_in_the_configuration_only_signatures_count() {
    let mut closed = settings();
    closed.threecx_token = None;
    let server = run_with(closed);
    let bearer = format!("Bearer {TOKEN}");
    let answer = send(server.address, "POST", THREECX, &[("authorization", &bearer)], ENDED.as_bytes()).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "signature_missing"));
    let answer = send(server.address, "POST", &format!("{THREECX}/{TOKEN}"), &[], ENDED.as_bytes()).await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "secret_wrong"));
    assert!(server.engine.asked().is_empty());
}
