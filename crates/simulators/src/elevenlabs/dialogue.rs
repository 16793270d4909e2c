//! The dialogue of a conversation: its turns, and its transcript as the provider shows it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The voice agent.
    Agent,
    /// The person on the phone.
    User,
}

/// One turn of the scripted dialogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub message: String,
}

/// One turn of a conversation as it took place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spoken {
    pub turn: Turn,
    /// Since the conversation began; None where only its length is known.
    pub at: Option<Duration>,
    /// What the agent meant to say before it was interrupted.
    pub original: Option<String>,
}

impl From<Turn> for Spoken {
    fn from(turn: Turn) -> Self {
        Self { turn, at: None, original: None }
    }
}

/// Puts the dynamic variables into `{{name}}`.
pub(super) fn filled(message: &str, variables: &Map<String, Value>) -> String {
    let mut message = message.to_owned();
    for (name, value) in variables {
        let placeholder = format!("{{{{{name}}}}}");
        if message.contains(&placeholder) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            message = message.replace(&placeholder, &value);
        }
    }
    message
}

/// A turn that is spoken with several voices (OpenAPI: `ConversationHistoryMultivoiceMessageModel`): a part for each
/// sentence.
fn parts(message: &str, at: u64) -> Value {
    let sentences = message.split_inclusive(['.', '!', '?']).map(str::trim).filter(|part| !part.is_empty());
    let labels = [None, Some("Narrator")].into_iter().cycle();
    let parts = sentences.zip(labels).map(
        |(text, voice_label)| json!({"text": text, "voice_label": voice_label, "time_in_call_secs": at}),
    );
    json!({ "parts": parts.collect::<Vec<Value>>() })
}

/// The turns of a conversation as the provider shows them, spread over its length where their times are not known.
pub(super) fn transcript(agent_id: &str, turns: &[Spoken], length: Duration, multivoice: bool) -> Value {
    let count = u64::try_from(turns.len()).unwrap_or(u64::MAX).max(1);
    let shown = (0_u64..).zip(turns).map(|(n, Spoken { turn, at, original })| {
        let at = at.map_or(length.as_secs().saturating_mul(n) / count, |at| at.as_secs());
        match turn.role {
            Role::Agent => json!({
                "role": "agent",
                "agent_metadata": {"agent_id": agent_id, "branch_id": null, "workflow_node_id": null},
                "message": (!multivoice).then_some(&turn.message),
                "multivoice_message": multivoice.then(|| parts(&turn.message, at)),
                "tool_calls": [],
                "tool_results": [],
                "feedback": null,
                "llm_override": null,
                "time_in_call_secs": at,
                "conversation_turn_metrics": {"metrics": {"convai_tts_service_ttfb": {"elapsed_time": 0.22}}},
                "rag_retrieval_info": null,
                "llm_usage": null,
                "interrupted": original.is_some(),
                "original_message": original,
                "source_medium": null,
            }),
            Role::User => json!({
                "role": "user",
                "agent_metadata": null,
                "message": turn.message,
                "multivoice_message": null,
                "tool_calls": [],
                "tool_results": [],
                "feedback": null,
                "llm_override": null,
                "time_in_call_secs": at,
                "conversation_turn_metrics": null,
                "rag_retrieval_info": null,
                "llm_usage": null,
                "interrupted": false,
                "original_message": null,
                "source_medium": "audio",
            }),
        }
    });
    Value::Array(shown.collect())
}
