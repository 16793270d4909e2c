//! Orders to misbehave, but for those about WebSockets.

use std::time::Duration;

use awc::error::SendRequestError;
use serde_json::{Value, json};

use super::super::{EventFault, Fault, Noise, Options, StreamFault};
use super::{Chunk, Hearing, Pbx, leg_path, options, stream_path, tone};

#[actix_web::test]
async fn answers_are_replaced_as_often_as_told() {
    let pbx = Pbx::default().await;
    let order = json!([
        {
            "path": "/callcontrol",
            "method": "get",
            "status": 503,
            "headers": {"retry-after": "1"},
            "skip": 1,
            "times": 2,
        },
        {"path": "/callcontrol/9", "method": "GET", "body": "no json"},
        {"suffix": "/drop", "status": 422, "body": {"finalstatus": "Failed"}},
    ]);
    assert_eq!(pbx.put("/sim/faults", &order).await.status, 200);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(pbx.get("/callcontrol").await.status);
    }
    assert_eq!(statuses, [200, 503, 503, 200]);
    let raw = pbx.get("/callcontrol/900").await;
    assert_eq!((raw.status, &raw.body[..]), (200, &b"no json"[..]));
    let placed = pbx.rings();
    let dropped = pbx.post(&format!("{}/drop", leg_path(&placed)), &json!({})).await;
    assert_eq!((dropped.status, dropped.json()), (422, json!({"finalstatus": "Failed"})));
    assert_eq!(pbx.call(&placed).ended_at, None);
    let left = pbx.get("/sim/faults").await.json();
    assert_eq!((&left[0]["times"], left.as_array().unwrap().len()), (&json!(0), 3));
    pbx.client.delete(pbx.url("/sim/faults")).send().await.unwrap();
    assert_eq!(pbx.get("/callcontrol/900").await.json()["dn"], "900");
    for wrong in
        [json!([{"status": 99}]), json!([{"surprise": 1}]), json!({}), json!([{"headers": {"a b": "c"}}])]
    {
        assert_eq!(pbx.put("/sim/faults", &wrong).await.status, 400, "{wrong}");
    }
}

#[actix_web::test]
async fn an_answer_is_late_or_never_comes() {
    let pbx = Pbx::default().await;
    pbx.simulator.set_faults(vec![
        Fault { delay_ms: 150, times: Some(1), ..Fault::on("/callcontrol") },
        Fault { hang: true, ..Fault::on("/callcontrol") },
    ]);
    let began = tokio::time::Instant::now();
    assert_eq!(pbx.get("/callcontrol").await.status, 200);
    assert!(began.elapsed() >= Duration::from_millis(150));
    let hangs = pbx.client.get(pbx.url("/callcontrol")).timeout(Duration::from_millis(100)).send().await;
    assert!(matches!(hangs, Err(SendRequestError::Timeout)));
}

#[actix_web::test]
async fn a_cut_response_was_executed_and_a_closed_connection_was_not() {
    let pbx = Pbx::default().await;
    let (kept, dropped) = (pbx.rings(), pbx.rings());
    for (placed, fault) in [
        (&kept, Fault { close: true, ..Fault::on("/callcontrol") }),
        (&dropped, Fault { cut_response: true, ..Fault::on("/callcontrol") }),
    ] {
        pbx.simulator.set_faults(vec![fault]);
        let path = format!("{}/drop", leg_path(placed));
        let lost = pbx.client.post(pbx.url(&path)).insert_header(pbx.bearer()).send_json(&json!({})).await;
        assert!(lost.is_err());
    }
    assert!(pbx.call(&kept).ended_at.is_none() && pbx.call(&dropped).ended_at.is_some());
    let log = pbx.simulator.requests();
    assert!(log.iter().filter(|one| one["path"] != "/connect/token").all(|one| one["status"] == Value::Null));
}

#[actix_web::test]
async fn faults_fall_on_streams_too() {
    let pbx = Pbx::default().await;
    let placed = pbx.rings();
    pbx.simulator.set_faults(vec![Fault {
        status: Some(424),
        suffix: "/stream".to_owned(),
        ..Fault::default()
    }]);
    assert_eq!(Hearing::open(&pbx, &stream_path(&placed)).await.status, 424);
    assert_eq!(pbx.speaks(&placed).await.status().await, Some(424));
    assert_eq!(pbx.call(&placed).posts_opened, 0);
}

