//! The agent: its configuration as `precall check` looks at it, and the dialogue that every conversation holds.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::answer::Answer;

/// Most turns of a dialogue.
const MOST_TURNS: usize = 200;
/// Longest message of a turn, in bytes.
const LONGEST_MESSAGE: usize = 4_096;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The voice agent.
    Agent,
    /// The person on the phone.
    User,
}

/// One line of the scripted dialogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub message: String,
}

/// What is said in every conversation.
#[derive(Clone, Debug)]
pub(super) struct Script(Vec<Turn>);

impl Default for Script {
    fn default() -> Self {
        let turn = |role, message: &str| Turn { role, message: message.to_owned() };
        Self(vec![
            turn(Role::Agent, "Hello, how can I help you?"),
            turn(Role::User, "I would like to know when you are open."),
            turn(Role::Agent, "We are open from nine to five, Monday to Friday."),
            turn(Role::User, "Thank you, goodbye."),
        ])
    }
}

impl Script {
    /// A dialogue of these turns.
    ///
    /// # Errors
    /// Says what is too much.
    pub fn new(turns: Vec<Turn>) -> Result<Self, String> {
        if turns.len() > MOST_TURNS {
            return Err(format!("a dialogue has at most {MOST_TURNS} turns"));
        }
        if turns.iter().any(|turn| turn.message.len() > LONGEST_MESSAGE) {
            return Err(format!("a message has at most {LONGEST_MESSAGE} bytes"));
        }
        Ok(Self(turns))
    }

    /// The turns as they were given.
    pub fn turns(&self) -> &[Turn] {
        &self.0
    }

    /// The turns of one conversation. An overridden first message takes the place of the agent's first line; an
    /// empty one means that the agent waits for the user.
    pub fn spoken(&self, first_message: Option<&str>, variables: &Map<String, Value>) -> Vec<Turn> {
        let mut turns = self.0.clone();
        if let Some(first) = first_message {
            if turns.first().is_some_and(|turn| turn.role == Role::Agent) {
                turns.remove(0);
            }
            if !first.is_empty() {
                turns.insert(0, Turn { role: Role::Agent, message: first.to_owned() });
            }
        }
        for turn in turns.iter_mut().filter(|turn| turn.role == Role::Agent) {
            turn.message = filled(&turn.message, variables);
        }
        turns
    }
}

/// Puts the dynamic variables into `{{name}}`.
fn filled(message: &str, variables: &Map<String, Value>) -> String {
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

/// The turns of a conversation as the provider shows them, spread over its length.
pub(super) fn transcript(agent_id: &str, turns: &[Turn], length: Duration) -> Value {
    let count = u64::try_from(turns.len()).unwrap_or(u64::MAX).max(1);
    let shown = (0_u64..).zip(turns).map(|(n, turn)| {
        let at = length.as_secs().saturating_mul(n) / count;
        match turn.role {
            Role::Agent => json!({
                "role": "agent",
                "agent_metadata": {"agent_id": agent_id, "branch_id": null, "workflow_node_id": null},
                "message": turn.message,
                "multivoice_message": null,
                "tool_calls": [],
                "tool_results": [],
                "feedback": null,
                "llm_override": null,
                "time_in_call_secs": at,
                "conversation_turn_metrics": {"metrics": {"convai_tts_service_ttfb": {"elapsed_time": 0.22}}},
                "rag_retrieval_info": null,
                "llm_usage": null,
                "interrupted": false,
                "original_message": null,
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

/// `GET /v1/convai/agents/{agent_id}`: an agent that is set up as precall needs it. A badly set up one is a fault
/// with a body.
pub(super) fn get(agent_id: &str) -> Answer {
    Answer::ok(json!({
        "agent_id": agent_id,
        "name": "Simulated agent",
        "conversation_config": {
            "asr": {"quality": "high", "user_input_audio_format": "ulaw_8000", "keywords": []},
            "tts": {
                "model_id": "eleven_flash_v2_5",
                "voice_id": "cjVigY5qzO86Huf0OWal",
                "agent_output_audio_format": "ulaw_8000",
                "stability": 0.5,
                "speed": 1.0,
                "similarity_boost": 0.8,
            },
            "conversation": {"text_only": false, "max_duration_seconds": 600},
            "agent": {
                "first_message": "Hello, how can I help you?",
                "language": "en",
                "prompt": {"prompt": "You are a helpful assistant.", "llm": "gemini-2.5-flash"},
            },
        },
        "metadata": {"created_at_unix_secs": 1_760_000_000, "updated_at_unix_secs": 1_760_000_000},
        "platform_settings": {
            "overrides": {
                "conversation_config_override": {
                    "tts": {"voice_id": true, "stability": true, "speed": true, "similarity_boost": true},
                    "agent": {"first_message": true, "language": true, "prompt": {"prompt": true}},
                    "conversation": {"text_only": false, "max_duration_seconds": true},
                },
                "enable_conversation_initiation_client_data_from_webhook": true,
            },
            "auth": {"enable_auth": true},
            "call_limits": {"agent_concurrency_limit": -1, "daily_limit": 100_000, "bursting_enabled": true},
        },
        "phone_numbers": [],
        "tags": [],
    }))
}
