//! Parameters of the requests that create something: a call to dial, a voice to clone.

use std::time::Duration;

use precall_base::phone_number::E164;
use precall_call::{CallId, Purpose, VoiceId};

use super::voice_sample::VoiceSample;
use crate::trace_context::TraceParent;

/// How the provider reaches the telephone network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telephony {
    /// A SIP trunk imported at the provider.
    SipTrunk,
    /// A Twilio number imported at the provider.
    Twilio,
}

/// The value of a dynamic variable.
#[derive(Clone, Debug, PartialEq)]
pub enum VariableValue {
    /// Text.
    Text(String),
    /// A number.
    Number(f64),
    /// A bool.
    Truth(bool),
}

/// A call that the provider dials.
#[derive(Clone, Debug)]
pub struct OutboundCall {
    /// Selects the endpoint.
    pub telephony: Telephony,
    /// The agent that speaks.
    pub agent_id: String,
    /// The number that the provider calls from (`agent_phone_number_id`).
    pub phone_number_id: String,
    /// The number to dial.
    pub to: E164,
    /// Our call: sent as `user_id` and as the variable `call_id`, so that its conversation can be looked up.
    pub call: CallId,
    /// What the conversation is for.
    pub purpose: Purpose,
    /// None keeps the agent's own.
    pub voice: Option<VoiceId>,
    /// None keeps the agent's own; with empty text the caller speaks first.
    pub first_message: Option<String>,
    /// None keeps the agent's own.
    pub language: Option<String>,
    /// None keeps the agent's own; rounded up to whole seconds.
    pub max_duration: Option<Duration>,
    /// 1 to 999 s; none keeps the provider's 60 s.
    pub ringing_timeout: Option<Duration>,
    /// The trace that the request belongs to, and the one of its conversation; none if the call is not traced.
    pub trace: Option<ConversationTrace>,
    /// Values of the agent's variables, without our own names and the provider's (`system__`).
    pub dynamic_variables: Vec<(String, VariableValue)>,
}

/// What a dialled conversation says about the trace of its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConversationTrace {
    /// For the request that dials.
    pub dial: TraceParent,
    /// For the conversation: a variable, which the agent's tools may pass on.
    pub conversation: TraceParent,
}

/// A voice to clone (`POST /v1/voices/add`).
#[derive(Clone, Debug)]
pub struct AddVoice {
    /// Unique: precall finds the voice by it when the response was lost.
    pub name: String,
    /// Shown in the provider's dashboard.
    pub description: Option<String>,
    /// The recording.
    pub sample: VoiceSample,
    /// The trace of the call that it is for; none if that is not traced.
    pub trace: Option<TraceParent>,
}
