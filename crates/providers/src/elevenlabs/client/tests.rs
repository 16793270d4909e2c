//! The client against servers that fail in each way that a network can.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // A failed test is a failed test.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::elevenlabs::error::{Execution, ProviderError, ProviderErrorKind as Kind};
use crate::elevenlabs::test_server::{
    LONG, answer, answering, call, check, client, read_request, run, server, voice,
};

const SHORT: Duration = Duration::from_millis(400);

async fn dial(base: &str, within: Duration) -> ProviderError {
    client(base).outbound_call(&call(), within).await.unwrap_err()
}

#[test]
fn a_refused_port_is_surely_not() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        check(&dial(&base, LONG).await, Kind::Unreachable, Execution::SurelyNot);
    });
}

#[test]
fn a_failed_tls_handshake_is_surely_not() {
    run(async {
        let base = server(|mut socket| async move {
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        });
        let base = base.await.replace("http://", "https://");
        check(&dial(&base, LONG).await, Kind::Unreachable, Execution::SurelyNot);
    });
}

#[test]
fn a_connection_closed_before_or_after_reading_is_maybe() {
    run(async {
        let before = server(|socket| async move { drop(socket) }).await;
        check(&dial(&before, LONG).await, Kind::Lost, Execution::Maybe);
        let after = answering(Vec::new()).await;
        let error = dial(&after, LONG).await;
        check(&error, Kind::Lost, Execution::Maybe);
        assert_eq!(error.status, None);
    });
}

#[test]
fn half_a_response_is_maybe() {
    run(async {
        let head = answering(b"HTTP/1.1 200 OK\r\ncontent-le".to_vec()).await;
        assert_eq!(dial(&head, LONG).await.execution, Execution::Maybe);
        let body =
            answering(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"success\":true".to_vec()).await;
        let error = dial(&body, LONG).await;
        check(&error, Kind::Lost, Execution::Maybe);
        assert_eq!(error.status, Some(200));
        // Valid JSON, but shorter than announced.
        let cut =
            answering(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"success\":true}".to_vec()).await;
        check(&dial(&cut, LONG).await, Kind::Lost, Execution::Maybe);
        let chunked =
            answering(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"suc\r\n".to_vec()).await;
        check(&dial(&chunked, LONG).await, Kind::Garbled, Execution::Maybe);
        let refusal = answering(b"HTTP/1.1 422 No\r\ncontent-length: 500\r\n\r\n{".to_vec()).await;
        check(&dial(&refusal, LONG).await, Kind::Lost, Execution::Maybe);
    });
}

