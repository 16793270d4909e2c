//! The front door: where callers end with a client that takes them, refuses them, is stopped, silent or dead.

use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::{Value, json};

use super::super::{CallReport, FrontDoor, Mode, NewCall, Options, Placed, RoutedBecause, State, Told};
use super::{Pbx, leg_path, options};
use crate::shared::options::Target;

/// The address of a webhook that is answered with this status after this time.
fn webhook(status: u16, after_ms: u64) -> String {
    let answer = move || async move {
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        HttpResponse::build(status.try_into().unwrap()).finish()
    };
    let server = HttpServer::new(move || App::new().default_service(web::to(answer)));
    let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/webhook/3cx", server.addrs()[0]);
    actix_web::rt::spawn(server.run());
    url
}

async fn pbx_with(webhook: &str) -> Pbx {
    let target = Target { url: webhook.parse().unwrap(), secret: "s".parse().unwrap() };
    Pbx::with(Options { webhook: Some(target), ..options() }).await
}

fn door() -> FrontDoor {
    FrontDoor { answer_within_ms: 300, ring_ms: 300, ..FrontDoor::default() }
}

fn through(door: FrontDoor, mode: Mode) -> NewCall {
    NewCall { front_door: Some(door), mode, ..NewCall::from("+4930111") }
}

async fn arrives(pbx: &Pbx, placed: &Placed, dn: &str) -> CallReport {
    pbx.until(placed, &format!("the caller is at {dn}"), |call| call.caller_at.as_deref() == Some(dn)).await
}

fn reasons(call: &CallReport) -> Vec<RoutedBecause> {
    call.front_door.as_ref().unwrap().routed.iter().map(|routed| routed.because).collect()
}

#[actix_web::test]
async fn a_call_reaches_the_client_only_after_its_2xx() {
    for status in [200, 202] {
        let pbx = pbx_with(&webhook(status, 100)).await;
        let placed = pbx.place(through(door(), Mode::Connected));
        let waiting = pbx.call(&placed);
        assert_eq!((waiting.state, waiting.caller_at.as_deref()), (State::Announced, Some("899")));
        assert_eq!(pbx.simulator.legs(), 0, "the client sees nothing of the front door");
        let call = arrives(&pbx, &placed, "900").await;
        let script = call.front_door.clone().unwrap();
        assert_eq!(script.webhook_status, Some(status));
        assert!(script.webhook_ms.unwrap() >= 100, "{script:?}");
        assert_eq!((reasons(&call), call.state), (vec![RoutedBecause::Accepted], State::Connected));
        assert_eq!(pbx.get(&leg_path(&placed)).await.status, 200);
    }
}

#[actix_web::test]
async fn any_other_answer_and_none_lead_to_the_default_destination() {
    let refused = webhook(503, 0);
    let redirected = webhook(302, 0);
    let slow = webhook(200, 2_000);
    let stopped = "http://127.0.0.1:9/webhook/3cx".to_owned();
    let cases = [
        (refused, RoutedBecause::Refused),
        (redirected, RoutedBecause::Refused),
        (slow, RoutedBecause::Silent),
        (stopped, RoutedBecause::Silent),
    ];
    for (url, because) in cases {
        let pbx = pbx_with(&url).await;
        let placed = pbx.place(through(door(), Mode::Connected));
        let call = arrives(&pbx, &placed, "100").await;
        assert_eq!((reasons(&call), call.state), (vec![because], State::Transferred), "{url}");
        assert_eq!(pbx.get("/callcontrol/900/participants").await.json(), json!([]), "{url}");
    }
}

#[actix_web::test]
async fn a_client_that_is_dead_after_its_2xx_loses_the_call_when_the_leg_must_be_answered() {
    let pbx = pbx_with(&webhook(200, 0)).await;
    let mut socket = pbx.listens().await;
    let placed = pbx.place(through(door(), Mode::NeedsAnswer));
    socket.appears(&placed).await;
    socket.disappears(&placed).await;
    let call = arrives(&pbx, &placed, "100").await;
    assert_eq!(reasons(&call), [RoutedBecause::Accepted, RoutedBecause::NotAnswered]);
    assert!(call.front_door.unwrap().routed[1].after_ms >= 300);

    // One that answers keeps it.
    let placed = pbx.place(through(door(), Mode::NeedsAnswer));
    arrives(&pbx, &placed, "900").await;
    assert_eq!(pbx.post(&format!("{}/answer", leg_path(&placed)), &json!({})).await.status, 200);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let call = pbx.call(&placed);
    assert_eq!((call.caller_at.as_deref(), reasons(&call)), (Some("900"), vec![RoutedBecause::Accepted]));
}

