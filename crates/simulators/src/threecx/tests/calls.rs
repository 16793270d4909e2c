//! Calls that ring, and what the PBX shows of them.

use serde_json::{Value, json};

use super::super::{EndedBy, Mode, NewCall, Options, State};
use super::{Pbx, leg_path, options};

/// What tells apart who rings: through which trunk, from which telephone of the PBX's own, and who passed it on.
#[actix_web::test]
async fn a_leg_shows_where_it_comes_from() {
    let pbx = Pbx::default().await;
    let from = async |call: NewCall| {
        let shown = pbx.get(&leg_path(&pbx.place(call))).await.json();
        ["party_dn", "party_dn_type", "referred_by_dn", "referred_by_type"]
            .map(|field| shown[field].as_str().unwrap().to_owned())
    };
    let through = NewCall { trunk: Some("10007".to_owned()), ..NewCall::from("0301234567") };
    assert_eq!(from(through).await, ["10007", "Wexternalline", "", "None"]);
    let passed_on = NewCall { referred_by: "120".to_owned(), ..NewCall::from_extension("150") };
    assert_eq!(from(passed_on).await, ["150", "Wextension", "120", "Wextension"]);
}

#[actix_web::test]
async fn a_participant_has_every_field() {
    let pbx = Pbx::default().await;
    let placed = pbx.place(NewCall {
        party_caller_name: "Ada".to_owned(),
        on_behalf_of: "150".to_owned(),
        ..NewCall::from("0301234567")
    });
    let shown = pbx.get(&leg_path(&placed)).await.json();
    let expected = json!({
        "id": placed.participant_id,
        "status": "Connected",
        "dn": "900",
        "party_caller_name": "Ada",
        "party_dn": "10000",
        "party_caller_id": "0301234567",
        "party_did": "",
        "device_id": "sip:900@127.0.0.1:5483",
        "party_dn_type": "Wexternalline",
        "direct_control": false,
        "originated_by_dn": "",
        "originated_by_type": "None",
        "referred_by_dn": "",
        "referred_by_type": "None",
        "on_behalf_of_dn": "150",
        "on_behalf_of_type": "Wextension",
        "callid": placed.call_id.parse::<u64>().unwrap(),
        "legid": 2,
    });
    assert_eq!(shown, expected);
    let of_dn = pbx.get("/callcontrol/900").await.json();
    assert_eq!((&of_dn["dn"], &of_dn["type"]), (&json!("900"), &json!("Wroutepoint")));
    assert_eq!(of_dn["participants"], json!([expected]));
    assert_eq!(pbx.get("/callcontrol/900/participants").await.json(), json!([expected]));
    assert_eq!(pbx.get("/callcontrol").await.json(), json!([of_dn]));
    let device = &of_dn["devices"][0];
    assert_eq!(device["device_id"], "sip:900@127.0.0.1:5483");
    assert_eq!(pbx.get("/callcontrol/900/devices").await.json(), json!([device]));
    let encoded = "/callcontrol/900/devices/sip%3A900%40127.0.0.1%3A5483";
    assert_eq!(pbx.get(encoded).await.json(), *device);
}

#[actix_web::test]
async fn what_is_not_there_or_not_ours_has_its_status() {
    let pbx = Pbx::with(Options { extensions: vec!["150".to_owned()], ..options() }).await;
    let seen = pbx.place(NewCall { called: "150".to_owned(), ..NewCall::from("+491") });
    let cases = [
        ("/callcontrol/10000", 403),
        ("/callcontrol/10000/participants/1", 403),
        ("/callcontrol/777", 404),
        ("/callcontrol/900/participants/1", 404),
        ("/callcontrol/900/participants/abc", 404),
        ("/callcontrol/900/devices/sip%3Aother", 404),
        ("/callcontrol/900/participants/1/drop", 405),
        ("/callcontrol/900/nothing", 404),
        ("/callcontrol//participants", 404),
        ("/else", 404),
    ];
    for (path, status) in cases {
        assert_eq!(pbx.get(path).await.status, status, "{path}");
    }
    assert_eq!(pbx.post("/callcontrol", &json!({})).await.header("allow"), Some("GET"));
    // A leg of an extension is in its list, and nowhere else.
    let path = format!("/callcontrol/150/participants/{}", seen.participant_id);
    let list = pbx.get("/callcontrol/150/participants").await.json();
    assert_eq!((&list[0]["id"], &list[0]["status"]), (&json!(seen.participant_id), &json!("Ringing")));
    assert_eq!(pbx.get(&path).await.status, 403);
    assert_eq!(pbx.post(&format!("{path}/drop"), &json!({})).await.status, 403);
}

