//! The event stream `/api/v1/events`. tests/it tests with a database that no event is lost or doubled.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::client::{connect, get, head, read_answer, read_until};
use super::harness::{READER, Running, run};

async fn follow(server: &Running, last: Option<&str>) -> TcpStream {
    let mut stream = connect(server.address).await;
    let mut headers = vec![("x-api-key", READER)];
    headers.extend(last.map(|last| ("last-event-id", last)));
    stream.write_all(head("GET", "/api/v1/events", &headers).as_bytes()).await.unwrap();
    stream
}

/// Opens streams until the key may have no more, and returns them: they end when they are dropped.
async fn as_many_as_one_key_may(server: &Running) -> Vec<TcpStream> {
    let mut open = Vec::new();
    for _ in 0..8 {
        let mut stream = follow(server, None).await;
        read_until(&mut stream, ": from").await;
        open.push(stream);
    }
    let answer = read_answer(&mut follow(server, None).await).await;
    assert_eq!((answer.status, answer.code().as_str()), (429, "too_many_streams"));
    open
}

#[actix_web::test]
async fn a_stream_starts_at_the_requested_position() {
    let server = run();
    let mut stream = follow(&server, None).await;
    let text = read_until(&mut stream, ": from 7\n\n").await;
    assert!(text.contains("content-type: text/event-stream"), "{text}");
    let mut stream = follow(&server, Some("3")).await;
    read_until(&mut stream, ": from 3\n\n").await;
}

#[actix_web::test]
async fn a_position_that_precall_does_not_know_is_reset_to_the_last_one() {
    let server = run();
    for (last, reason) in [("x", "unknown"), ("-1", "unknown"), ("1e3", "unknown"), ("8", "future")] {
        let mut stream = follow(&server, Some(last)).await;
        let reset = format!("id: 7\nevent: reset\ndata: {{\"position\":7,\"reason\":\"{reason}\"}}\n\n");
        read_until(&mut stream, &reset).await;
    }
    // Before the database was reached, nothing is known of its positions.
    server.engine.change(|script| script.health.database_reached = false);
    let mut stream = follow(&server, Some("8")).await;
    read_until(&mut stream, ": from 8\n\n").await;
    server.engine.change(|script| script.health.database_reached = true);
    read_until(&mut stream, "event: reset").await;
}

#[actix_web::test]
async fn one_key_has_a_limit_of_its_own() {
    let server = run();
    let _open = as_many_as_one_key_may(&server).await;
    let answer = get(server.address, "/api/v1/live", &[("x-api-key", READER)]).await;
    assert_eq!(answer.status, 200);
}

#[actix_web::test]
async fn a_stream_ends_when_precall_shuts_down() {
    let server = run();
    let mut stream = follow(&server, None).await;
    read_until(&mut stream, ": from").await;
    server.engine.change(|script| script.health.draining = true);
    let mut rest = Vec::new();
    let reading = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest);
    tokio::time::timeout(std::time::Duration::from_secs(10), reading).await.expect("it ends").unwrap();
}

#[actix_web::test]
async fn a_stream_that_its_client_left_is_counted_no_more() {
    let server = run();
    let open = as_many_as_one_key_may(&server).await;
    drop(open);
    // The server notices a gone client at its second heartbeat.
    let begun = std::time::Instant::now();
    loop {
        let mut stream = follow(&server, None).await;
        let head = read_until(&mut stream, "\r\n").await;
        if head.starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{head}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
