//! What the agent's provider asks when a transferred call reaches the agent's trunk, and what it is answered.

use precall_call::{CallId, VoiceId};

/// An inbound agent conversation that is about to begin, as the provider describes it.
#[derive(Clone, Debug)]
pub struct InitiationAsked {
    /// The agent that was reached.
    pub agent_id: String,
    /// The number it was reached at.
    pub called: String,
    /// Who rings it, as the trunk shows it.
    pub caller: String,
    /// The provider's id of the telephone call.
    pub call_sid: Option<String>,
}

/// The transfer that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitiationAnswer {
    /// Our id.
    pub call: CallId,
    /// The voice to speak with; none is the fallback voice.
    pub voice: Option<VoiceId>,
}
