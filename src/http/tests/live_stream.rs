//! The stream of the live board: `/api/v1/live/stream`.

use std::time::{Duration, Instant};

use precall_actors::api::LiveCall;
use precall_call::{At, CallId};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::client::{PATIENCE, connect, get, head, read_answer, read_until};
use super::harness::{OPERATOR, READER, Running, run};
use super::scripted::{CALL, ended_call, live_call};

const PATH: &str = "/api/v1/live/stream";

async fn watch(server: &Running, key: &str, last: Option<&str>) -> TcpStream {
    let mut stream = connect(server.address).await;
    let mut headers = vec![("x-api-key", key)];
    headers.extend(last.map(|last| ("last-event-id", last)));
    stream.write_all(head("GET", PATH, &headers).as_bytes()).await.unwrap();
    stream
}

/// A message of the stream.
#[derive(Debug)]
struct Message {
    id: String,
    event: String,
    data: Value,
}

/// The messages of a stream, one after the other.
struct Messages {
    stream: TcpStream,
    text: String,
}

impl Messages {
    async fn of(server: &Running, last: Option<&str>) -> Self {
        Self { stream: watch(server, READER, last).await, text: String::new() }
    }

    async fn next(&mut self) -> Message {
        loop {
            if let Some((before, message)) = self.text.split_once("\nid: ")
                && let Some((message, _)) = message.split_once("\n\n")
            {
                let length = before.len() + "\nid: ".len() + message.len() + 2;
                let mut lines = message.lines();
                let message = Message {
                    id: lines.next().unwrap().to_owned(),
                    event: lines.next().unwrap().strip_prefix("event: ").unwrap().to_owned(),
                    data: serde_json::from_str(lines.next().unwrap().strip_prefix("data: ").unwrap())
                        .unwrap(),
                };
                self.text.drain(..length);
                return message;
            }
            let mut piece = [0_u8; 16_384];
            let read = timeout(PATIENCE, self.stream.read(&mut piece)).await.expect("a message").unwrap();
            assert!(read > 0, "the stream has ended: {}", self.text);
            self.text.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        }
    }

    /// The next message of this kind, whatever comes before it.
    async fn next_of(&mut self, event: &str) -> Message {
        let reading = async {
            loop {
                let message = self.next().await;
                if message.event == event {
                    return message;
                }
            }
        };
        timeout(PATIENCE, reading).await.expect("a message of this kind")
    }
}

/// The end of the stream.
async fn end(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it ends");
}

#[actix_web::test]
async fn a_snapshot_comes_first_and_then_what_changes() {
    let server = run();
    let mut stream = Messages::of(&server, None).await;
    let snapshot = stream.next().await;
    assert_eq!(snapshot.event, "snapshot");
    let call = &snapshot.data["calls"][0];
    assert_eq!((&call["pbx"], &call["called_number"]), (&"main".into(), &"+493099999".into()));
    assert_eq!(call["clone"]["stage"], "uploading");
    assert_eq!(call["clone"]["until"], "2025-11-29T14:11:55Z");
    assert_eq!((&call["handoff_attempts"], &call["problem"]), (&0.into(), &Value::Null));
    assert_eq!(snapshot.data["health"]["status"], "ok");
    assert_eq!(
        (&snapshot.data["counters"]["live"], &snapshot.data["counters"]["greeting"]),
        (&1.into(), &1.into())
    );
    assert_eq!(snapshot.data["ended"], Value::Array(Vec::new()));

    let problem = Some("handoff attempt 1 failed: refused".into());
    server.engine.board.put(LiveCall { state: "holding", problem, ..live_call() });
    let change = stream.next_of("change").await;
    assert_eq!(change.data["changed"][0]["state"], "holding");
    assert_eq!(change.data["counters"]["with_problem"], 1);
    assert_ne!(change.id, snapshot.id);
    server.engine.board.end(ended_call(CALL.0));
    let change = stream.next_of("change").await;
    assert_eq!(
        (&change.data["changed"], &change.data["gone"]),
        (&Value::Array(vec![]), &Value::Array(vec![]))
    );
    let ended = &change.data["ended"][0];
    assert_eq!(ended["id"], CALL.to_string());
    assert_eq!(
        ended["sentence"],
        "No attempt to connect the caller succeeded, then a person or queue: the call went on there."
    );
    assert_eq!((&ended["cause"], &ended["blame"]), (&"handoff_failed".into(), &"provider".into()));
    assert_eq!((&ended["told"], &ended["failed"]), (&"person".into(), &true.into()));
    assert_eq!(
        (&change.data["counters"]["live"], &change.data["counters"]["failed_last_hour"]),
        (&0.into(), &1.into())
    );
    server.engine.board.expire(At(crate::http::clock::now().0 + 400_000_000));
    assert_eq!(stream.next_of("change").await.data["gone"][0], CALL.to_string());
}

