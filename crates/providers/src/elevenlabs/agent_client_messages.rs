//! What we say on the agent's WebSocket. The fields of the first message stand at its root, and what is not set is left out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use precall_call::{CallId, Purpose, VoiceId};
use serde_json::{Map, Value, json};

use super::request_body::{VARIABLE_CALL, VARIABLE_PURPOSE};

/// Everything a conversation begins with.
#[derive(Clone, Debug)]
pub struct Initiation<'a> {
    /// Our id: comes back in the report, as a variable and as the user's id.
    pub call: CallId,
    /// The PBX's id of it.
    pub threecx_call_id: Option<&'a str>,
    /// Who rang, where they say so.
    pub caller_id: Option<&'a str>,
    /// The voice; none leaves the agent's own.
    pub voice: Option<&'a VoiceId>,
    /// What the agent says first; empty lets the caller begin, none leaves the agent's own.
    pub first_message: Option<&'a str>,
    /// The language; none leaves the agent's own.
    pub language: Option<&'a str>,
    /// What else the agent's prompt is filled with. Our own names win.
    pub variables: &'a [(String, String)],
}

/// `conversation_initiation_client_data`.
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
    // Every variable that a prompt names must be there: an unknown caller is an empty one.
    variables.insert("caller_id".to_owned(), Value::from(initiation.caller_id.unwrap_or_default()));
    let threecx = initiation.threecx_call_id.unwrap_or_default();
    variables.insert("threecx_call_id".to_owned(), Value::from(threecx));
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

/// A piece of the caller's audio, in the agent's format, appended to `text`. It is the one message without a type.
pub fn write_audio_chunk(audio: &[u8], text: &mut String) {
    text.push_str(r#"{"user_audio_chunk":""#);
    STANDARD.encode_string(audio, text);
    text.push_str(r#""}"#);
}

/// The answer to a ping.
pub fn write_pong(event: i64, text: &mut String) {
    use std::fmt::Write;
    // Writing to a string never fails.
    let _ = write!(text, r#"{{"type":"pong","event_id":{event}}}"#);
}

/// How a tool's use came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolOutcome {
    /// It did what it is for.
    Done,
    /// It did not.
    Failed,
}

/// What came of a tool's use; the provider takes text only.
#[must_use]
pub fn tool_result_text(id: &str, result: &str, outcome: ToolOutcome) -> String {
    let is_error = outcome == ToolOutcome::Failed;
    json!({ "type": "client_tool_result", "tool_call_id": id, "result": result, "is_error": is_error })
        .to_string()
}

/// Something the agent is to know, and not to answer.
#[must_use]
pub fn contextual_update_text(text: &str) -> String {
    json!({ "type": "contextual_update", "text": text }).to_string()
}

#[cfg(test)]
mod tests;
