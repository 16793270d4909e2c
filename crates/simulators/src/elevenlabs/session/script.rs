//! The scripted dialogue: what the agent does, step by step. `act` lists the steps. Conversations by telephone and by
//! WebSocket use the same script; by telephone only the spoken turns matter.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::act::{Act, Say, check, hear_within_ms};
use crate::elevenlabs::dialogue::{Role, Turn, filled};

/// Most steps of a dialogue.
const MOST_STEPS: usize = 200;

/// One step of the dialogue.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Step {
    /// A turn: who says what.
    Turn(Turn),
    /// Anything else.
    Act(Act),
}

impl<'de> Deserialize<'de> for Step {
    // By hand: an untagged enum would not say what is wrong with a step.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.get("role").is_some() {
            return serde_json::from_value(value).map(Self::Turn).map_err(Error::custom);
        }
        serde_json::from_value(value).map(Self::Act).map_err(Error::custom)
    }
}

impl Step {
    /// The same as something to do.
    pub(super) fn act(&self) -> Act {
        match self {
            Self::Act(act) => act.clone(),
            Self::Turn(Turn { role: Role::Agent, message }) => {
                Act::Say(Say { text: message.clone(), ..Say::default() })
            }
            Self::Turn(Turn { role: Role::User, message }) => {
                Act::Hear { text: Some(message.clone()), within_ms: hear_within_ms() }
            }
        }
    }
}

/// The dialogue of every conversation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Script(Vec<Step>);

impl<'de> Deserialize<'de> for Script {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(deserializer)?).map_err(Error::custom)
    }
}

impl Default for Script {
    fn default() -> Self {
        let turn = |role, message: &str| Step::Turn(Turn { role, message: message.to_owned() });
        Self(vec![
            turn(Role::Agent, "Hello, how can I help you?"),
            turn(Role::User, "I would like to know when you are open."),
            turn(Role::Agent, "We are open from nine to five, Monday to Friday."),
            turn(Role::User, "Thank you, goodbye."),
        ])
    }
}

impl Script {
    /// A dialogue of these steps.
    ///
    /// # Errors
    /// The limit that is exceeded.
    pub fn new(steps: Vec<Step>) -> Result<Self, String> {
        if steps.len() > MOST_STEPS {
            return Err(format!("a dialogue has at most {MOST_STEPS} steps"));
        }
        for step in &steps {
            check(&step.act())?;
        }
        Ok(Self(steps))
    }

    /// What the agent says first, if it speaks first.
    pub(in crate::elevenlabs) fn first_message(&self) -> Option<String> {
        match self.0.first()?.act() {
            Act::Say(say) => Some(say.text),
            _ => None,
        }
    }

    /// The steps of one conversation. An overridden first message replaces the agent's first turn; an
    /// empty one means that the agent waits for the user.
    pub(in crate::elevenlabs) fn acts(
        &self,
        first_message: Option<&str>,
        variables: &Map<String, Value>,
    ) -> Vec<Act> {
        let mut acts: Vec<Act> = self.0.iter().map(Step::act).collect();
        if let Some(first) = first_message {
            let own = matches!(acts.first(), Some(Act::Say(_))).then(|| acts.remove(0));
            if !first.is_empty() {
                let mut say = match own {
                    Some(Act::Say(own)) => own,
                    _ => Say::default(),
                };
                first.clone_into(&mut say.text);
                acts.insert(0, Act::Say(say));
            }
        }
        for act in &mut acts {
            if let Act::Say(say) = act {
                say.text = filled(&say.text, variables);
            }
        }
        acts
    }

    /// What is said in one conversation on the telephone.
    pub(in crate::elevenlabs) fn spoken(
        &self,
        first_message: Option<&str>,
        variables: &Map<String, Value>,
    ) -> Vec<Turn> {
        let acts = self.acts(first_message, variables);
        let said = acts.into_iter().filter_map(|act| match act {
            Act::Say(say) => Some(Turn { role: Role::Agent, message: say.text }),
            Act::Hear { text: Some(message), .. } | Act::Transcribe { text: message } => {
                Some(Turn { role: Role::User, message })
            }
            Act::Hear { text: None, .. }
            | Act::Wait { .. }
            | Act::Stall { .. }
            | Act::Freeze { .. }
            | Act::Silence { .. }
            | Act::CallTool { .. }
            | Act::VadScore { .. }
            | Act::Send { .. }
            | Act::SendText { .. }
            | Act::Error { .. }
            | Act::Close { .. }
            | Act::Drop {}
            | Act::End {} => None,
        });
        said.collect()
    }
}
