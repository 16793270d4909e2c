//! The agent's WebSocket: messages of the client, and what is kept of them.

use std::time::Duration;

use awc::ws;
use serde_json::{Value, json};

use super::super::{Agent, AgentAudio, EndedBy, OnViolation};
use super::socket::{Came, agent};
use super::{Provider, endless};

/// An agent that listens and says nothing.
fn silent() -> Value {
    json!([{"do": "wait", "ms": 600_000}])
}

#[actix_web::test]
async fn pings_are_sent_and_round_trips_are_kept() {
    let provider = Provider::with(endless()).await;
    provider.simulator.set_agent(Agent { ping_ms: 40, ..agent(silent()) });
    let mut socket = provider.sessions(json!({})).await;
    let first = socket.until("ping").await;
    assert_eq!(first["ping_event"], json!({"event_id": 1, "ping_ms": null}));
    socket.send(json!({"type": "pong", "event_id": 1})).await;
    let session = provider.session_until("answered", |session| session.pings.answered == 1).await;
    assert!(session.pings.last_rtt_us.unwrap() < 10_000_000);
    let mut told = socket.until("ping").await;
    while told["ping_event"]["ping_ms"].is_null() {
        told = socket.until("ping").await;
    }
    assert!(told["ping_event"]["ping_ms"].is_u64());
    let session = provider.session_until("one waits", |session| session.pings.unanswered_ms > Some(60)).await;
    assert_eq!(session.violations, Vec::<String>::new());
    socket.send(json!({"type": "pong", "event_id": 1})).await;
    socket.send(json!({"type": "pong", "event_id": 99})).await;
    provider.session_until("both are wrong", |session| session.violation_count == 2).await;
    socket.send_frame(ws::Message::Ping("x".into())).await;
    while socket.next().await != Came::Pong {}
}

#[actix_web::test]
async fn the_callers_audio_is_measured_and_kept() {
    let provider = Provider::with(endless()).await;
    let mut socket = provider.follows(silent()).await;
    socket.until("conversation_initiation_metadata").await;
    socket.say_for(20, 0).await;
    socket.say_for(20, 8_000).await;
    let session = provider.session_until("it came", |session| session.user_audio.messages == 40).await;
    let heard = &session.user_audio;
    assert_eq!((heard.bytes, heard.ms, heard.sound_ms, heard.odd_messages), (12_800, 800, 400, 0));
    assert!(heard.first_sound_after_ms.unwrap() >= heard.first_after_ms.unwrap() + 300, "{heard:?}");
    assert!(heard.last_after_ms.unwrap() >= heard.first_after_ms.unwrap() + 700, "{heard:?}");
    let kept = provider.simulator.heard(&session.conversation_id).unwrap();
    assert_eq!((kept.rate, kept.samples.len()), (8_000, 6_400));
    assert_eq!((kept.samples[0], kept.samples[3_199], kept.samples[3_200]), (0, 0, 8_000));
    let wav = provider.get(&format!("/sim/conversations/{}/audio.wav", session.conversation_id)).await;
    assert_eq!((wav.status, wav.body.len()), (200, 44 + 12_800));

    let before = heard.gaps_ms.len();
    let pause = tokio::time::Instant::now() + Duration::from_millis(120);
    tokio::time::sleep_until(pause).await;
    socket.say(&[0; 321]).await;
    let session = provider.session_until("it came", |session| session.user_audio.messages == 41).await;
    assert_eq!(session.user_audio.gaps_ms.len(), before + 1, "{session:?}");
    assert!(session.user_audio.longest_interval_ms >= 120);
    assert_eq!(session.user_audio.odd_messages, 1);
    for _ in 0..25 {
        socket.say(&[0; 320]).await;
    }
    let session = provider.session_until("it came", |session| session.user_audio.messages == 66).await;
    assert!(session.user_audio.max_lead_ms >= 300, "{session:?}");
    assert_eq!(session.violations, Vec::<String>::new());
}

#[actix_web::test]
async fn ulaw_is_heard_as_what_it_means() {
    let provider = Provider::with(endless()).await;
    let told = Agent { user_input_audio_format: AgentAudio::Ulaw8000, ..agent(silent()) };
    provider.simulator.set_agent(told);
    let mut socket = provider.sessions(json!({})).await;
    // G.711: 0xFF and 0x7F are silence, 0x80 is the highest and 0x00 the lowest sample; 0xF0 is 120.
    socket.say(&[0xFF, 0x7F, 0x80, 0x00, 0xF0]).await;
    let session = provider.session_until("it came", |session| session.user_audio.messages == 1).await;
    let kept = provider.simulator.heard(&session.conversation_id).unwrap();
    assert_eq!(kept.samples, [0, 0, 32_124, -32_124, 120]);
}

