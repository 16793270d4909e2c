//! Bare line feeds in raw requests, over real connections.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::client::{PATIENCE, connect, read_answer};
use super::harness::{Running, SECRET, THREECX, now_plus, run};
use crate::signature::{Kind, sign};

/// Sends the bytes, and reads until the server closes the connection.
async fn exchange(server: &Running, bytes: &[u8]) -> String {
    let mut stream = connect(server.address).await;
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the connection is closed").unwrap();
    String::from_utf8(answer).unwrap()
}

/// The status of each answer in the bytes.
fn statuses(answers: &str) -> Vec<&str> {
    answers.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)).collect()
}

/// A signed webhook with this body, framed as told by `framed`.
fn webhook(body: &[u8], framed: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let (name, value) = sign(Kind::ThreeCx, SECRET.as_bytes(), body, now_plus(0));
    let head = format!("POST {THREECX} HTTP/1.1\r\nhost: a\r\n{name}: {value}\r\n");
    [head.into_bytes(), framed(body)].concat()
}

const ENDED: &[u8] = br#"{"event_type":"CallEnded","call_id":"77"}"#;

/// The body in one chunk. `size` ends the line with its size, `data` the chunk, `trailer` stands after the last one.
fn chunked(body: &[u8], (size, data, trailer): (&str, &str, &str)) -> Vec<u8> {
    let begin = format!("transfer-encoding: chunked\r\n\r\n{:x}{size}", body.len());
    [begin.as_bytes(), body, data.as_bytes(), b"0\r\n", trailer.as_bytes()].concat()
}

#[actix_web::test]
async fn a_bare_line_feed_in_a_head_is_refused_and_the_connection_closed() {
    let server = run();
    for request in [
        "GET /health/live HTTP/1.1\nhost: a\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nhost: a\n\r\n",
        "GET /health/live HTTP/1.1\r\nhost: a\r\nx: y\nz: w\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nhost: a\r\n\n",
        "GET /health/live HTTP/1.1\nhost: a\n\n",
        "\nGET /health/live HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        assert_eq!(statuses(&exchange(&server, request.as_bytes()).await), ["400"], "{request:?}");
    }
    let second = "GET /health/live HTTP/1.1\r\nhost: a\r\n\r\nGET /health/live HTTP/1.1\r\nhost: a\n\r\n";
    assert_eq!(statuses(&exchange(&server, second.as_bytes()).await), ["200", "400"], "only the second");
}

#[actix_web::test]
async fn a_bare_line_feed_in_the_framing_of_a_body_is_refused_and_the_connection_closed() {
    let server = run();
    for framing in [
        ("\n", "\r\n", "\r\n"),
        (";x\n", "\r\n", "\r\n"),
        ("\r\n", "\n", "\r\n"),
        ("\r\n", "\r\n", "\n"),
        ("\r\n", "\r\n", "x: y\n\r\n"),
        ("\r\n", "\r\n", "x: y\r\n\n"),
    ] {
        let mut request = webhook(ENDED, |body| chunked(body, framing));
        request.extend_from_slice(b"GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(statuses(&exchange(&server, &request).await), ["400"], "{framing:?}");
    }
    assert!(server.engine.asked().is_empty(), "nothing of it reached the engine");
}

#[actix_web::test]
async fn line_feeds_of_bodies_and_several_requests_of_one_connection_pass() {
    let server = run();
    let spaced = [b"{\n".as_slice(), &vec![b'\n'; 200_000], &ENDED[1..]].concat();
    let whole = |body: &[u8]| [format!("content-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat();
    let last = b"GET /health/live HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let pipelined = [
        webhook(ENDED, whole),
        webhook(&spaced, whole),
        webhook(&spaced, |body| chunked(body, ("\r\n", "\r\n", "x: y\r\n\r\n"))),
        webhook(ENDED, |body| chunked(body, (";x=1\r\n", "\r\n", "\r\n"))),
        last.to_vec(),
    ]
    .concat();
    assert_eq!(statuses(&exchange(&server, &pipelined).await), ["200"; 5]);
    assert_eq!(server.engine.asked().len(), 4);
    let mut stream = connect(server.address).await;
    for _ in 0..3 {
        stream.write_all(&webhook(&spaced, whole)).await.unwrap();
        assert_eq!(read_answer(&mut stream).await.status, 200, "one after another");
    }
    for byte in last {
        stream.write_all(&[*byte]).await.unwrap();
    }
    assert_eq!(read_answer(&mut stream).await.status, 200, "byte by byte");
}