#[actix_web::test]
async fn the_list_of_live_calls_has_the_ended_ones() {
    let server = run();
    server.engine.board.end(ended_call(9));
    let answer = get(server.address, "/api/v1/live", &[("x-api-key", READER)]).await.json();
    assert_eq!((&answer["items"][0]["pbx"], &answer["counters"]["live"]), (&"main".into(), &1.into()));
    assert_eq!(answer["ended"][0]["id"], CallId(9).to_string());
}

#[actix_web::test]
async fn health_comes_when_it_changes_and_a_beat_when_nothing_does() {
    let server = run();
    let mut stream = Messages::of(&server, None).await;
    stream.next_of("health").await;
    let begun = Instant::now();
    stream.next_of("beat").await;
    assert!(begun.elapsed() < Duration::from_millis(3_000), "{:?}", begun.elapsed());
    // Figures alone are no reason to send health before its time.
    server.engine.change(|script| script.health.queued_events = 99);
    stream.next_of("health").await;
    assert!(begun.elapsed() > Duration::from_millis(4_000), "{:?}", begun.elapsed());
    server.engine.change(|script| script.health.elevenlabs = Some(false));
    let begun = Instant::now();
    let health = stream.next_of("health").await;
    assert_eq!(health.data["health"]["elevenlabs"], "error");
    assert!(begun.elapsed() < Duration::from_millis(2_500), "{:?}", begun.elapsed());
}

#[actix_web::test]
async fn an_id_that_says_nothing_here_is_reset() {
    let server = run();
    let id = Messages::of(&server, None).await.next().await.id;
    let (instance, number) = id.split_once('-').unwrap();
    let future = format!("{instance}-{}", number.parse::<u64>().unwrap() + 1_000);
    let other = format!("00000000-{number}");
    for (last, reason) in
        [("x", "unknown"), ("7", "unknown"), (&*future, "future"), (&*other, "other_process")]
    {
        let mut stream = Messages::of(&server, Some(last)).await;
        let reset = stream.next().await;
        assert_eq!((&*reset.event, &reset.data["reason"]), ("reset", &reason.into()), "{last}");
        assert_eq!(stream.next().await.event, "snapshot");
    }
    assert_eq!(Messages::of(&server, Some(&id)).await.next().await.event, "snapshot", "its own id");
}

#[actix_web::test]
async fn one_key_has_a_limit_of_its_own() {
    let server = run();
    let mut open = Vec::new();
    for _ in 0..16 {
        let mut stream = watch(&server, READER, None).await;
        read_until(&mut stream, "event: snapshot").await;
        open.push(stream);
    }
    let answer = read_answer(&mut watch(&server, READER, None).await).await;
    assert_eq!((answer.status, answer.code().as_str()), (429, "too_many_streams"));
    read_until(&mut watch(&server, OPERATOR, None).await, "event: snapshot").await;
    // The event streams are counted apart.
    let events = head("GET", "/api/v1/events", &[("x-api-key", READER)]);
    let mut stream = connect(server.address).await;
    stream.write_all(events.as_bytes()).await.unwrap();
    read_until(&mut stream, ": from").await;
}

#[actix_web::test]
async fn a_client_that_stops_reading_is_cut_and_counted_no_more() {
    let server = run();
    // More than the buffers of a connection hold.
    for id in 0..8_000 {
        server.engine.board.put(LiveCall { id: CallId(id), ..live_call() });
    }
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stuck = socket.connect(server.address).await.unwrap();
    stuck.write_all(head("GET", PATH, &[("x-api-key", OPERATOR)]).as_bytes()).await.unwrap();
    read_until(&mut stuck, "event: snapshot").await;
    let mut open = Vec::new();
    for _ in 0..15 {
        let mut stream = watch(&server, OPERATOR, None).await;
        read_until(&mut stream, "HTTP/1.1 200").await;
        open.push(tokio::task::spawn_local(async move {
            let mut piece = vec![0_u8; 1 << 16];
            while stream.read(&mut piece).await.is_ok_and(|read| read > 0) {}
        }));
    }
    let begun = Instant::now();
    loop {
        let head = read_until(&mut watch(&server, OPERATOR, None).await, "\r\n").await;
        if head.starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(head.contains("429") && begun.elapsed() < Duration::from_secs(40), "{head}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(begun.elapsed() > Duration::from_secs(5), "it had time to read: {:?}", begun.elapsed());
    end(&mut stuck).await;
    assert!(open.iter().all(|reading| !reading.is_finished()), "who reads is not cut");
}

#[actix_web::test]
async fn a_stream_goes_on_during_a_drain_and_does_not_hold_up_the_stop() {
    let server = run();
    let mut stream = Messages::of(&server, None).await;
    stream.next().await;
    server.engine.change(|script| script.health.draining = true);
    while stream.next_of("health").await.data["health"]["draining"] != true {}
    server.engine.board.put(LiveCall { state: "conversing", ..live_call() });
    stream.next_of("change").await;
    let begun = Instant::now();
    server.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    end(&mut stream.stream).await;
}
