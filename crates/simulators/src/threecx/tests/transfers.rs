//! `routeto` and its kin: every way it can turn out.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::{NewCall, Noise, Options, Outcome, RemoveOrder, State, Turn};
use super::{Chunk, Pbx, Placed, Reply, leg_path, options, tone};

async fn routeto(pbx: &Pbx, placed: &Placed, body: &Value) -> Reply {
    pbx.post(&format!("{}/routeto", leg_path(placed)), body).await
}

fn turn(outcome: Outcome) -> Turn {
    Turn { outcome, after_ms: Some(50), ..Turn::default() }
}

fn to_200() -> Value {
    json!({"destination": "200", "timeout": 20, "reason": "None"})
}

#[actix_web::test]
async fn an_answer_replaces_the_leg_with_one_on_the_target() {
    let pbx = Pbx::with(Options { extensions: vec!["200".to_owned()], noise: Noise::Off, ..options() }).await;
    let mut socket = pbx.listens().await;
    let placed = pbx.rings();
    let (mut hearing, mut speaker) = (pbx.hears(&placed).await, pbx.speaks(&placed).await);
    assert!(speaker.say(&tone(160, 1)).await);
    let answer = routeto(&pbx, &placed, &to_200()).await;
    assert_eq!((answer.status, &answer.json()["finalstatus"]), (200, &json!("Success")));
    assert_eq!((hearing.end().await, speaker.status().await), (Chunk::End, Some(200)));
    socket.disappears(&placed).await;
    let new = socket.event().await["event"].clone();
    assert!(
        new["event_type"] == 0 && new["entity"].as_str().unwrap().starts_with("/callcontrol/200/"),
        "{new}"
    );
    let leg = pbx.get("/callcontrol/200/participants").await.json()[0].clone();
    assert_eq!((leg["callid"].to_string(), &leg["status"]), (placed.call_id.clone(), &json!("Connected")));
    assert_eq!(leg["originated_by_dn"], "900");
    assert!(
        leg["id"].as_u64().unwrap() > placed.participant_id && leg["legid"].as_u64().unwrap() > 2,
        "{leg}"
    );
    assert_eq!(pbx.post(&format!("{}/drop", leg_path(&placed)), &json!({})).await.status, 404);
    let call = pbx.call(&placed);
    assert_eq!((call.state, call.ended_at.clone()), (State::Transferred, None));
    let last = call.routeto.unwrap();
    assert_eq!(
        (last.action.as_str(), last.destination.as_str(), last.outcome.as_str()),
        ("routeto", "200", "answered")
    );
    pbx.simulator.hang_up(&placed.call_id);
    assert_eq!((pbx.call(&placed).state, pbx.simulator.legs()), (State::Ended, 0));
}

#[actix_web::test]
async fn the_remove_comes_before_or_after_the_answer() {
    let pbx = Pbx::with(Options { noise: Noise::Off, ..options() }).await;
    for (remove, is_gone) in [(RemoveOrder::Before, true), (RemoveOrder::After, false)] {
        pbx.simulator.set_routeto(vec![Turn { remove, ..turn(Outcome::Answered) }]);
        let mut socket = pbx.listens().await;
        let placed = pbx.rings();
        assert_eq!(routeto(&pbx, &placed, &to_200()).await.status, 200);
        assert_eq!(pbx.call(&placed).legs.is_empty(), is_gone);
        // The leg has been replaced, whether its Remove was told or not: a drop must not end the call.
        let dropped = pbx.post(&format!("{}/drop", leg_path(&placed)), &json!({})).await.status;
        assert_eq!(dropped, if is_gone { 404 } else { 422 });
        socket.disappears(&placed).await;
        assert_eq!(pbx.call(&placed).state, State::Transferred);
    }
}

#[actix_web::test]
async fn a_failure_leaves_the_leg_and_its_streams_alive() {
    let pbx = Pbx::default().await;
    let placed = pbx.rings();
    let (mut hearing, mut speaker) = (pbx.hears(&placed).await, pbx.speaks(&placed).await);
    for (outcome, reason) in [
        (Outcome::Busy, "DestinationBusy"),
        (Outcome::NoAnswer, "DestinationNoAnswer"),
        (Outcome::Unknown, "UnknownDestination"),
        (Outcome::Timeout, "OperationTimeout"),
    ] {
        pbx.simulator.set_routeto(vec![turn(outcome)]);
        let answer = routeto(&pbx, &placed, &to_200()).await;
        let result = answer.json();
        assert_eq!(
            (answer.status, &result["finalstatus"], &result["reason"]),
            (422, &json!("Failed"), &json!(reason))
        );
        assert_eq!((&result["reasontext"], &result["result"]), (&json!(reason), &Value::Null));
        assert!(matches!(hearing.chunk().await, Chunk::Sound(_)));
        assert!(speaker.say(&tone(160, 1)).await);
    }
    let call = pbx.until(&placed, "hears it all", |call| call.bytes_received == 4 * 320).await;
    assert_eq!((call.state, call.posts_opened, call.transfers.len()), (State::Connected, 1, 4));
    assert_eq!(call.routeto.unwrap().outcome, "OperationTimeout");
}