#[test]
fn a_body_that_stops_or_trickles_is_given_up_long_before_the_deadline() {
    run(async {
        for drips in [false, true] {
            let peer = server(move |mut socket| async move {
                let _ = read_request(&mut socket).await;
                let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{").await;
                while drips && socket.write_all(b" ").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                let _ = socket.read_u8().await; // Until the client leaves.
            });
            let error = dial(&peer.await, LONG).await;
            check(&error, Kind::Timeout, Execution::Maybe);
            assert_eq!(error.status, Some(200));
            assert!(error.to_string().contains("stopped before its end"), "{error}");
        }
    });
}

#[test]
fn one_deadline_covers_silence_and_a_dripping_body() {
    run(async {
        let silent = server(|mut socket| async move {
            let _ = read_request(&mut socket).await;
            let _ = socket.read_u8().await; // Until the client leaves.
        });
        let started = Instant::now();
        check(&dial(&silent.await, SHORT).await, Kind::Timeout, Execution::Maybe);
        let dripping = server(|mut socket| async move {
            let _ = read_request(&mut socket).await;
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await;
            while socket.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        // Long enough for the head; the body would take 20 s.
        let error = dial(&dripping.await, Duration::from_secs(2)).await;
        check(&error, Kind::Timeout, Execution::Maybe);
        assert_eq!(error.status, Some(200));
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    });
}

#[test]
fn waiting_for_a_connection_is_part_of_the_deadline_and_surely_not() {
    run(async {
        let (asked, mut requests) = mpsc::unbounded_channel();
        let base = server(move |mut socket| {
            let asked = asked.clone();
            async move {
                let _ = read_request(&mut socket).await;
                let _ = asked.send(());
                let _ = socket.read_u8().await;
            }
        });
        let client = client(&base.await);
        for _ in 0..100 {
            let client = client.clone();
            actix::spawn(async move { client.outbound_call(&call(), LONG).await });
        }
        for _ in 0..100 {
            requests.recv().await.unwrap();
        }
        let error = client.outbound_call(&call(), SHORT).await.unwrap_err();
        check(&error, Kind::Timeout, Execution::SurelyNot);
    });
}

#[test]
fn a_broken_upload_is_surely_not() {
    run(async {
        let base = server(|mut socket| async move {
            let mut some = [0; 10_000];
            let _ = socket.read_exact(&mut some).await;
        });
        let error = client(&base.await).add_voice(&voice(24 * 1024 * 1024), LONG).await.unwrap_err();
        check(&error, Kind::Lost, Execution::SurelyNot);
        let stuck = server(|mut socket| async move {
            let mut some = [0; 10_000];
            let _ = socket.read_exact(&mut some).await;
            std::future::pending::<()>().await;
        });
        let error = client(&stuck.await).add_voice(&voice(24 * 1024 * 1024), SHORT).await.unwrap_err();
        check(&error, Kind::Timeout, Execution::SurelyNot);
    });
}

#[test]
fn unparsable_responses_are_maybe() {
    run(async {
        for body in ["garbage", "", "[]", "{}", "null", r#"{"success":"yes"}"#] {
            let error = dial(&answering(answer("200 OK", body)).await, LONG).await;
            check(&error, Kind::Garbled, Execution::Maybe);
            assert_eq!(error.status, Some(200));
        }
        let large = format!("{{\"success\":true,\"message\":\"{}\"}}", "x".repeat(300 * 1024));
        check(&dial(&answering(answer("200 OK", &large)).await, LONG).await, Kind::Garbled, Execution::Maybe);
        let noise = answering(b"\x16\x03\x01 this is not HTTP\r\n\r\n".to_vec()).await;
        check(&dial(&noise, LONG).await, Kind::Garbled, Execution::Maybe);
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(400 * 1024));
        assert_eq!(dial(&answering(endless.into_bytes()).await, LONG).await.execution, Execution::Maybe);
    });
}

#[test]
fn a_complete_refusal_is_surely_not_and_a_server_error_is_maybe() {
    run(async {
        let table = [
            (
                "401 Unauthorized",
                r#"{"detail":{"code":"unauthorized"}}"#,
                Kind::Unauthorised,
                Execution::SurelyNot,
            ),
            (
                "404 Not Found",
                r#"{"detail":{"code":"agent_not_found"}}"#,
                Kind::NotFound,
                Execution::SurelyNot,
            ),
            (
                "422 Unprocessable",
                r#"{"detail":[{"loc":["body"],"msg":"m"}]}"#,
                Kind::Invalid,
                Execution::SurelyNot,
            ),
            ("500 Oops", "oops", Kind::Server, Execution::Maybe),
            ("503 Later", r#"{"detail":{"code":"service_unavailable"}}"#, Kind::Server, Execution::Maybe),
            (
                "200 OK",
                r#"{"success":false,"message":"no trunk for +4917112345678","conversation_id":null}"#,
                Kind::Declined,
                Execution::SurelyNot,
            ),
        ];
        for (status, body, kind, execution) in table {
            let error = dial(&answering(answer(status, body)).await, LONG).await;
            check(&error, kind, execution);
            assert!(!error.to_string().contains("17112345678"), "{error}");
        }
        let body = r#"{"detail":{"code":"rate_limit_exceeded"}}"#;
        let patience =
            format!("HTTP/1.1 429 Slow\r\nretry-after: 7\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let error = dial(&answering(patience.into_bytes()).await, LONG).await;
        check(&error, Kind::RateLimited, Execution::SurelyNot);
        assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
    });
}

#[test]
fn a_redirect_is_not_followed() {
    run(async {
        let (asked, mut requests) = mpsc::unbounded_channel();
        let base = server(move |mut socket| {
            let asked = asked.clone();
            async move {
                let _ = asked.send(read_request(&mut socket).await.unwrap().0);
                let _ = socket
                    .write_all(b"HTTP/1.1 307 Elsewhere\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n")
                    .await;
            }
        });
        check(&dial(&base.await, LONG).await, Kind::Redirected, Execution::Maybe);
        assert!(requests.recv().await.unwrap().starts_with("POST /v1/convai/sip-trunk/outbound-call "));
        assert!(requests.try_recv().is_err());
    });
}

#[test]
fn a_dropped_request_closes_its_connection() {
    run(async {
        let (gone, mut left) = mpsc::unbounded_channel();
        let base = server(move |mut socket| {
            let gone = gone.clone();
            async move {
                let _ = read_request(&mut socket).await;
                let _ = gone.send("asked");
                assert_eq!(socket.read(&mut [0; 8]).await.unwrap_or(0), 0);
                let _ = gone.send("left");
            }
        });
        let client = client(&base.await);
        let asking = actix::spawn(async move { client.outbound_call(&call(), LONG).await });
        assert_eq!(left.recv().await, Some("asked"));
        asking.abort();
        assert_eq!(left.recv().await, Some("left"));
    });
}
