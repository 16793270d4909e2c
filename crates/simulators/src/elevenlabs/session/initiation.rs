//! The client's first message, and whether the agent allows its overrides. It ignores what the provider ignores;
//! `client_message` finds the violations.

use serde_json::{Map, Value};

use super::agent_settings::Agent;

/// Fields of `conversation_config_override` (AsyncAPI), each of which the agent allows or not.
const OVERRIDES: [&[&str]; 12] = [
    &["tts", "voice_id"],
    &["tts", "stability"],
    &["tts", "speed"],
    &["tts", "similarity_boost"],
    &["agent", "first_message"],
    &["agent", "language"],
    &["agent", "prompt", "prompt"],
    &["agent", "prompt", "llm"],
    &["agent", "native_mcp_server_ids"],
    &["asr", "keywords"],
    &["conversation", "text_only"],
    &["conversation", "client_events"],
];

/// Why a conversation does not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub error_type: &'static str,
    pub message: String,
}

/// The first message, or the default in its place.
#[derive(Clone, Debug)]
pub(super) struct Initiation {
    data: Map<String, Value>,
    voice: String,
    events: Option<Vec<String>>,
}

impl Initiation {
    pub fn new(data: Map<String, Value>, agent: &Agent) -> Self {
        let voice = at(&data, &["conversation_config_override", "tts", "voice_id"]).and_then(Value::as_str);
        let voice = voice.unwrap_or(&agent.voice_id).to_owned();
        let events = at(&data, &["conversation_config_override", "conversation", "client_events"]);
        let events = events
            .and_then(Value::as_array)
            .map(|events| events.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        Self { data, voice, events }
    }

    /// As it was sent.
    pub fn data(&self) -> &Map<String, Value> {
        &self.data
    }

    /// The voice that the agent speaks with.
    pub fn voice(&self) -> &str {
        &self.voice
    }

    pub fn first_message(&self) -> Option<&str> {
        at(&self.data, &["conversation_config_override", "agent", "first_message"])?.as_str()
    }

    pub fn variables(&self) -> Map<String, Value> {
        self.data.get("dynamic_variables").and_then(Value::as_object).cloned().unwrap_or_default()
    }

    pub fn wants(&self, event: &str, agent: &Agent) -> bool {
        self.events.as_ref().unwrap_or(&agent.client_events).iter().any(|wanted| wanted == event)
    }

    /// Why the agent does not begin with it (facts page, section 4: "Allowing the override").
    pub fn refusal(&self, agent: &Agent) -> Option<Refusal> {
        for path in OVERRIDES {
            let field = path.join(".");
            let given = at(&self.data, &["conversation_config_override"])
                .and_then(Value::as_object)
                .and_then(|given| at(given, path))
                .is_some_and(|value| !value.is_null());
            if given && !agent.allows(&field) {
                let name = path.last().unwrap_or(&"");
                let message = format!("Override for field '{name}' is not allowed by config.");
                return Some(Refusal { error_type: "override_error", message });
            }
        }
        let variables = self.variables();
        let missing = agent.required_variables.iter().find(|name| !variables.contains_key(*name))?;
        let message = format!("Missing required dynamic variable: {missing}");
        Some(Refusal { error_type: "missing_dynamic_variable", message })
    }
}

fn at<'a>(data: &'a Map<String, Value>, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(data.get(*first)?, |value, name| value.get(*name))
}
