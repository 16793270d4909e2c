//! The provider's request when a transferred call reaches the agent's trunk, and the answer.

use precall_call::{CallId, VoiceId};

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

/// The transferred call behind the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitiationAnswer {
    /// precall's call id.
    pub call: CallId,
    /// The voice to use; `None` is the fallback voice.
    pub voice: Option<VoiceId>,
}