#[actix_web::test]
async fn open_streams_are_reset_and_the_leg_stays() {
    let pbx = Pbx::default().await;
    let placed = pbx.rings();
    let (mut hearing, mut speaker) = (pbx.hears(&placed).await, pbx.speaks(&placed).await);
    assert!(speaker.say(&tone(160, 1)).await);
    pbx.until(&placed, "hears", |call| call.bytes_received == 320).await;
    assert_eq!(pbx.put("/sim/faults", &json!([{"streams": "reset"}])).await.status, 200);
    assert_eq!(hearing.end().await, Chunk::Broken);
    assert_eq!(speaker.status().await, None);
    assert_eq!(pbx.get(&leg_path(&placed)).await.status, 200);
    let mut again = pbx.speaks(&placed).await;
    assert!(again.say(&tone(160, 1)).await);
    pbx.until(&placed, "hears again", |call| call.bytes_received == 640).await;
}

#[actix_web::test]
async fn streams_end_with_each_new_token_when_so_told() {
    let mut pbx = Pbx::default().await;
    let placed = pbx.rings();
    let (mut hearing, mut speaker) = (pbx.hears(&placed).await, pbx.speaks(&placed).await);
    assert!(speaker.say(&tone(160, 1)).await);
    pbx.until(&placed, "hears", |call| call.bytes_received == 320).await;
    pbx.log_in().await;
    assert!(matches!(hearing.chunk().await, Chunk::Sound(_)));
    pbx.simulator.set_faults(vec![Fault { streams: Some(StreamFault::CloseOnToken), ..Fault::default() }]);
    pbx.log_in().await;
    assert_eq!(hearing.end().await, Chunk::End);
    assert_eq!(speaker.status().await, Some(200));
    let mut again = pbx.hears(&placed).await;
    assert!(matches!(again.chunk().await, Chunk::Sound(_)));
    assert_eq!((pbx.call(&placed).gets_opened, pbx.call(&placed).ended_at), (2, None));
}

#[actix_web::test]
async fn the_callers_sound_stalls_and_goes_on() {
    let pbx = Pbx::default().await;
    let placed = pbx.rings();
    let mut hearing = pbx.hears(&placed).await;
    pbx.simulator.set_faults(vec![Fault { streams: Some(StreamFault::Stall), ..Fault::default() }]);
    let drained = async { while matches!(hearing.chunk().await, Chunk::Sound(_)) {} };
    assert!(tokio::time::timeout(Duration::from_millis(200), drained).await.is_err());
    pbx.simulator.set_faults(Vec::new());
    // The reader was cut off between two chunks: nothing of the next one was there yet.
    assert!(matches!(hearing.chunk().await, Chunk::Sound(_)));
}

#[actix_web::test]
async fn callers_may_not_hear_the_beginning() {
    let pbx = Pbx::default().await;
    assert_eq!(pbx.put("/sim/faults", &json!([{"discard_first_ms": 250}])).await.status, 200);
    let placed = pbx.rings();
    let mut speaker = pbx.speaks(&placed).await;
    assert!(speaker.say(&tone(2_400, 5_000)).await);
    pbx.until(&placed, "has heard the rest", |call| call.heard_ms == 50).await;
}

#[actix_web::test]
async fn events_are_lost_late_or_once_too_many() {
    let pbx = Pbx::with(Options { noise: Noise::Off, ..options() }).await;
    let mut socket = pbx.listens().await;
    let with = |events| Fault { events: Some(events), times: Some(1), ..Fault::default() };

    pbx.simulator.set_faults(vec![with(EventFault::MissedRemove)]);
    let (lost, told) = (pbx.rings(), pbx.rings());
    socket.appears(&told).await;
    assert!(pbx.simulator.hang_up(&lost.call_id) && pbx.simulator.hang_up(&told.call_id));
    let next = socket.event().await;
    assert_eq!(
        (&next["event"]["entity"], &next["event"]["event_type"]),
        (&json!(leg_path(&told)), &json!(1))
    );

    pbx.simulator.set_faults(vec![with(EventFault::UpsertAfterRemove)]);
    let again = pbx.rings();
    socket.appears(&again).await;
    pbx.simulator.hang_up(&again.call_id);
    socket.disappears(&again).await;
    socket.appears(&again).await;
    assert_eq!(pbx.get(&leg_path(&again)).await.status, 404);

    pbx.simulator.set_faults(vec![with(EventFault::Reorder)]);
    let late = pbx.rings();
    pbx.simulator.hang_up(&late.call_id);
    socket.disappears(&late).await;
    socket.appears(&late).await;
}
