//! Conversations whose agent does not speak yet, or never, or without audio.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::{Agent, Queue};
use super::socket::{agent, samples, tone_hz};
use super::{Options, Provider, brief, endless, open_agent};

#[actix_web::test]
async fn a_client_waits_in_the_queue_with_hold_audio_before_the_conversation_begins() {
    let provider = Provider::with(endless()).await;
    let script = json!([{"do": "say", "text": "Hello.", "ms": 200, "until": "sent"}, {"do": "end"}]);
    let queue = Queue { status_every_ms: 100, ..Queue::of_ms(350) };
    provider.simulator.set_agent(Agent { queue: Some(queue), ..agent(script) });
    let mut socket = provider.sessions(json!({})).await;
    assert_eq!(socket.ends().await.0, Some(1000));
    let kinds = socket.kinds();
    let metadata = kinds.iter().position(|kind| kind == "conversation_initiation_metadata").unwrap();
    let (before, after) = kinds.split_at(metadata);
    let of = |kinds: &[String], kind: &str| kinds.iter().filter(|one| *one == kind).count();
    assert_eq!(before[0], "queue_status", "{kinds:?}");
    assert!(of(before, "queue_status") >= 3 && of(before, "audio") >= 3, "{kinds:?}");
    assert_eq!(of(before, "agent_response"), 0);
    assert_eq!((of(after, "queue_status"), of(after, "agent_response")), (0, 1), "{kinds:?}");
    assert_eq!(socket.all("queue_status")[0], json!({"type": "queue_status"}), "no field is published");
    let hold: Vec<Value> =
        socket.all("audio").into_iter().filter(|audio| audio["audio_event"]["event_id"] == 0).collect();
    assert_eq!(hold.len(), of(before, "audio"), "hold audio has its own event");
    let first = samples(&super::socket::audio_of(&hold[0]));
    assert!(tone_hz(&first, 8_000).abs_diff(1_700) <= 10, "{}", tone_hz(&first, 8_000));

    let session = provider.last_talk();
    assert!(session.queued_ms.unwrap() >= 350 && session.began_after_ms.unwrap() >= 350, "{session:?}");
    let done = provider.reaches(&session.conversation_id, "done").await;
    assert_eq!(done["metadata"]["queue_wait_secs"], 0);
    let shown = provider.get("/v1/convai/agents/a").await.json();
    assert_eq!(shown["platform_settings"]["queueing_config"]["enabled"], true);
}

#[actix_web::test]
async fn a_client_may_leave_the_queue_and_may_wait_in_silence() {
    let provider = Provider::with(endless()).await;
    let queue = json!({"wait_ms": 60_000, "hold_audio": false});
    assert_eq!(provider.put("/sim/agent", &json!({"queue": queue})).await.status, 200);
    assert_eq!(provider.put("/sim/agent", &json!({"queue": {"wait_ms": 0}})).await.status, 400);
    let mut socket = provider.sessions(json!({})).await;
    socket.until("queue_status").await;
    socket.say(&[0; 320]).await;
    socket.send_frame(awc::ws::Message::Close(None)).await;
    let session = provider.session_until("left", |session| session.end.is_some()).await;
    assert_eq!((session.began_after_ms, session.sent.get("audio")), (None, None));
    assert_eq!(session.violations, Vec::<String>::new(), "audio may come while it waits");
}

#[actix_web::test]
async fn an_agent_that_never_speaks_connects_and_pings() {
    let provider = Provider::with(endless()).await;
    let told = Agent { never_speaks: true, ping_ms: 40, ..open_agent() };
    provider.simulator.set_agent(told);
    let first = json!({"conversation_config_override": {"agent": {"first_message": "Hello."}}});
    let mut socket = provider.sessions(first).await;
    for _ in 0..3 {
        socket.until("ping").await;
    }
    socket.say(&8_000_i16.to_le_bytes().repeat(4_000)).await;
    socket.until("ping").await;
    assert_eq!(socket.kinds(), ["conversation_initiation_metadata"], "beside its pings");

    let silent = Agent { never_speaks: true, ..open_agent() };
    let provider = Provider::with(Options { agent: silent, ..brief() }).await;
    let done = provider.reaches(&provider.call("+1", json!({})).await, "done").await;
    assert_eq!(done["transcript"], json!([]), "by telephone as well");
}

#[actix_web::test]
async fn a_text_only_conversation_has_no_audio() {
    let provider = Provider::with(endless()).await;
    let script = json!([
        {"do": "say", "text": "Hello."},
        {"do": "silence", "ms": 50},
        {"do": "hear", "text": "Hi.", "within_ms": 100},
        {"do": "say", "text": "Bye."},
        {"do": "end"},
    ]);
    let by_agent = Agent { text_only: true, ..agent(script.clone()) };
    let by_override = Agent { allowed_overrides: vec!["conversation.text_only".to_owned()], ..agent(script) };
    let asked = json!({"conversation_config_override": {"conversation": {"text_only": true}}});
    for (told, data) in [(by_agent, json!({})), (by_override, asked)] {
        let shown = told.text_only;
        provider.simulator.set_agent(told);
        let mut socket = provider.sessions(data).await;
        socket.say(&8_000_i16.to_le_bytes().repeat(4_000)).await;
        assert_eq!(socket.ends().await.0, Some(1000));
        assert!(socket.all("audio").is_empty(), "{:?}", socket.kinds());
        assert_eq!(socket.all("agent_response").len(), 2);
        let session = provider.last_talk();
        assert_eq!(session.user_audio.sound_ms, 0, "it hears none either");
        let done = provider.reaches(&session.conversation_id, "done").await;
        assert_eq!(done["metadata"]["text_only"], true);
        let agent = provider.get("/v1/convai/agents/a").await.json();
        assert_eq!(agent["conversation_config"]["conversation"]["text_only"], shown);
    }
    let mut other = provider.sessions(json!({})).await;
    tokio::time::timeout(Duration::from_secs(5), other.until("audio")).await.expect("one with audio");
}
