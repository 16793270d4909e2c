//! Request bodies, as pure functions, so that a test can check them against the provider's OpenAPI file.
//!
//! The provider ignores unknown fields silently, so only such a check finds a misspelt name. A field without a value is
//! left out, never null (ElevenLabs facts, sections 0 and 4).

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::requests::{AddVoice, OutboundCall, VariableValue};
use crate::trace_context::TRACEPARENT;

/// Dynamic variable with our call id; the provider echoes it in every report.
pub const VARIABLE_CALL: &str = "call_id";
/// Dynamic variable with the purpose of the conversation: `greeting` or `agent`.
pub const VARIABLE_PURPOSE: &str = "precall_purpose";

/// JSON of `POST /v1/convai/sip-trunk/outbound-call` and of `POST /v1/convai/twilio/outbound-call`; both are the same.
#[must_use]
pub fn outbound_call_body(call: &OutboundCall) -> Value {
    let mut agent = Map::new();
    if let Some(message) = &call.first_message {
        agent.insert("first_message".to_owned(), json!(message));
    }
    if let Some(language) = &call.language {
        agent.insert("language".to_owned(), json!(language));
    }
    let mut overrides = Map::new();
    if !agent.is_empty() {
        overrides.insert("agent".to_owned(), Value::Object(agent));
    }
    if let Some(voice) = &call.voice {
        overrides.insert("tts".to_owned(), json!({ "voice_id": voice.as_str() }));
    }
    if let Some(longest) = call.max_duration {
        overrides
            .insert("conversation".to_owned(), json!({ "max_duration_seconds": whole_seconds(longest) }));
    }

    let our_call = call.call.to_string();
    let mut variables: Map<String, Value> = Map::new();
    for (name, value) in &call.dynamic_variables {
        variables.insert(name.clone(), variable(value));
    }
    // Ours go last, so that no other variable replaces them.
    variables.insert(VARIABLE_CALL.to_owned(), json!(our_call));
    variables.insert(VARIABLE_PURPOSE.to_owned(), json!(call.purpose.name()));
    if let Some(trace) = call.trace {
        variables.insert(TRACEPARENT.to_owned(), json!(trace.conversation.to_string()));
    }

    let mut client_data = Map::new();
    if !overrides.is_empty() {
        client_data.insert("conversation_config_override".to_owned(), Value::Object(overrides));
    }
    client_data.insert("dynamic_variables".to_owned(), Value::Object(variables));
    client_data.insert("user_id".to_owned(), json!(our_call));

    let mut body = json!({
        "agent_id": call.agent_id,
        "agent_phone_number_id": call.phone_number_id,
        "to_number": call.to.as_e164(),
        "conversation_initiation_client_data": client_data,
    });
    if let (Some(longest), Value::Object(fields)) = (call.ringing_timeout, &mut body) {
        // The provider accepts 1 to 999.
        let seconds = whole_seconds(longest).min(999);
        fields.insert("telephony_call_config".to_owned(), json!({ "ringing_timeout_secs": seconds }));
    }
    body
}

/// Rounded up, at least one.
fn whole_seconds(span: Duration) -> u64 {
    let begun = u64::from(span.subsec_nanos() > 0);
    span.as_secs().saturating_add(begun).max(1)
}

fn variable(value: &VariableValue) -> Value {
    match value {
        VariableValue::Text(text) => json!(text),
        VariableValue::Number(number) => json!(number),
        VariableValue::Truth(truth) => json!(truth),
    }
}

/// A multipart form with one file, as the parts that are sent. The file's bytes are shared, not copied.
#[derive(Clone, Debug)]
pub struct Multipart {
    boundary: String,
    parts: [Bytes; 3],
}

impl Multipart {
    /// The value of the `Content-Type` header.
    #[must_use]
    pub fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// The text before the file, the file, the text after it.
    #[must_use]
    pub fn parts(&self) -> &[Bytes] {
        &self.parts
    }

    pub(super) fn into_parts(self) -> VecDeque<Bytes> {
        self.parts.into()
    }
}

/// Form of `POST /v1/voices/add`: `name`, `description` and one part `files`.
#[must_use]
pub fn add_voice_body(voice: &AddVoice) -> Multipart {
    // A file cannot contain 24 bytes of its own hash, so it never contains the boundary; `field` removes the boundary
    // from the texts. RFC 2046 allows 70 characters.
    let (unique, _) = voice.sample.sha256.split_at(24);
    let boundary = format!("precall-{}", hex::encode(unique));
    let mut head = String::new();
    let mut field = |name: &str, value: &str| {
        let value = value.replace(&boundary, "");
        head.push_str(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        ));
    };
    field("name", &voice.name);
    if let Some(description) = &voice.description {
        field("description", description);
    }
    let format = voice.sample.format;
    head.push_str(&format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
        format.file_name(),
        format.content_type()
    ));
    let tail = format!("\r\n--{boundary}--\r\n");
    Multipart { boundary, parts: [Bytes::from(head), voice.sample.content.clone(), Bytes::from(tail)] }
}

#[cfg(test)]
mod tests;
