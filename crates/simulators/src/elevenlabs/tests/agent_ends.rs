//! The agent's WebSocket: how conversations end, and what is reported of them.

use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use awc::ws;
use serde_json::{Value, json};

use super::super::{Agent, EndedBy, Fault, Options, ReportFate};
use super::socket::agent;
use super::{Provider, Service, brief, endless, eventually};
use crate::shared::signature::signature;

#[actix_web::test]
async fn either_side_may_end_it_and_each_way_is_told_apart() {
    let provider = Provider::with(endless()).await;
    let wait = json!({"do": "wait", "ms": 20});
    for (act, seen, by, status) in [
        (json!({"do": "end"}), Some(1000), EndedBy::Agent, "done"),
        (json!({"do": "close", "code": 1000}), Some(1000), EndedBy::Agent, "done"),
        (json!({"do": "close", "code": 1011, "reason": "oops"}), Some(1011), EndedBy::Error, "failed"),
        (
            json!({"do": "close", "code": 1002, "reason": "r", "error_type": "llm_timeout"}),
            Some(1002),
            EndedBy::Error,
            "failed",
        ),
        (json!({"do": "drop"}), None, EndedBy::Dropped, "failed"),
    ] {
        let mut socket = provider.follows(json!([wait, act])).await;
        assert_eq!(socket.ends().await.0, seen, "{act}");
        assert_eq!(socket.all("error").len(), usize::from(act.get("error_type").is_some()), "{act}");
        let session = provider.last_talk();
        assert_eq!(session.end.as_ref().map(|end| end.by), Some(by), "{act}");
        provider.reaches(&session.conversation_id, status).await;
    }
    let mut socket = provider.follows(json!([{"do": "wait", "ms": 600_000}])).await;
    socket.until("conversation_initiation_metadata").await;
    let reason = ws::CloseReason { code: ws::CloseCode::Away, description: Some("hung up".to_owned()) };
    socket.send_frame(ws::Message::Close(Some(reason))).await;
    let session = provider.session_until("closed", |session| session.end.is_some()).await;
    let end = session.end.unwrap();
    assert_eq!((end.by, end.code, end.reason.as_str()), (EndedBy::Client, Some(1001), "hung up"));
    assert_eq!(socket.ends().await.0, Some(1001), "a close is answered with a close");
    provider.reaches(&session.conversation_id, "done").await;

    let mut socket = provider.sessions(json!({})).await;
    socket.until("conversation_initiation_metadata").await;
    drop(socket);
    let session = provider.session_until("gone", |session| session.end.is_some()).await;
    assert_eq!(session.end.unwrap().by, EndedBy::ClientGone);
}

#[actix_web::test]
async fn a_close_reaches_a_client_that_never_stops_sending() {
    let provider = Provider::with(endless()).await;
    let say = json!({"do": "say", "text": "x", "ms": 4_000, "until": "sent", "pace": {"piece_ms": 100, "every_ms": 0}});
    for round in 0..20 {
        let mut socket = provider
            .follows(json!([{"do": "hear", "within_ms": 10_000}, say, {"do": "close", "code": 1011}]))
            .await;
        for _ in 0..60 {
            socket.say(&8_000_i16.to_le_bytes().repeat(800)).await;
        }
        assert_eq!(socket.ends().await.0, Some(1011), "{round}");
        assert_eq!(socket.audio().len(), 64_000, "all of it arrived first: {round}");
    }
}

#[actix_web::test]
async fn a_conversation_lasts_as_long_as_it_was_told() {
    let service = Service::ready().await;
    let provider = Provider::with(Options { webhook: service.target(), ..brief() }).await;
    let mut socket = provider.sessions(json!({"user_id": "call-7"})).await;
    assert_eq!(socket.ends().await, (Some(1000), String::new()));
    let session = provider.last_talk();
    let end = session.end.unwrap();
    assert!(end.by == EndedBy::Agent && end.after_ms >= 100, "{end:?}");

    let report = service.received(1).await.remove(0);
    let body = report.json();
    assert_eq!((&body["type"], &body["data"]["status"]), (&json!("post_call_transcription"), &json!("done")));
    assert_eq!(body["data"]["conversation_id"], session.conversation_id);
    assert_eq!(body["data"]["user_id"], "call-7");
    assert_eq!(body["data"]["transcript"].as_array().unwrap().len(), 1, "the greeting alone was said");
    assert_eq!(body["data"]["transcript"][0]["message"], "Hello, how can I help you?");
    assert_eq!(body["data"]["metadata"]["call_duration_secs"], 1);
    let (time, _) = report.header("elevenlabs-signature").split_once(',').unwrap();
    let unix = time.strip_prefix("t=").unwrap().parse().unwrap();
    assert_eq!(report.header("elevenlabs-signature"), signature(super::WEBHOOK_SECRET, unix, &report.raw));
}

