//! Tests of the feed without a server: what is encoded when, and what all viewers share.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failing test may panic")]

use std::sync::atomic::Ordering;

use precall_actors::api::LiveCall;
use precall_call::{At, CallId};

use super::*;
use crate::http::tests::scripted::{Scripted, live_call};

fn feed() -> (Arc<LiveFeed>, Arc<Scripted>) {
    let engine = Scripted::new();
    let feed = LiveFeed::new(engine.clone());
    feed.run(std::future::pending());
    (feed, engine)
}

/// Shows the call with a last event at this second.
fn show(engine: &Scripted, id: u128, second: i64) {
    let call = LiveCall { id: CallId(id), last_event_at: At(second * 1_000_000), ..live_call() };
    engine.board.put(call);
}

/// The name and the data of a message.
fn read(message: &Bytes) -> (String, serde_json::Value) {
    let text = String::from_utf8(message.to_vec()).unwrap();
    let mut lines = text.trim_end().lines().skip(1);
    let event = lines.next().unwrap().strip_prefix("event: ").unwrap().to_owned();
    let data = lines.next().unwrap().strip_prefix("data: ").unwrap();
    (event, serde_json::from_str(data).unwrap())
}

/// The next message that is a change.
async fn next_change(messages: &mut broadcast::Receiver<Bytes>) -> (Bytes, serde_json::Value) {
    loop {
        let message = messages.recv().await.unwrap();
        let (event, data) = read(&message);
        if event == "change" {
            return (message, data);
        }
    }
}

#[actix_web::test]
async fn viewers_share_the_bytes_of_snapshot_and_change() {
    let (feed, engine) = feed();
    let mut first = feed.join().unwrap();
    let mut second = feed.join().unwrap();
    assert_eq!(first.snapshot.as_ptr(), second.snapshot.as_ptr(), "encoded once");
    show(&engine, 2, 1);
    let (sent, data) = next_change(&mut first.messages).await;
    let (same, _) = next_change(&mut second.messages).await;
    assert_eq!(sent.as_ptr(), same.as_ptr(), "encoded once");
    assert_eq!(data["counters"]["live"], 2);
    assert_eq!(data["changed"].as_array().unwrap().len(), 1);
    let third = feed.join().unwrap();
    assert_ne!(third.snapshot.as_ptr(), first.snapshot.as_ptr(), "there is something new");
    assert_eq!(read(&third.snapshot).1["calls"].as_array().unwrap().len(), 2);
}

#[actix_web::test]
async fn changes_are_collected() {
    let (feed, engine) = feed();
    let mut viewer = feed.join().unwrap();
    show(&engine, 2, 1);
    next_change(&mut viewer.messages).await;
    let begun = Instant::now();
    for second in 2..50 {
        show(&engine, 2, second);
        show(&engine, 3, second);
        tokio::task::yield_now().await;
    }
    let (_, data) = next_change(&mut viewer.messages).await;
    assert!(begun.elapsed() >= CHANGES_EVERY - Duration::from_millis(50), "{:?}", begun.elapsed());
    let changed = data["changed"].as_array().unwrap();
    assert_eq!(changed.len(), 2);
    assert_eq!(changed[0]["last_event_at"], "1970-01-01T00:00:49Z", "the latest state");
}

#[actix_web::test]
async fn without_a_viewer_nothing_is_read() {
    let (feed, engine) = feed();
    let reads = || engine.health_reads.load(Ordering::Relaxed);
    for second in 0..20 {
        show(&engine, 2, second);
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    assert_eq!((reads(), feed.lock().seq), (0, 0));
    let viewer = feed.join().unwrap();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert!(reads() >= 2, "a snapshot, and a comparison");
    drop(viewer);
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let (before, seq) = (reads(), feed.lock().seq);
    show(&engine, 3, 1);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!((reads(), feed.lock().seq), (before, seq), "the last viewer has left");
    assert!(feed.lock().snapshot.is_none());
    let late = feed.join().unwrap();
    assert_eq!(read(&late.snapshot).1["calls"].as_array().unwrap().len(), 3, "nothing was missed");
}

#[actix_web::test]
async fn a_viewer_that_lags_is_cut_and_the_others_go_on() {
    let (feed, _engine) = feed();
    let (mut slow, mut quick) = (feed.join().unwrap(), feed.join().unwrap());
    for _ in 0..=MESSAGES_MAX {
        feed.send_beat();
        assert_eq!(read(&quick.messages.recv().await.unwrap()).0, "beat");
    }
    assert!(slow.messages.recv().await.is_err());
}

#[actix_web::test]
async fn a_feed_that_is_closed_ends_its_streams_and_takes_no_viewer() {
    let (feed, _engine) = feed();
    let mut viewer = feed.join().unwrap();
    feed.close();
    assert!(viewer.messages.recv().await.is_err());
    assert_eq!(feed.join().err().map(|problem| problem.code), Some(Code::Draining));
}