#[actix_web::test]
async fn a_call_rings_until_it_connects_by_itself_or_is_answered() {
    let pbx = Pbx::default().await;
    let by_itself = pbx.place(NewCall { mode: Mode::Ringing, auto_connect_ms: 50, ..NewCall::from("+491") });
    let waiting = pbx.place(NewCall { mode: Mode::NeedsAnswer, ..NewCall::from("+492") });
    assert_eq!(pbx.get(&leg_path(&waiting)).await.json()["status"], "Ringing");
    pbx.until(&by_itself, "connects", |call| call.state == State::Connected).await;
    assert_eq!(pbx.call(&waiting).state, State::Ringing);
    let answer = format!("{}/answer", leg_path(&waiting));
    let result = pbx.post(&answer, &json!({})).await;
    assert_eq!((result.status, &result.json()["finalstatus"]), (200, &json!("Success")));
    assert_eq!(result.json()["result"]["status"], "Connected");
    assert_eq!(pbx.call(&waiting).state, State::Connected);
    assert_eq!(pbx.post(&answer, &json!({})).await.status, 422);
}

#[actix_web::test]
async fn callers_hang_up_by_order_or_by_themselves() {
    let pbx = Pbx::default().await;
    let (first, second) =
        (pbx.rings(), pbx.place(NewCall { hangup_after_ms: Some(60), ..NewCall::from("+492") }));
    let hangup = format!("/sim/calls/{}/hangup", first.call_id);
    assert_eq!(pbx.post(&hangup, &Value::Null).await.json(), json!({"ok": true}));
    assert_eq!(pbx.post(&hangup, &Value::Null).await.json(), json!({"ok": false}));
    pbx.until(&second, "hangs up", |call| call.state == State::Ended).await;
    for placed in [first, second] {
        assert_eq!(pbx.call(&placed).ended_by, Some(EndedBy::Caller));
        assert_eq!(pbx.get(&leg_path(&placed)).await.status, 404);
    }
    assert_eq!(pbx.simulator.legs(), 0);
}

#[actix_web::test]
async fn calls_are_placed_and_looked_at_over_http() {
    let pbx = Pbx::default().await;
    let body = json!({"caller": "+4930111", "called": "+4930222", "mode": "needs_answer", "webhook": "none",
                      "party_did": "+4930222", "speaks": "silence"});
    let placed = pbx.post("/sim/calls", &body).await.json();
    let call_id = placed["call_id"].as_str().unwrap();
    let report = pbx.get(&format!("/sim/calls/{call_id}")).await.json();
    assert_eq!((&report["state"], &report["participant_id"]), (&json!("ringing"), &placed["participant_id"]));
    for field in ["connected_at", "first_byte_at", "first_sound_at", "routeto"] {
        assert_eq!(report[field], Value::Null, "{field}");
    }
    assert_eq!((&report["gaps_ms"], &report["posts_opened"]), (&json!([]), &json!(0)));
    assert_eq!(pbx.get("/sim/calls").await.json(), json!([report]));
    let state = pbx.get("/sim/state").await.json();
    assert_eq!((&state["live_calls"], &state["legs"]), (&json!(1), &json!(1)));
    for (wrong, status) in [
        (json!({"caller": "+1", "mode": "other"}), 400),
        (json!({"caller": "+1", "surprise": 1}), 400),
        (json!({"caller": "+1", "webhook": "first"}), 400),
        (json!({"caller": "1".repeat(300)}), 400),
    ] {
        assert_eq!(pbx.post("/sim/calls", &wrong).await.status, status, "{wrong}");
    }
    for path in ["/sim/calls/999", "/sim/calls/999/audio.wav", "/sim/other"] {
        assert_eq!(pbx.get(path).await.status, 404, "{path}");
    }
    assert_eq!(pbx.put("/sim/calls", &Value::Null).await.status, 405);
    // What the control API is asked is not in the log of what the PBX is asked.
    let log = pbx.get("/sim/requests").await.json();
    assert_eq!(log.as_array().unwrap().len(), 1);
    assert_eq!((&log[0]["path"], &log[0]["status"]), (&json!("/connect/token"), &json!(200)));
}

#[actix_web::test]
async fn after_a_restart_the_calls_are_gone_and_the_ids_come_again() {
    let pbx = Pbx::default().await;
    let mut socket = pbx.listens().await;
    let before = pbx.rings();
    socket.appears(&before).await;
    assert_eq!(pbx.post("/sim/restart", &Value::Null).await.status, 200);
    assert_eq!(socket.ends().await, None);
    assert_eq!(pbx.get("/callcontrol/900/participants").await.json(), json!([]));
    let old = pbx.call(&before);
    assert_eq!((old.ended_by, old.generation), (Some(EndedBy::Restart), 0));
    let after = pbx.rings();
    assert_eq!(after, before);
    assert_eq!((pbx.call(&after).generation, pbx.call(&after).state), (1, State::Connected));
    assert_eq!(pbx.simulator.calls().len(), 2);
}
