//! What opening a session with an agent needs.

use std::rc::Rc;
use std::time::Duration;

use precall_providers::elevenlabs::AgentUrl;
use tokio::sync::Notify;

use crate::bridge::outbox::Outbox;
use crate::bridge::turn_taking::FirstSpeaker;
use crate::playlist::Mark;

/// An order to prepare an agent on a leg.
#[derive(Clone, Debug)]
pub struct AgentOrder {
    /// The handoff attempt. Every event of the session carries it.
    pub attempt: u8,
    /// Address of the agent's WebSocket.
    pub url: AgentUrl,
    /// The first message: voice, variables, first words (`conversation_initiation_client_data`).
    pub initiation: String,
    /// Sent right after the provider's first message, if any: what was said before the previous agent was lost.
    pub context: Option<String>,
    /// Sent when the agent can answer it, if any: the caller's words that no agent has answered yet.
    pub unanswered: Option<String>,
    /// What becomes of words that the agent speaks before it is spoken to.
    pub own_greeting: GreetingUse,
    /// The conversation begins when no more than this time is left before the mark is heard, or at once when the mark
    /// is not ahead. An agent that begins much earlier grows impatient with a caller who cannot answer.
    pub begins: (Mark, Duration),
    /// Who speaks first.
    pub first_speaker: FirstSpeaker,
    /// The caller hears music when the agent had to speak and was silent for this long.
    pub fill_after: Duration,
    /// The agent is given up when its first word did not come for this long.
    pub first_word_within: Duration,
    /// The agent is given up when it had to speak and was silent for this long.
    pub give_up_after: Duration,
    /// Length of one piece of the caller's audio.
    pub piece: Duration,
}

/// What becomes of an agent's first words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GreetingUse {
    /// The caller hears them.
    Play,
    /// They are not played: the caller was greeted before, and the agent could not be told.
    Drop,
}

/// What an agent's socket needs of its session.
pub(crate) struct SocketSetup {
    pub(crate) url: AgentUrl,
    pub(crate) initiation: String,
    pub(crate) outbox: Rc<Outbox>,
    /// Notified when the conversation may begin.
    pub(crate) begin: Rc<Notify>,
}
