//! The client's first message, as sent and as the agent takes it. It ignores what the provider ignores;
//! `client_message` finds the violations.

use serde_json::{Map, Value};

use super::agent_settings::Agent;
use crate::elevenlabs::overrides::Channel;

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
    taken: Map<String, Value>,
    refused: Option<String>,
    voice: String,
    events: Option<Vec<String>>,
}

impl Initiation {
    pub fn new(data: Map<String, Value>, agent: &Agent) -> Self {
        let taken = agent.takes(data.clone(), Channel::Socket);
        let (taken, refused) = (taken.data, taken.refusal);
        let voice = at(&taken, &["conversation_config_override", "tts", "voice_id"]).and_then(Value::as_str);
        let voice = voice.unwrap_or(&agent.voice_id).to_owned();
        let events = at(&taken, &["conversation_config_override", "conversation", "client_events"]);
        let events = events
            .and_then(Value::as_array)
            .map(|events| events.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        Self { data, taken, refused, voice, events }
    }

    /// As it was sent.
    pub fn data(&self) -> &Map<String, Value> {
        &self.data
    }

    /// As the agent took it: without overrides that it dropped.
    pub fn taken(&self) -> &Map<String, Value> {
        &self.taken
    }

    /// The voice that the agent speaks with.
    pub fn voice(&self) -> &str {
        &self.voice
    }

    pub fn first_message(&self) -> Option<&str> {
        at(&self.taken, &["conversation_config_override", "agent", "first_message"])?.as_str()
    }

    /// Whether the conversation has no audio; None: as the agent has it.
    pub fn text_only(&self) -> Option<bool> {
        at(&self.taken, &["conversation_config_override", "conversation", "text_only"])?.as_bool()
    }

    pub fn variables(&self) -> Map<String, Value> {
        self.data.get("dynamic_variables").and_then(Value::as_object).cloned().unwrap_or_default()
    }

    pub fn wants(&self, event: &str, agent: &Agent) -> bool {
        self.events.as_ref().unwrap_or(&agent.client_events).iter().any(|wanted| wanted == event)
    }

    /// Why the agent does not begin with it (facts page, section 4: "Allowing the override").
    pub fn refusal(&self, agent: &Agent) -> Option<Refusal> {
        if let Some(message) = &self.refused {
            return Some(Refusal { error_type: "override_error", message: message.clone() });
        }
        let variables = self.variables();
        let message = agent.missing_variable(&variables)?;
        Some(Refusal { error_type: "missing_dynamic_variable", message })
    }
}

fn at<'a>(data: &'a Map<String, Value>, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(data.get(*first)?, |value, name| value.get(*name))
}
