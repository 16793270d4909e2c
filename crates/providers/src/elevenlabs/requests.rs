//! Parameters of the requests that create something: a call to dial, a voice to clone.

use std::time::Duration;

use precall_base::phone_number::E164;
use precall_call::{CallId, Purpose, VoiceId};

use super::voice_sample::VoiceSample;

/// How the provider reaches the telephone network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telephony {
    /// A SIP trunk that was imported there.
    SipTrunk,
    /// A Twilio number that was imported there.
    Twilio,
}

/// The value of a dynamic variable.
#[derive(Clone, Debug, PartialEq)]
pub enum VariableValue {
    /// Text.
    Text(String),
    /// A number.
    Number(f64),
    /// Yes or no.
    Truth(bool),
}

/// A call to be dialled.
#[derive(Clone, Debug)]
pub struct OutboundCall {
    /// Which of the two endpoints.
    pub telephony: Telephony,
    /// The agent that speaks.
    pub agent_id: String,
    /// The number it rings from (`agent_phone_number_id`).
    pub phone_number_id: String,
    /// Whom to ring.
    pub to: E164,
    /// The call it belongs to: `user_id` and the variable `call_id`, by which its conversation is found again.
    pub call: CallId,
    /// What the conversation is for.
    pub purpose: Purpose,
    /// None leaves the agent's own.
    pub voice: Option<VoiceId>,
    /// None leaves the agent's own; empty text lets the caller speak first.
    pub first_message: Option<String>,
    /// None leaves the agent's own.
    pub language: Option<String>,
    /// None leaves the agent's own; counted in whole seconds.
    pub max_duration: Option<Duration>,
    /// None leaves the provider's 60 s; 1 to 999 s.
    pub ringing_timeout: Option<Duration>,
    /// What the agent's own variables are to be; names of ours and of the provider (`system__`) do not belong here.
    pub dynamic_variables: Vec<(String, VariableValue)>,
}

/// A voice to be cloned.
#[derive(Clone, Debug)]
pub struct AddVoice {
    /// Unique; it is how the voice is found again when the answer is lost.
    pub name: String,
    /// Shown in the provider's dashboard.
    pub description: Option<String>,
    /// The recording.
    pub sample: VoiceSample,
}
