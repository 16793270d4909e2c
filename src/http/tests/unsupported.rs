//! Content codings, offers of other protocols, byte order marks.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::client::{connect, read_answer, send};
use super::harness::{OPERATOR, POSTCALL, READER, SECRET, THREECX, now_plus, run};
use super::scripted::Asked;
use crate::signature::{Kind, sign};

#[actix_web::test]
async fn an_offer_of_another_protocol_is_ignored() {
    let server = run();
    for (offer, others) in [
        ("h2c", "connection: Upgrade, HTTP2-Settings\r\nhttp2-settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"),
        ("h2c", "connection: upgrade\r\n"),
        ("TLS/1.0", "connection: keep-alive, upgrade\r\n"),
        (
            "websocket",
            "connection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZQ==\r\n",
        ),
    ] {
        for path in ["/health", "/api/v1/calls", "/nothing"] {
            let mut stream = connect(server.address).await;
            let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nupgrade: {offer}\r\n{others}\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let answer = timeout(Duration::from_secs(10), read_answer(&mut stream)).await.unwrap();
            assert!([200, 401, 404].contains(&answer.status), "{answer:?}");
            assert!(!answer.headers.contains_key("upgrade"), "{answer:?}");
            assert_eq!(answer.headers["connection"], "close", "{offer} {path}");
        }
    }
}

#[actix_web::test]
async fn a_body_in_a_content_coding_is_415() {
    let server = run();
    let key = ("x-api-key", OPERATOR);
    for coding in ["gzip", "br", "deflate", "zstd", "x-unknown", "identity, gzip", "GZIP"] {
        for path in [THREECX, POSTCALL, "/webhook/elevenlabs/initiation", "/api/v1/voices/warm"] {
            let headers = [key, ("content-encoding", coding)];
            let answer = send(server.address, "POST", path, &headers, b"{}").await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (415, "unsupported_coding"),
                "{path} {coding}"
            );
            assert_eq!(answer.headers["accept-encoding"], "identity");
        }
    }
    for coding in ["identity", "Identity", ""] {
        let headers = [("x-api-key", READER), ("content-encoding", coding)];
        assert_eq!(send(server.address, "GET", "/api/v1/live", &headers, b"").await.status, 200, "{coding}");
    }
    assert!(server.engine.asked().is_empty());
}

#[actix_web::test]
async fn a_byte_order_mark_is_signed_and_not_parsed() {
    let server = run();
    let report =
        r#"{"type":"post_call_transcription","data":{"agent_id":"a","conversation_id":"c","status":"done"}}"#;
    for (path, body) in [(THREECX, r#"{"event_type":"CallEnded","call_id":"77"}"#), (POSTCALL, report)] {
        let marked = format!("\u{feff}{body}");
        let answer = server.post(path, &marked).await;
        assert_eq!(answer.status, 200, "{path} {answer:?}");
        let kind = if path == THREECX { Kind::ThreeCx } else { Kind::ElevenLabs };
        let (name, value) = sign(kind, SECRET.as_bytes(), body.as_bytes(), now_plus(0));
        let answer = send(server.address, "POST", path, &[(name, &value)], marked.as_bytes()).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "signature_wrong"), "{path}");
    }
    assert!(server.engine.kept().iter().all(|row| row.state == "done"), "{:?}", server.engine.kept());
    let headers = [("x-initiation-secret", "knock knock")];
    let marked = "\u{feff}{\"caller_id\":\"+4930123456\",\"call_sid\":\"a\\u0000b\"}";
    let answer =
        send(server.address, "POST", "/webhook/elevenlabs/initiation", &headers, marked.as_bytes()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let asked = server.engine.asked();
    assert!(
        matches!(asked.last(), Some(Asked::Initiation(asked)) if asked.call_sid.is_none()),
        "an id that PostgreSQL cannot store is none: {asked:?}"
    );
}
