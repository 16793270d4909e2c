//! Extensions that the client controls, as 3CX's own Dialer example does; and a leg that cannot be answered.

use serde_json::{Value, json};

use super::super::{EndedBy, Mode, NewCall, Options, State, Turn};
use super::{Pbx, leg_path, options};

const EXTENSION: &str = "/callcontrol/150";

async fn dialer() -> Pbx {
    Pbx::with(Options { controlled: vec!["150".to_owned()], ..options() }).await
}

fn to_extension() -> NewCall {
    NewCall { called: "150".to_owned(), ..NewCall::from("+491") }
}

fn leg(id: u64) -> String {
    format!("{EXTENSION}/participants/{id}")
}

#[actix_web::test]
async fn a_call_to_an_extension_rings_and_is_answered_diverted_or_dropped() {
    let pbx = dialer().await;
    let listed = pbx.get("/callcontrol").await.json();
    assert_eq!((&listed[1]["dn"], &listed[1]["type"]), (&json!("150"), &json!("Wextension")));
    let mut socket = pbx.listens().await;

    let answered = pbx.place(to_extension());
    let path = leg(answered.participant_id);
    assert_eq!(socket.event().await["event"]["entity"], path);
    let seen = pbx.get(&path).await.json();
    assert_eq!((&seen["status"], &seen["direct_control"]), (&json!("Ringing"), &json!(true)));
    let done = pbx.post(&format!("{path}/answer"), &json!({})).await;
    assert_eq!((done.status, &done.json()["result"]["status"]), (200, &json!("Connected")));
    assert_eq!(pbx.get(&format!("{path}/stream")).await.status, 424, "its media is on the telephone");
    assert_eq!(pbx.post(&format!("{path}/drop"), &json!({})).await.status, 200);
    assert_eq!(pbx.call(&answered).ended_by, Some(EndedBy::Client));

    let diverted = pbx.place(to_extension());
    let divert = format!("{}/divert", leg(diverted.participant_id));
    assert_eq!(pbx.post(&divert, &json!({"destination": "200"})).await.status, 200);
    assert_eq!(pbx.call(&diverted).state, State::Transferred);

    let routed = pbx.place(to_extension());
    let route = format!("{}/routeto", leg(routed.participant_id));
    assert_eq!(pbx.post(&route, &json!({"destination": "900"})).await.status, 200);
    let ours = pbx.get("/callcontrol/900/participants").await.json();
    assert_eq!(ours[0]["originated_by_type"], "Wextension");
    assert_eq!(ours[0]["direct_control"], false, "a route point");
}

#[actix_web::test]
async fn an_extension_makes_calls() {
    let pbx = dialer().await;
    pbx.simulator.set_makecall(vec![Turn { after_ms: Some(50), ..Turn::default() }]);
    let device = pbx.get(&format!("{EXTENSION}/devices")).await.json()[0]["device_id"].clone();
    let device = device.as_str().unwrap().replace(':', "%3A").replace('@', "%40");
    for path in [format!("{EXTENSION}/makecall"), format!("{EXTENSION}/devices/{device}/makecall")] {
        let made = pbx.post(&path, &json!({"destination": "+4930222"})).await;
        assert_eq!(made.status, 200, "{made:?}");
        let leg_of = made.json()["result"].clone();
        assert_eq!((&leg_of["dn"], &leg_of["status"]), (&json!("150"), &json!("Dialing")));
        assert_eq!(leg_of["direct_control"], true);
        let path = leg(leg_of["id"].as_u64().unwrap());
        super::eventually("connected", || async {
            (pbx.get(&path).await.json()["status"] == "Connected").then_some(())
        })
        .await;
        assert_eq!(pbx.post(&format!("{path}/drop"), &Value::Null).await.status, 200);
    }
    let seen_only = Pbx::with(Options { extensions: vec!["150".to_owned()], ..options() }).await;
    let refused = seen_only.post(&format!("{EXTENSION}/makecall"), &json!({"destination": "1"})).await;
    assert_eq!(refused.status, 403, "an extension that is only seen");
}

#[actix_web::test]
async fn a_telephone_without_direct_control_answers_only_by_hand() {
    let pbx = dialer().await;
    let placed = pbx.place(NewCall { direct_control: false, ..to_extension() });
    let path = leg(placed.participant_id);
    assert_eq!(pbx.get(&path).await.json()["direct_control"], false);
    let refused = pbx.post(&format!("{path}/answer"), &json!({})).await;
    assert_eq!((refused.status, &refused.json()["finalstatus"]), (422, &json!("Rejected")));
    assert_eq!(pbx.get(&path).await.json()["status"], "Ringing");
    assert_eq!(pbx.post(&format!("{path}/divert"), &json!({"destination": "200"})).await.status, 200);
}

#[actix_web::test]
async fn a_leg_whose_answer_is_refused_still_rings_and_can_be_routed() {
    let pbx = Pbx::default().await;
    let placed =
        pbx.place(NewCall { mode: Mode::NeedsAnswer, refuses_answer: true, ..NewCall::from("+491") });
    let path = leg_path(&placed);
    for _ in 0..2 {
        assert_eq!(pbx.post(&format!("{path}/answer"), &json!({})).await.status, 422);
    }
    assert_eq!(pbx.call(&placed).state, State::Ringing);
    let routed = pbx.post(&format!("{path}/routeto"), &json!({"destination": "200"})).await;
    assert_eq!(routed.status, 200, "{routed:?}");
    assert_eq!(pbx.call(&placed).state, State::Transferred);
}
