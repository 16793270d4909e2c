//! What a client does to its legs.

use serde_json::{Value, json};

use super::super::{Codes, EndedBy, Mode, NewCall, Options, Outcome, State, Turn};
use super::{Chunk, Pbx, Placed, leg_path, options};

async fn act(pbx: &Pbx, placed: &Placed, action: &str, body: Value) -> (u16, Value) {
    let answer = pbx.post(&format!("{}/{action}", leg_path(placed)), &body).await;
    let document = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.status, document)
}

#[actix_web::test]
async fn a_drop_ends_the_call_and_its_streams() {
    let pbx = Pbx::default().await;
    let mut socket = pbx.listens().await;
    let placed = pbx.rings();
    let mut hearing = pbx.hears(&placed).await;
    let (status, result) = act(&pbx, &placed, "drop", json!({})).await;
    assert_eq!(
        (status, &result["finalstatus"], &result["reason"]),
        (200, &json!("Success"), &json!("NotSpecified"))
    );
    assert_eq!((&result["result"]["id"], &result["reasontext"]), (&json!(placed.participant_id), &json!("")));
    assert_eq!(hearing.end().await, Chunk::End);
    socket.disappears(&placed).await;
    assert_eq!(pbx.call(&placed).ended_by, Some(EndedBy::Client));
    assert_eq!(act(&pbx, &placed, "drop", json!({})).await.0, 404);
}

#[actix_web::test]
async fn what_applies_depends_on_the_status() {
    let pbx = Pbx::default().await;
    let connected = pbx.rings();
    let ringing = pbx.place(NewCall { mode: Mode::NeedsAnswer, ..NewCall::from("+492") });
    let there = || json!({"destination": "200"});
    let cases = [
        (&connected, "answer", json!({}), 422),
        (&connected, "divert", there(), 422),
        (&ringing, "transferto", there(), 422),
        (&connected, "routeto", json!({}), 400),
        (&connected, "routeto", json!("x"), 400),
        (&connected, "routeto", json!({"destination": "200", "timeout": "soon"}), 400),
        (&connected, "hold", json!({}), 404),
        (&connected, "routeto", json!({"destination": "900"}), 422),
    ];
    for (placed, action, body, status) in cases {
        let (given, result) = act(&pbx, placed, action, body.clone()).await;
        assert_eq!(given, status, "{action} {body}");
        if status == 422 {
            assert!(["Rejected", "Failed"].contains(&result["finalstatus"].as_str().unwrap()), "{result}");
        }
    }
    let (_, result) = act(&pbx, &connected, "routeto", json!({"destination": "900"})).await;
    assert_eq!(result["reason"], "RoutingLoopDetected");
    assert_eq!(act(&pbx, &ringing, "divert", there()).await.0, 200);
    assert_eq!(
        (pbx.call(&ringing).state, pbx.call(&connected).state),
        (State::Transferred, State::Connected)
    );
}

#[actix_web::test]
async fn attached_data_keeps_what_is_public() {
    let pbx = Pbx::default().await;
    let placed = pbx.rings();
    let data = |name: &str| json!({"AttachedData": {"public_precall_id": name, "private": "no"}});
    assert_eq!(act(&pbx, &placed, "attach_participant_data", data("a")).await.0, 200);
    assert_eq!(act(&pbx, &placed, "attach_party_data", data("b")).await.0, 200);
    let attached = json!(pbx.call(&placed).attached);
    assert_eq!(
        attached,
        json!({"participant": {"public_precall_id": "a"}, "party": {"public_precall_id": "b"}})
    );
}

#[actix_web::test]
async fn results_come_in_names_or_numbers_and_with_either_status() {
    let pbx = Pbx::with(Options { codes: Codes::Numbers, action_status: 202, ..options() }).await;
    let placed = pbx.rings();
    pbx.simulator.set_routeto(vec![Turn { outcome: Outcome::Busy, after_ms: Some(0), ..Turn::default() }]);
    let (status, result) = act(&pbx, &placed, "routeto", json!({"Destination": "200"})).await;
    assert_eq!((status, &result["finalstatus"], &result["reason"]), (422, &json!(-1), &json!(3)));
    assert_eq!(act(&pbx, &placed, "answer", json!({})).await.1["finalstatus"], 0);
    let (status, result) = act(&pbx, &placed, "drop", json!({})).await;
    assert_eq!((status, &result["finalstatus"], &result["reason"]), (202, &json!(1), &json!(0)));
}

#[actix_web::test]
async fn the_client_makes_calls_that_dial_connect_or_end() {
    let pbx = Pbx::default().await;
    let device = "/callcontrol/900/devices/sip%3A900%40127.0.0.1%3A5483/makecall";
    let body = json!({"destination": "+49301111", "timeout": 30, "attacheddata": {"public_case": "1"}});
    let made = pbx.post(device, &body).await;
    assert_eq!((made.status, &made.json()["result"]["status"]), (200, &json!("Dialing")));
    let call_id = made.json()["result"]["callid"].to_string();
    let placed = Placed { call_id, participant_id: made.json()["result"]["id"].as_u64().unwrap() };
    // Early media is there while it dials.
    let mut hearing = pbx.hears(&placed).await;
    assert!(matches!(hearing.chunk().await, Chunk::Sound(_)));
    let call = pbx.until(&placed, "is picked up", |call| call.state == State::Connected).await;
    assert_eq!((call.caller.as_str(), call.attached.participant["public_case"].as_str()), ("+49301111", "1"));
    pbx.simulator.hang_up(&placed.call_id);

    pbx.simulator.set_makecall(vec![Turn { outcome: Outcome::Busy, after_ms: Some(30), ..Turn::default() }]);
    let made = pbx.post("/callcontrol/900/makecall", &json!({"destination": "+49302222"})).await.json();
    let placed = Placed { call_id: made["result"]["callid"].to_string(), participant_id: 0 };
    let call = pbx.until(&placed, "is busy", |call| call.state == State::Ended).await;
    assert_eq!(call.ended_by, Some(EndedBy::NoAnswer));

    let stale = "/callcontrol/900/devices/sip%3A900%40gone/makecall";
    for (path, body, status) in [
        (stale, json!({"destination": "1"}), 404),
        (device, json!({}), 400),
        (device, json!({"destination": "900"}), 422),
        ("/callcontrol/777/makecall", json!({"destination": "1"}), 404),
    ] {
        assert_eq!(pbx.post(path, &body).await.status, status, "{path} {body}");
    }
}
