//! Events of calls.

use awc::ws;
use serde_json::{Value, json};

use super::super::{Mode, NewCall, Noise, Options};
use super::{Pbx, leg_path, options, stream_path};

#[actix_web::test]
async fn a_call_is_an_upsert_a_get_and_a_remove_without_data() {
    let pbx = Pbx::default().await;
    let mut socket = pbx.listens().await;
    let placed = pbx.rings();
    let upsert = socket.appears(&placed).await;
    assert_eq!(
        upsert,
        json!({"sequence": 1, "event": {"event_type": 0, "entity": leg_path(&placed), "attached_data": null}})
    );
    let entity = upsert["event"]["entity"].as_str().unwrap();
    assert_eq!(pbx.get(entity).await.json()["status"], "Connected");
    pbx.simulator.hang_up(&placed.call_id);
    let remove = socket.disappears(&placed).await;
    assert_eq!(remove["event"], json!({"event_type": 1, "entity": leg_path(&placed), "attached_data": null}));
    assert_eq!(pbx.get(entity).await.status, 404);
}

#[actix_web::test]
async fn upserts_are_repeated_for_a_while() {
    let pbx = Pbx::with(Options { noise: Noise::Off, ..options() }).await;
    let mut socket = pbx.listens().await;
    let placed = pbx.rings();
    let began = tokio::time::Instant::now();
    for sequence in 1..=3 {
        assert_eq!(socket.appears(&placed).await["sequence"], sequence);
    }
    let took = began.elapsed().as_millis();
    assert!((1_450..3_000).contains(&took), "{took}");
}

#[actix_web::test]
async fn every_connection_counts_for_itself() {
    let pbx = Pbx::default().await;
    let mut first = pbx.listens().await;
    let one = pbx.rings();
    first.appears(&one).await;
    let mut second = pbx.listens().await;
    let two = pbx.rings();
    let (a, b) = (first.appears(&two).await, second.appears(&two).await);
    assert!(a["sequence"].as_u64() > b["sequence"].as_u64(), "{a} {b}");
    assert_eq!((&b["sequence"], &a["event"]), (&json!(1), &b["event"]));
}

#[actix_web::test]
async fn ringing_then_connected_are_two_upserts() {
    let pbx = Pbx::with(Options { noise: Noise::Off, ..options() }).await;
    let mut socket = pbx.listens().await;
    let placed = pbx.place(NewCall { mode: Mode::Ringing, auto_connect_ms: 100, ..NewCall::from("+491") });
    socket.appears(&placed).await;
    assert_eq!(pbx.get(&leg_path(&placed)).await.json()["status"], "Ringing");
    socket.appears(&placed).await;
    assert_eq!(pbx.get(&leg_path(&placed)).await.json()["status"], "Connected");
}

#[actix_web::test]
async fn there_is_noise_of_devices_and_unknown_types_and_of_dns_where_that_is_asked_for() {
    let leg_and_more = noise_of(Pbx::default().await, 4).await;
    let device = "/callcontrol/900/devices/sip:900@127.0.0.1:5483".to_owned();
    let [leg, ..] = &leg_and_more[..] else { panic!("no leg") };
    let leg = leg.1.clone();
    assert_eq!(leg_and_more, [(0, leg.clone()), (0, device.clone()), (3, leg.clone()), (5, leg.clone())]);
    let pbx = Pbx::with(Options { dn_upserts: Noise::On, ..options() }).await;
    let of_dn = (0, "/callcontrol/900".to_owned());
    assert_eq!(noise_of(pbx, 5).await, [(0, leg.clone()), of_dn, (0, device), (3, leg.clone()), (5, leg)]);
}

/// The first events of a call that comes in.
async fn noise_of(pbx: Pbx, count: usize) -> Vec<(u64, String)> {
    let mut socket = pbx.listens().await;
    pbx.rings();
    let mut heard = Vec::new();
    for _ in 0..count {
        let event = socket.event().await["event"].clone();
        heard.push((event["event_type"].as_u64().unwrap(), event["entity"].as_str().unwrap().to_owned()));
    }
    heard
}

#[actix_web::test]
async fn keys_are_told_with_their_digits() {
    let pbx = Pbx::default().await;
    let mut socket = pbx.listens().await;
    let placed = pbx.rings();
    let path = format!("/sim/calls/{}/dtmf", placed.call_id);
    assert_eq!(pbx.post(&path, &json!({"digits": "1#"})).await.json(), json!({"ok": true}));
    let event = socket.event_of(&placed, 2).await;
    assert_eq!(event["event"]["attached_data"], json!({"dtmf_input": "1#"}));
    assert_eq!(pbx.call(&placed).dtmf, ["1#"]);
    for wrong in [json!({"digits": ""}), json!({"digits": "x"}), json!({}), Value::Null] {
        assert_eq!(pbx.post(&path, &wrong).await.status, 400, "{wrong}");
    }
    // Keys of a call that is over are heard by nobody.
    pbx.simulator.hang_up(&placed.call_id);
    assert!(!pbx.simulator.dtmf(&placed.call_id, "1"));
}

#[actix_web::test]
async fn requests_over_the_socket_are_answered_there() {
    let pbx = Pbx::with(Options { noise: Noise::Off, ..options() }).await;
    let placed = pbx.rings();
    let mut socket = pbx.listens().await;
    let drop_path = format!("{}/drop", leg_path(&placed));
    let cases = [
        (json!({"RequestID": "1", "Path": "/callcontrol/900/participants"}), 200),
        (json!({"request_id": 2, "path": leg_path(&placed), "request_data": null}), 200),
        (json!({"RequestID": "3", "Path": "/nowhere"}), 404),
        (json!({"RequestID": "4", "Path": stream_path(&placed)}), 404),
        (json!({"RequestID": "5", "Path": drop_path, "RequestData": {}}), 200),
    ];
    for (request, status) in cases {
        socket.send(ws::Message::Text(request.to_string().into())).await;
        let answer = loop {
            let event = socket.event().await["event"].clone();
            if event["event_type"] == 4 {
                break event;
            }
        };
        let id = request.get("RequestID").or(request.get("request_id")).unwrap();
        let data = &answer["attached_data"];
        assert_eq!((&data["RequestID"], &data["StatusCode"]), (id, &json!(status)), "{answer}");
    }
    assert_eq!(pbx.simulator.legs(), 0);
    // What is no request is left alone.
    socket.send(ws::Message::Text("nonsense".into())).await;
    socket.send(ws::Message::Ping("still there?".into())).await;
    let next = pbx.rings();
    socket.appears(&next).await;
}