#[actix_web::test]
async fn nobody_waits_longer_than_the_request_says() {
    let pbx = Pbx::default().await;
    pbx.simulator.set_routeto(vec![Turn { outcome: Outcome::Timeout, ..Turn::default() }]);
    let placed = pbx.rings();
    let began = tokio::time::Instant::now();
    let answer = routeto(&pbx, &placed, &json!({"Destination": "200", "Timeout": 1})).await;
    assert_eq!((answer.status, &answer.json()["reason"]), (422, &json!("OperationTimeout")));
    assert!(began.elapsed() >= Duration::from_secs(1));
}

#[actix_web::test]
async fn a_caller_who_hangs_up_meanwhile_ends_the_attempt() {
    let pbx = Pbx::default().await;
    let mut socket = pbx.listens().await;
    // Scripted, and by order while the other side rings for ever.
    for outcome in [Outcome::CallerHangup, Outcome::Timeout] {
        pbx.simulator.set_routeto(vec![Turn {
            after_ms: (outcome == Outcome::CallerHangup).then_some(50),
            ..turn(outcome)
        }]);
        let placed = pbx.rings();
        let body = to_200();
        let attempt = routeto(&pbx, &placed, &body);
        let hang_up = async {
            pbx.until(&placed, "is under way", |call| !call.transfers.is_empty()).await;
            if outcome == Outcome::Timeout {
                assert_eq!(pbx.call(&placed).routeto.unwrap().outcome, "pending");
                pbx.simulator.hang_up(&placed.call_id);
            }
        };
        let (answer, ()) = tokio::join!(attempt, hang_up);
        assert_eq!((answer.status, &answer.json()["reason"]), (422, &json!("ParentConnectionTerminated")));
        socket.disappears(&placed).await;
        assert_eq!(pbx.call(&placed).state, State::Ended);
    }
}

#[actix_web::test]
async fn a_drop_meanwhile_cancels_the_attempt() {
    let pbx = Pbx::default().await;
    pbx.simulator.set_routeto(vec![Turn { outcome: Outcome::Timeout, ..Turn::default() }]);
    let placed = pbx.rings();
    let body = to_200();
    let drop = async {
        pbx.until(&placed, "is under way", |call| !call.transfers.is_empty()).await;
        pbx.post(&format!("{}/drop", leg_path(&placed)), &json!({})).await.status
    };
    let (answer, dropped) = tokio::join!(routeto(&pbx, &placed, &body), drop);
    assert_eq!((answer.status, &answer.json()["reason"], dropped), (422, &json!("Cancelled"), 200));
}

#[actix_web::test]
async fn the_script_goes_by_destination_and_count() {
    let pbx = Pbx::default().await;
    let script = json!([
        {"destination": "88", "outcome": "busy", "after_ms": 0, "times": 1},
        {"outcome": "answered", "after_ms": 0, "status": 202, "codes": "numbers", "remove": "after"},
    ]);
    assert_eq!(pbx.put("/sim/routeto", &script).await.status, 200);
    let placed = pbx.rings();
    assert_eq!(routeto(&pbx, &placed, &json!({"destination": "88100"})).await.status, 422);
    let answer = routeto(&pbx, &placed, &json!({"destination": "88100"})).await;
    assert_eq!((answer.status, &answer.json()["finalstatus"]), (202, &json!(1)));
    assert_eq!(pbx.get("/sim/routeto").await.json()[0]["times"], 0);
    assert_eq!(pbx.put("/sim/routeto", &json!({"outcome": "busy", "after_ms": 0})).await.status, 200);
    for wrong in [json!({"outcome": "other"}), json!("x"), json!({"surprise": 1})] {
        assert_eq!(pbx.put("/sim/routeto", &wrong).await.status, 400, "{wrong}");
    }
}

#[actix_web::test]
async fn a_client_that_leaves_does_not_undo_its_transfer() {
    let pbx = Pbx::default().await;
    pbx.simulator.set_routeto(vec![turn(Outcome::Answered)]);
    let placed = pbx.place(NewCall::from("+491"));
    let path = format!("{}/routeto", leg_path(&placed));
    let request =
        pbx.client.post(pbx.url(&path)).insert_header(pbx.bearer()).timeout(Duration::from_millis(20));
    assert!(request.send_json(&to_200()).await.is_err());
    pbx.until(&placed, "is transferred", |call| call.state == State::Transferred).await;
}
