//! The provider's request when a transferred call reaches the agent's trunk, and the answer.

use precall_call::{CallId, VoiceId};
use precall_providers::trace_context::TraceParent;

/// An inbound agent conversation that is about to start.
#[derive(Clone, Debug)]
pub struct InitiationAsked {
    /// The agent.
    pub agent_id: String,
    /// The called number.
    pub called: String,
    /// The caller's number as the trunk shows it.
    pub caller: String,
    /// The provider's id of the telephone call.
    pub call_sid: Option<String>,
}

/// What precall tells the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitiationAnswer {
    /// The transferred call behind the conversation.
    pub call: Option<CallId>,
    /// The trace of the conversation; `None` if the call is not traced.
    pub trace: Option<TraceParent>,
    /// The voice to use; `None` is the fallback voice.
    pub voice: Option<VoiceId>,
    /// Whether the agent lets its voice be set at all.
    pub may_set_voice: bool,
    /// Whether the agent must be told not to greet: the caller was in a conversation before.
    pub without_greeting: bool,
    /// What was said in it, one utterance a line.
    pub earlier: Option<String>,
}

impl InitiationAnswer {
    /// The answer where no transfer matches, or several do: the fallback voice.
    pub const UNKNOWN: Self = Self {
        call: None,
        trace: None,
        voice: None,
        may_set_voice: true,
        without_greeting: false,
        earlier: None,
    };
}