#[actix_web::test]
async fn what_was_heard_is_in_the_report() {
    let service = Service::ready().await;
    let provider = Provider::with(Options { webhook: service.target(), ..endless() }).await;
    let script = json!([
        {"do": "say", "text": "Hello?", "ms": 40}, {"do": "hear", "text": "Nobody hears me.", "within_ms": 60},
        {"do": "say", "text": "Hello??", "ms": 40},
        {"do": "hear", "text": "Good morning.", "within_ms": 8_000},
        {"do": "end"},
    ]);
    let mut socket = provider.follows(script).await;
    while socket.all("agent_response").len() < 2 {
        socket.next().await;
    }
    socket.say_for(30, 8_000).await;
    socket.ends().await;
    let report = service.received(1).await.remove(0).json();
    let said: Vec<Value> =
        report["data"]["transcript"].as_array().unwrap().iter().map(|turn| turn["message"].clone()).collect();
    assert_eq!(said, ["Hello?", "Hello??", "Good morning."]);
}

#[actix_web::test]
async fn a_report_can_be_lost_or_come_twice() {
    let service = Service::ready().await;
    let provider = Provider::with(Options { webhook: service.target(), ..brief() }).await;
    let fault = |report| vec![Fault { report, ..Fault::on("/v1/convai/conversation?") }];
    provider.simulator.set_faults(fault(ReportFate::None));
    provider.sessions(json!({})).await.ends().await;
    let lost = provider.last_talk().conversation_id;
    provider.reaches(&lost, "done").await;
    provider.simulator.set_faults(fault(ReportFate::Twice));
    provider.sessions(json!({})).await.ends().await;
    let reports = service.received(2).await;
    assert!(reports.iter().all(|report| report.json()["data"]["conversation_id"] != lost));
}

#[actix_web::test]
async fn limits_of_the_provider_end_it() {
    let provider = Provider::with(endless()).await;
    let silent = || agent(json!([{"do": "wait", "ms": 600_000}]));
    provider.simulator.set_agent(Agent { input_timeout_ms: 100, ..silent() });
    let mut socket = provider.sessions(json!({})).await;
    socket.say_for(10, 0).await;
    let spoke = Instant::now();
    assert_eq!(socket.ends().await.0, Some(1002));
    assert!(spoke.elapsed() >= Duration::from_millis(60));
    assert_eq!(socket.all("error")[0]["error_event"]["error_type"], "transport_receive_timeout");

    provider.simulator.set_agent(Agent { max_duration_ms: 100, ..silent() });
    let mut socket = provider.sessions(json!({})).await;
    assert_eq!(socket.ends().await.0, Some(1000));
    assert_eq!(socket.all("error")[0]["error_event"]["error_type"], "max_duration_exceeded");
    let done = provider.reaches(&provider.last_talk().conversation_id, "done").await;
    assert_eq!(done["metadata"]["termination_reason"], "max_duration_exceeded");
}

#[actix_web::test]
async fn a_hang_up_by_the_control_api_ends_it_once() {
    let provider = Provider::with(endless()).await;
    let mut socket = provider.sessions(json!({})).await;
    socket.until("conversation_initiation_metadata").await;
    let path = format!("/sim/conversations/{}/hangup", provider.last_talk().conversation_id);
    assert_eq!(provider.post(&path, &Value::Null).await.json(), json!({"ok": true}));
    assert_eq!(socket.ends().await.0, Some(1000));
    eventually("it is over", || async {
        (provider.post(&path, &Value::Null).await.json() == json!({"ok": false})).then_some(())
    })
    .await;
    assert_eq!(provider.get("/sim/conversations/nobody").await.status, 404);
    assert_eq!(provider.get("/sim/conversations/nobody/audio.wav").await.status, 404);
    let id = provider.call("+1", Value::Null).await;
    assert_eq!(provider.get(&format!("/sim/conversations/{id}")).await.json()["socket"], Value::Null);
}

#[actix_web::test]
async fn two_hundred_conversations_at_once_are_served_evenly() {
    const CONVERSATIONS: usize = 200;
    let provider = Provider::with(endless()).await;
    let say = json!({"do": "say", "text": "x", "ms": 2_000, "pace": {"piece_ms": 100, "every_ms": 100}});
    provider.simulator.set_agent(agent(json!([say, {"do": "end"}])));
    let provider = &provider;
    let frame = 0_i16.to_le_bytes().repeat(480);
    let frame = &frame;
    let one = async move || {
        let mut socket = provider.sessions(json!({})).await;
        let mut clock = tokio::time::interval(Duration::from_millis(60));
        loop {
            tokio::select! {
                _ = clock.tick() => socket.say(frame).await,
                came = socket.next() => if matches!(came, super::socket::Came::End(..)) { break },
            }
        }
        Bytes::from(socket.audio()).len()
    };
    let conversations = futures_util::future::join_all((0..CONVERSATIONS).map(|_| one()));
    let audio = conversations.await;
    assert!(audio.iter().all(|bytes| *bytes == 32_000), "{audio:?}");
    let sessions = provider.simulator.sessions();
    assert_eq!(sessions.len(), CONVERSATIONS);
    assert!(sessions.iter().all(|session| session.violation_count == 0 && session.user_audio.messages > 10));
}