#[actix_web::test]
async fn a_client_that_does_not_tell_the_script_loses_the_call() {
    let pbx = pbx_with(&webhook(200, 0)).await;
    let told = FrontDoor { told: Some(Told { within_ms: 400, ..Told::default() }), ..door() };
    let dead = pbx.place(through(told.clone(), Mode::Connected));
    let alive = pbx.place(through(told, Mode::Connected));
    arrives(&pbx, &alive, "900").await;
    let data = json!({"attacheddata": {"public_precall": "ready"}});
    assert_eq!(pbx.post(&format!("{}/attach_party_data", leg_path(&alive)), &data).await.status, 200);
    let lost = arrives(&pbx, &dead, "100").await;
    assert_eq!(reasons(&lost), [RoutedBecause::Accepted, RoutedBecause::NotTold]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(pbx.call(&alive).caller_at.as_deref(), Some("900"));

    // Without that, a route point that answers by itself keeps the caller in silence.
    let silent = pbx.place(through(door(), Mode::Connected));
    arrives(&pbx, &silent, "900").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(pbx.call(&silent).caller_at.as_deref(), Some("900"));
}

#[actix_web::test]
async fn a_leg_that_is_dropped_while_it_rings_goes_to_the_default() {
    let pbx = pbx_with(&webhook(200, 0)).await;
    let long = FrontDoor { ring_ms: 60_000, ..door() };
    let placed = pbx.place(through(long.clone(), Mode::NeedsAnswer));
    arrives(&pbx, &placed, "900").await;
    assert_eq!(pbx.post(&format!("{}/drop", leg_path(&placed)), &Value::Null).await.status, 200);
    let call = arrives(&pbx, &placed, "100").await;
    assert_eq!(reasons(&call), [RoutedBecause::Accepted, RoutedBecause::Dropped]);
    // A leg that was answered ends with its drop.
    let placed = pbx.place(through(long, Mode::Connected));
    arrives(&pbx, &placed, "900").await;
    assert_eq!(pbx.post(&format!("{}/drop", leg_path(&placed)), &Value::Null).await.status, 200);
    assert_eq!(pbx.call(&placed).state, State::Ended);
}

#[actix_web::test]
async fn the_caller_may_hang_up_at_the_door_and_the_client_may_route_on() {
    let pbx = pbx_with(&webhook(200, 200)).await;
    let gone = pbx.place(through(door(), Mode::Connected));
    assert!(pbx.simulator.hang_up(&gone.call_id));
    let routed = pbx.place(through(door(), Mode::NeedsAnswer));
    arrives(&pbx, &routed, "900").await;
    let order = json!({"destination": "200"});
    assert_eq!(pbx.post(&format!("{}/routeto", leg_path(&routed)), &order).await.status, 200);
    let call = arrives(&pbx, &routed, "200").await;
    assert_eq!(reasons(&call), [RoutedBecause::Accepted]);
    assert_eq!(pbx.call(&gone).state, State::Ended);
    assert_eq!(pbx.simulator.legs(), 0);
}

#[actix_web::test]
async fn the_control_api_takes_a_front_door_and_says_what_is_wrong_with_one() {
    let pbx = pbx_with(&webhook(200, 0)).await;
    let place = async |door: Value, webhook: &str| {
        let body = json!({"caller": "+4930111", "front_door": door, "webhook": webhook});
        pbx.post("/sim/calls", &body).await
    };
    for (wrong, webhook) in [
        (json!({"default": "100"}), "none"),
        (json!({"default_destination": ""}), "none"),
        (json!({"answer_within_ms": 3_001}), "none"),
        (json!({"ring_ms": 999_999}), "none"),
        (json!({}), "late"),
    ] {
        assert_eq!(place(wrong.clone(), webhook).await.status, 400, "{wrong} {webhook}");
    }
    let placed = place(json!({}), "none").await.json();
    let path = format!("/sim/calls/{}", placed["call_id"].as_str().unwrap());
    let shown = super::eventually("routed", || async {
        let shown = pbx.get(&path).await.json();
        (shown["caller_at"] == "900").then_some(shown)
    })
    .await;
    assert_eq!(shown["front_door"]["webhook_status"], 200);
    assert_eq!(shown["front_door"]["routed"][0]["because"], "accepted");
    assert_eq!(pbx.simulator.webhooks().len(), 1);
}
