//! The messages of the agent, as JSON texts (AsyncAPI; facts page, section 4).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::format::AgentAudio;

/// The name and the text of a message. The name decides whether the client wants it.
pub(super) type Named = (&'static str, String);

pub(super) fn metadata(conversation_id: &str, output: AgentAudio, input: AgentAudio) -> Named {
    let event = json!({
        "conversation_id": conversation_id,
        "agent_output_audio_format": output.name(),
        "user_input_audio_format": input.name(),
    });
    named("conversation_initiation_metadata", "conversation_initiation_metadata_event", event)
}

/// Put together by hand: it is nearly everything that is sent, and base64 needs no escapes.
pub(super) fn audio(audio: &[u8], event_id: u64) -> Named {
    let mut text = String::with_capacity(audio.len().saturating_mul(4) / 3 + 96);
    text.push_str("{\"type\":\"audio\",\"audio_event\":{\"audio_base_64\":\"");
    STANDARD.encode_string(audio, &mut text);
    text.push_str("\",\"event_id\":");
    text.push_str(&event_id.to_string());
    text.push_str("}}");
    ("audio", text)
}

pub(super) fn ping(event_id: u64, ping_ms: Option<u64>) -> Named {
    named("ping", "ping_event", json!({"event_id": event_id, "ping_ms": ping_ms}))
}

pub(super) fn agent_response(text: &str, event_id: u64) -> Named {
    let event = json!({"agent_response": text, "event_id": event_id});
    named("agent_response", "agent_response_event", event)
}

pub(super) fn agent_response_correction(original: &str, corrected: &str, event_id: u64) -> Named {
    let event = json!({
        "original_agent_response": original,
        "corrected_agent_response": corrected,
        "event_id": event_id,
    });
    named("agent_response_correction", "agent_response_correction_event", event)
}

pub(super) fn interruption(event_id: u64) -> Named {
    named("interruption", "interruption_event", json!({"event_id": event_id}))
}

pub(super) fn tentative_user_transcript(text: &str, event_id: u64) -> Named {
    let event = json!({"user_transcript": text, "event_id": event_id});
    named("tentative_user_transcript", "tentative_user_transcription_event", event)
}

pub(super) fn user_transcript(text: &str, event_id: u64) -> Named {
    let event = json!({"user_transcript": text, "event_id": event_id});
    named("user_transcript", "user_transcription_event", event)
}

pub(super) fn client_tool_call(
    name: &str,
    tool_call_id: &str,
    parameters: &Map<String, Value>,
    event_id: u64,
) -> Named {
    let event = json!({
        "tool_name": name,
        "tool_call_id": tool_call_id,
        "parameters": parameters,
        "event_id": event_id,
    });
    named("client_tool_call", "client_tool_call", event)
}

pub(super) fn vad_score(score: f64) -> Named {
    named("vad_score", "vad_score_event", json!({"vad_score": score}))
}

/// The client waits for its turn. Its fields are not published (changelog 2026-09-14).
pub(super) fn queue_status() -> Named {
    let kind = "queue_status";
    (kind, json!({ "type": kind }).to_string())
}

/// Sent to every client: it is no client event.
pub(super) fn error(code: u16, error_type: &str, message: &str) -> String {
    let event = json!({"code": code, "error_type": error_type, "message": message, "reason": message});
    named("error", "error_event", event).1
}

fn named(kind: &'static str, field: &str, event: Value) -> Named {
    let mut message = Map::new();
    message.insert("type".to_owned(), Value::from(kind));
    message.insert(field.to_owned(), event);
    (kind, Value::Object(message).to_string())
}
