//! Parses one message of a client and finds its violations of the contract.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::shape::{self, AUDIO, INITIATION, MESSAGES};

/// A message, as far as it is valid.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ClientMessage {
    Audio(Bytes),
    Initiation(Map<String, Value>),
    Pong(i64),
    /// Its text, which the provider lets the client leave out.
    UserMessage(Option<String>),
    UserActivity,
    Feedback,
    ToolResult {
        tool_call_id: String,
        result: String,
        is_error: bool,
    },
    ToolApproval,
    ContextualUpdate(String),
    Multimodal,
}

impl ClientMessage {
    /// Its name in reports.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Audio(_) => "user_audio_chunk",
            Self::Initiation(_) => INITIATION,
            Self::Pong(_) => "pong",
            Self::UserMessage(_) => "user_message",
            Self::UserActivity => "user_activity",
            Self::Feedback => "feedback",
            Self::ToolResult { .. } => "client_tool_result",
            Self::ToolApproval => "mcp_tool_approval_result",
            Self::ContextualUpdate(_) => "contextual_update",
            Self::Multimodal => "multimodal_message",
        }
    }
}

/// A parsed text frame.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Received {
    /// None when it is no message.
    pub message: Option<ClientMessage>,
    /// Where it breaks the contract.
    pub violations: Vec<String>,
}

/// Audio, which is nearly every message: read without building a tree.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AudioOnly<'a> {
    user_audio_chunk: &'a str,
}

/// Reads a text frame.
pub(super) fn read(text: &str) -> Received {
    if let Ok(AudioOnly { user_audio_chunk }) = serde_json::from_str(text) {
        return audio(user_audio_chunk);
    }
    let refused = |why: &str| Received { message: None, violations: vec![why.to_owned()] };
    let object = match serde_json::from_str(text) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return refused("not a JSON object"),
        Err(_) => return refused("not JSON"),
    };
    if let Some(chunk) = object.get("user_audio_chunk") {
        let nothing = Received { message: None, violations: Vec::new() };
        let mut received = chunk.as_str().map_or(nothing, audio);
        received.violations.extend(shape::complaints(AUDIO, &object));
        return received;
    }
    let Some(kind) = object.get("type").and_then(Value::as_str) else { return refused("no type") };
    let Some((kind, fields)) = MESSAGES.iter().find(|(known, _)| *known == kind) else {
        let kind: String = kind.chars().take(64).collect();
        return refused(&format!("no message has the type {kind}"));
    };
    let complaints = shape::complaints(fields, &object);
    let violations = complaints.into_iter().map(|complaint| format!("{kind}: {complaint}")).collect();
    Received { message: understood(kind, object), violations }
}

fn audio(chunk: &str) -> Received {
    match STANDARD.decode(chunk) {
        Ok(audio) => Received { message: Some(ClientMessage::Audio(audio.into())), violations: Vec::new() },
        Err(_) => {
            Received { message: None, violations: vec!["user_audio_chunk: not a text of base64".to_owned()] }
        }
    }
}

/// The provider ignores unknown fields; all valid fields are taken.
fn understood(kind: &str, object: Map<String, Value>) -> Option<ClientMessage> {
    let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    match kind {
        INITIATION => Some(ClientMessage::Initiation(object)),
        "pong" => Some(ClientMessage::Pong(object.get("event_id")?.as_i64()?)),
        "user_message" => Some(ClientMessage::UserMessage(text("text"))),
        "user_activity" => Some(ClientMessage::UserActivity),
        "feedback" => Some(ClientMessage::Feedback),
        "client_tool_result" => Some(ClientMessage::ToolResult {
            tool_call_id: text("tool_call_id")?,
            result: text("result")?,
            is_error: object.get("is_error")?.as_bool()?,
        }),
        "mcp_tool_approval_result" => Some(ClientMessage::ToolApproval),
        "contextual_update" => Some(ClientMessage::ContextualUpdate(text("text")?)),
        "multimodal_message" => Some(ClientMessage::Multimodal),
        _ => None,
    }
}