#[actix_web::test]
async fn everything_that_a_client_may_send_is_taken() {
    let provider = Provider::with(endless()).await;
    let mut socket = provider.follows(silent()).await;
    let good = [
        json!({"type": "user_message", "text": "Hi", "rich_content_id": "r"}),
        json!({"type": "user_message", "text": null}),
        json!({"type": "user_activity"}),
        json!({"type": "feedback", "event_id": 1, "score": "like"}),
        json!({"type": "feedback", "event_id": 1, "score": null}),
        json!({"type": "mcp_tool_approval_result", "tool_call_id": "t", "is_approved": true}),
        json!({"type": "contextual_update", "text": "It rains."}),
        json!({"type": "contextual_update", "text": "It snows.", "context_id": "weather"}),
        json!({"type": "multimodal_message", "text": {"type": "user_message", "text": "x"},
               "file": {"type": "file_input", "file_id": "f"}}),
        json!({"type": "multimodal_message", "text": null, "file": null}),
    ];
    for message in &good {
        socket.send(message.clone()).await;
    }
    let session =
        provider.session_until("all came", |session| session.received.values().sum::<u64>() == 11).await;
    assert_eq!(session.violations, Vec::<String>::new());
    assert_eq!(session.contextual_updates, ["It rains.", "It snows."]);
    assert_eq!((session.received["user_message"], session.received["contextual_update"]), (2, 2));
    assert_eq!(session.end, None);
}

/// Messages with one thing wrong each, and a word of the complaint.
fn wrong() -> Vec<(Value, &'static str)> {
    let kind = "conversation_initiation_client_data";
    let over = |given: Value| json!({"type": kind, "conversation_config_override": given});
    vec![
        (json!({"user_audio_chunk": "AAAA", "event_id": 1}), "event_id is not known"),
        (json!({"user_audio_chunk": "?"}), "base64"),
        (json!({"user_audio_chunk": 7}), "must be a text"),
        (json!({"user_audio": "AAAA"}), "no type"),
        (json!({"type": "interrupt"}), "no message has the type interrupt"),
        (json!({"type": "pong"}), "event_id is missing"),
        (json!({"type": "pong", "event_id": "1"}), "whole number"),
        (json!({"type": "user_activity", "at": 1}), "at is not known"),
        (json!({"type": "contextual_update", "text": null}), "must be a text"),
        (json!({"type": "contextual_update", "text": "x", "contextid": "y"}), "contextid is not known"),
        (json!({"type": "feedback", "event_id": 1, "score": "good"}), "one of like, dislike"),
        (
            json!({"type": "client_tool_result", "tool_call_id": "t", "result": {}, "is_error": false}),
            "result must be a text",
        ),
        (json!({"type": "client_tool_result", "tool_call_id": "t", "result": "x"}), "is_error is missing"),
        (json!({"type": "multimodal_message", "text": "x"}), "text must be an object"),
        (json!([1]), "not a JSON object"),
        (over(json!({"tts": {"voiceId": "v"}})), "conversation_config_override.tts.voiceId is not known"),
        (over(json!({"tts": {"voice_id": 7}})), "voice_id must be a text"),
        (over(json!({"tts": {"speed": 9}})), "between 0.7 and 5"),
        (over(json!({"tts": null})), "tts must be an object"),
        (over(json!({"voice_id": "v"})), "voice_id is not known"),
        (over(json!({"agent": {"firstMessage": ""}})), "agent.firstMessage is not known"),
        (over(json!({"agent": {"language": "xx"}})), "language must be one of"),
        (over(json!({"agent": {"prompt": "x"}})), "prompt must be an object"),
        (over(json!({"conversation": {"client_events": []}})), "client_events must be a list"),
        (over(json!({"conversation": {"client_events": ["sound"]}})), "client_events must be a list"),
        (over(json!({"conversation": {"max_duration_seconds": 9}})), "max_duration_seconds is not known"),
        (
            json!({"type": "conversation_initiation_client_data", "dynamic_variables": {"a": null}}),
            "variables.a must be",
        ),
        (
            json!({"type": "conversation_initiation_client_data", "dynamic_variables": {"system__time": "x"}}),
            "system__",
        ),
        (json!({"type": "conversation_initiation_client_data", "userid": "x"}), "userid is not known"),
        (json!({"type": "conversation_initiation_client_data", "user_id": 5}), "user_id must be a text"),
    ]
}

