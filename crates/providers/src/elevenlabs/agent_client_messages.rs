//! Messages from precall to the agent's WebSocket. Fields without a value are left out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use precall_call::{CallId, Purpose, VoiceId};
use serde_json::{Map, Value, json};

use super::request_body::{VARIABLE_CALL, VARIABLE_PURPOSE};
use crate::trace_context::{TRACEPARENT, TraceParent};

/// Parameters of a conversation, sent as its first message.
#[derive(Clone, Debug)]
pub struct Initiation<'a> {
    /// Our call id; the report returns it as variable `call_id` and as `user_id`.
    pub call: CallId,
    /// The PBX's call id.
    pub threecx_call_id: Option<&'a str>,
    /// The caller's number, unless withheld.
    pub caller_id: Option<&'a str>,
    /// The voice; none keeps the agent's own.
    pub voice: Option<&'a VoiceId>,
    /// The agent's first utterance; with empty text the caller speaks first, none keeps the agent's own.
    pub first_message: Option<&'a str>,
    /// The language; none keeps the agent's own.
    pub language: Option<&'a str>,
    /// The trace of the conversation; none if the call is not traced.
    pub trace: Option<TraceParent>,
    /// Further variables of the agent's prompt; our own variables win over equal names.
    pub variables: &'a [(String, String)],
}

/// The message `conversation_initiation_client_data`; its fields are at the root of the JSON.
#[must_use]
pub fn initiation_text(initiation: &Initiation<'_>) -> String {
    let mut agent = Map::new();
    agent.extend(initiation.first_message.map(|text| ("first_message".to_owned(), Value::from(text))));
    agent.extend(initiation.language.map(|text| ("language".to_owned(), Value::from(text))));
    let mut overrides = Map::new();
    overrides.extend(initiation.voice.map(|voice| ("tts".to_owned(), json!({ "voice_id": voice.as_str() }))));
    overrides.extend((!agent.is_empty()).then_some(("agent".to_owned(), Value::Object(agent))));
    let mut variables: Map<String, Value> = initiation
        .variables
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    let call = initiation.call.to_string();
    variables.insert(VARIABLE_CALL.to_owned(), Value::from(call.as_str()));
    variables.insert(VARIABLE_PURPOSE.to_owned(), Value::from(Purpose::Agent.name()));
    // A variable that the prompt names must be set: an unknown caller is an empty text.
    variables.insert("caller_id".to_owned(), Value::from(initiation.caller_id.unwrap_or_default()));
    let threecx = initiation.threecx_call_id.unwrap_or_default();
    variables.insert("threecx_call_id".to_owned(), Value::from(threecx));
    variables.extend(initiation.trace.map(|trace| (TRACEPARENT.to_owned(), Value::from(trace.to_string()))));
    let mut message = Map::new();
    message.insert("type".to_owned(), Value::from("conversation_initiation_client_data"));
    message.extend(
        (!overrides.is_empty())
            .then_some(("conversation_config_override".to_owned(), Value::Object(overrides))),
    );
    message.insert("dynamic_variables".to_owned(), Value::Object(variables));
    message.insert("user_id".to_owned(), Value::from(call));
    Value::Object(message).to_string()
}

/// Appends the message with a chunk of the caller's audio, in the agent's format. It is the only message without a
/// type.
pub fn write_audio_chunk(audio: &[u8], text: &mut String) {
    text.push_str(r#"{"user_audio_chunk":""#);
    STANDARD.encode_string(audio, text);
    text.push_str(r#""}"#);
}

/// Appends the answer to a ping.
pub fn write_pong(event: i64, text: &mut String) {
    use std::fmt::Write;
    // Writing to a `String` never fails.
    let _ = write!(text, r#"{{"type":"pong","event_id":{event}}}"#);
}

/// The message `user_message`: text in place of the caller's speech. The agent answers it.
#[must_use]
pub fn user_message_text(text: &str) -> String {
    json!({ "type": "user_message", "text": text }).to_string()
}

/// Result of a tool call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolOutcome {
    /// The tool succeeded.
    Done,
    /// The tool failed.
    Failed,
}

/// The message `client_tool_result`; the provider accepts text only.
#[must_use]
pub fn tool_result_text(id: &str, result: &str, outcome: ToolOutcome) -> String {
    let is_error = outcome == ToolOutcome::Failed;
    json!({ "type": "client_tool_result", "tool_call_id": id, "result": result, "is_error": is_error })
        .to_string()
}

/// The message `contextual_update`: information for the agent that it does not answer.
#[must_use]
pub fn contextual_update_text(text: &str) -> String {
    json!({ "type": "contextual_update", "text": text }).to_string()
}

#[cfg(test)]
mod tests;