#[actix_web::test]
async fn a_typo_is_written_down() {
    let provider = Provider::with(endless()).await;
    provider.simulator.set_agent(agent(silent()));
    for (message, word) in wrong() {
        let mut socket = provider.opens(&provider.socket_url()).await;
        if message["type"] != "conversation_initiation_client_data" {
            socket.initiate(json!({})).await;
        }
        socket.send(message.clone()).await;
        let session = provider.session_until(word, |session| session.violation_count > 0).await;
        assert!(
            session.violations.iter().any(|violation| violation.contains(word)),
            "{message}: {session:?}"
        );
        assert_eq!(session.end, None, "{message}");
        socket.send_frame(ws::Message::Close(None)).await;
        provider.session_until("closed", |session| session.end.is_some()).await;
    }
}

#[actix_web::test]
async fn a_typo_closes_when_that_is_asked_for() {
    let provider = Provider::with(endless()).await;
    provider.simulator.set_agent(Agent { violations: OnViolation::Close, ..agent(silent()) });
    for (message, word) in wrong() {
        let mut socket = provider.opens(&provider.socket_url()).await;
        if message["type"] != "conversation_initiation_client_data" {
            socket.initiate(json!({})).await;
        }
        socket.send(message.clone()).await;
        let (code, reason) = socket.ends().await;
        assert_eq!(code, Some(1008), "{message}");
        let error = &socket.all("error")[0]["error_event"];
        assert_eq!(error["error_type"], "invalid_message", "{message}");
        assert!(error["message"].as_str().unwrap().contains(word), "{message}: {error}");
        assert!(word.starts_with(&reason) || reason.len() > 3, "{reason}");
        assert_eq!(provider.last_talk().end.unwrap().by, EndedBy::Error);
    }
    let mut socket = provider.sessions(json!({})).await;
    socket.send_frame(ws::Message::Binary(vec![0; 320].into())).await;
    assert_eq!(socket.ends().await.0, Some(1008), "text frames only");
    let mut socket = provider.sessions(json!({})).await;
    socket.send_text("{\"type\":".to_owned()).await;
    assert_eq!(socket.ends().await.0, Some(1008), "not JSON");
}

#[actix_web::test]
async fn the_first_message_comes_first_and_once() {
    let provider = Provider::with(endless()).await;
    provider.simulator.set_agent(agent(silent()));
    let mut socket = provider.opens(&provider.socket_url()).await;
    socket.say(&[0; 320]).await;
    socket.until("conversation_initiation_metadata").await;
    let session = provider.last_talk();
    assert_eq!(session.violations, ["user_audio_chunk: before the initiation"]);
    assert_eq!(session.user_audio.messages, 1);
    let mut socket = provider.sessions(json!({})).await;
    socket.initiate(json!({})).await;
    let session = provider.session_until("twice", |session| session.violation_count == 1).await;
    assert!(session.violations[0].contains("once"), "{session:?}");
}

#[actix_web::test]
async fn what_was_meant_counts_in_spite_of_a_typo() {
    let provider = Provider::with(endless()).await;
    provider.simulator.set_agent(agent(silent()));
    let _socket = provider
        .sessions(json!({"user_id": "u", "userId": "u", "conversation_config_override": {"tts": {"voice_id": "v"}}}))
        .await;
    let session = provider.session_until("begun", |session| session.began_after_ms.is_some()).await;
    assert_eq!((session.voice_id.as_deref(), session.violation_count), (Some("v"), 1));
}

#[actix_web::test]
async fn a_flood_of_violations_is_bounded() {
    let provider = Provider::with(endless()).await;
    let mut socket = provider.follows(silent()).await;
    for _ in 0..300 {
        socket.send(json!({"type": "x".repeat(5_000)})).await;
    }
    let session = provider.session_until("all came", |session| session.violation_count == 300).await;
    assert_eq!(session.violations.len(), 100);
    assert!(session.violations[0].len() < 200);
}
