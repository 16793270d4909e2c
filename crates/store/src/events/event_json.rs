//! The JSON of the event log: `{v, kind, ...}`. Written once and never rewritten: decoding accepts every older version.
//!
//! One definition serves both directions. Each type here is a mirror of a type of precall-call for serde ("remote"):
//! precall-call has no dependencies. The compiler reports an event or a field that only one of both has.

use std::sync::Arc;
use std::time::Duration;

use precall_call::{
    Admission, AgentLoss, Answered, AudioHeard, CallPart, CloneJobId, ConversationId, Event, Grade,
    GreetingEnd, HandoffFailure, LegSeen, LineId, NoVoice, Offer, Operator, Person, Policy, Proof, ProofWay,
    ProvedBy, Purpose, Report, Request, Route, Rung, Silence, Speaker, Telling, VoiceId, VoiceSource,
    VoiceWait,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

mod fields;

use fields::{
    fallback, hold, is_fallback, is_silent, is_unknown_answer, is_unproven, shared_policy, unknown_answer,
    unproven,
};

/// The version that is written.
const VERSION: u64 = 1;

/// Why a stored event cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventJsonError {
    /// A later precall wrote it, or another program did.
    #[error("unknown version {0} of the event")]
    Version(u64),
    /// This precall knows no event of that kind.
    #[error("unknown kind of event {0:?}")]
    Kind(String),
    /// `v` or `kind` is missing or has the wrong type.
    #[error("field {0:?} is missing or wrong")]
    Field(&'static str),
    /// A field of the event is missing, has the wrong type or holds an unknown name.
    #[error("the event {kind:?} cannot be decoded: {reason}")]
    Content {
        /// The kind of the event.
        kind: String,
        /// The JSON decoder's error, which names the field or its value.
        reason: String,
    },
}

/// Encodes an event as the log stores it.
#[must_use]
pub fn encode(event: &Event) -> Value {
    let mut stored = match EventJson::serialize(event, serde_json::value::Serializer) {
        Ok(Value::Object(fields)) => fields,
        // These types cannot fail: no field has an error of its own, and all keys are text. Should one ever fail, the
        // call goes on, and `precall verify` reports the event by its kind.
        Ok(_) | Err(_) => Map::from_iter([("kind".to_owned(), kind(event).into())]),
    };
    stored.insert("v".to_owned(), VERSION.into());
    Value::Object(stored)
}

/// Decodes a stored event.
///
/// # Errors
/// When the version or the kind is unknown, or a field is missing or wrong.
pub fn decode(stored: &Value) -> Result<Event, EventJsonError> {
    match stored.get("v").and_then(Value::as_u64).ok_or(EventJsonError::Field("v"))? {
        VERSION => {}
        other => return Err(EventJsonError::Version(other)),
    }
    let kind = stored.get("kind").and_then(Value::as_str).ok_or(EventJsonError::Field("kind"))?;
    EventJson::deserialize(stored).map_err(|error| {
        if KINDS.contains(&kind) {
            EventJsonError::Content { kind: kind.to_owned(), reason: error.to_string() }
        } else {
            EventJsonError::Kind(kind.to_owned())
        }
    })
}

macro_rules! kinds {
    ($($event:pat => $kind:literal,)+) => {
        /// Every kind of event. The names are the variants of [`EventJson`] in snake case; a test compares them.
        const KINDS: &[&str] = &[$($kind),+];

        /// The kind of an event, as it is stored and logged.
        #[must_use]
        pub fn kind(event: &Event) -> &'static str {
            match event { $($event => $kind),+ }
        }
    };
}

kinds! {
    Event::Offered(_) => "offered",
    Event::LegRinging => "leg_ringing",
    Event::AnswerRefused => "answer_refused",
    Event::LegRoutedAway => "leg_routed_away",
    Event::LegConnected => "leg_connected",
    Event::LegGone => "leg_gone",
    Event::SoundStarted => "sound_started",
    Event::NoticeEnded { .. } => "notice_ended",
    Event::AudioLost => "audio_lost",
    Event::AudioEnded(_) => "audio_ended",
    Event::PbxStateChanged { .. } => "pbx_state_changed",
    Event::PbxCallEnded { .. } => "pbx_call_ended",
    Event::DtmfReceived { .. } => "dtmf_received",
    Event::GreetingDialled => "greeting_dialled",
    Event::GreetingStarted { .. } => "greeting_started",
    Event::GreetingRuns => "greeting_runs",
    Event::GreetingEnded { .. } => "greeting_ended",
    Event::VoiceReady { .. } => "voice_ready",
    Event::VoiceMissing { .. } => "voice_missing",
    Event::VoiceWithdrawn { .. } => "voice_withdrawn",
    Event::ProofAsked { .. } => "proof_asked",
    Event::ProofGiven { .. } => "proof_given",
    Event::PinRefused { .. } => "pin_refused",
    Event::HandoffStarted { .. } => "handoff_started",
    Event::HandoffSucceeded { .. } => "handoff_succeeded",
    Event::HandoffFailed { .. } => "handoff_failed",
    Event::AgentSpoke { .. } => "agent_spoke",
    Event::AgentEnded { .. } => "agent_ended",
    Event::AgentLost { .. } => "agent_lost",
    Event::PersonAsked { .. } => "person_asked",
    Event::Utterance { .. } => "line_spoken",
    Event::Reported(_) => "reported",
    Event::OperatorAsked { .. } => "operator_asked",
    Event::TransferAsked { .. } => "transfer_asked",
    Event::AgentTold { .. } => "agent_told",
    Event::DeadlinePassed { .. } => "deadline_passed",
    Event::Panicked { .. } => "panicked",
    Event::Resumed { .. } => "resumed",
}

/// An event without its version. A value that is absent is left out: null would mean that precall asked for it.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Event", tag = "kind", rename_all = "snake_case")]
enum EventJson {
    Offered(#[serde(with = "OfferJson")] Offer),
    LegRinging,
    AnswerRefused,
    LegRoutedAway,
    LegConnected,
    LegGone,
    SoundStarted,
    NoticeEnded {
        version: Arc<str>,
    },
    AudioLost,
    AudioEnded(#[serde(with = "AudioHeardJson")] AudioHeard),
    PbxStateChanged {
        state: Arc<str>,
    },
    PbxCallEnded {
        #[serde(rename = "duration_ms", with = "fields", default, skip_serializing_if = "Option::is_none")]
        duration: Option<Duration>,
    },
    DtmfReceived {
        key: char,
    },
    GreetingDialled,
    GreetingStarted {
        #[serde(
            rename = "conversation_id",
            with = "fields",
            default,
            skip_serializing_if = "Option::is_none"
        )]
        conversation: Option<ConversationId>,
    },
    GreetingRuns,
    GreetingEnded {
        #[serde(with = "fields")]
        end: GreetingEnd,
    },
    VoiceReady {
        #[serde(rename = "voice_id", with = "fields")]
        voice: VoiceId,
        #[serde(with = "fields", default, skip_serializing_if = "Option::is_none")]
        job: Option<CloneJobId>,
        #[serde(with = "fields")]
        source: VoiceSource,
        #[serde(rename = "took_ms", with = "fields")]
        took: Duration,
    },
    VoiceMissing {
        #[serde(with = "fields")]
        why: NoVoice,
        #[serde(with = "fields", default, skip_serializing_if = "Option::is_none")]
        job: Option<CloneJobId>,
    },
    VoiceWithdrawn {
        #[serde(with = "fields")]
        why: NoVoice,
    },
    ProofAsked {
        #[serde(with = "fields")]
        way: ProofWay,
    },
    ProofGiven {
        #[serde(with = "fields")]
        by: ProvedBy,
    },
    PinRefused {
        number: u8,
    },
    HandoffStarted {
        attempt: u8,
        #[serde(with = "fields")]
        rung: Rung,
    },
    HandoffSucceeded {
        attempt: u8,
        #[serde(
            rename = "conversation_id",
            with = "fields",
            default,
            skip_serializing_if = "Option::is_none"
        )]
        conversation: Option<ConversationId>,
    },
    HandoffFailed {
        attempt: u8,
        #[serde(with = "fields")]
        why: HandoffFailure,
    },
    AgentSpoke {
        attempt: u8,
    },
    AgentEnded {
        attempt: u8,
    },
    AgentLost {
        attempt: u8,
        #[serde(with = "fields")]
        why: AgentLoss,
    },
    PersonAsked {
        number: u8,
        /// Absent for `FALLBACK_DESTINATION`, which has no name.
        #[serde(rename = "name", with = "fields", default = "fallback", skip_serializing_if = "is_fallback")]
        person: Person,
    },
    /// `line_spoken` in the log, whose rows keep their names.
    #[serde(rename = "line_spoken")]
    Utterance {
        number: u32,
        #[serde(with = "fields")]
        by: Speaker,
        #[serde(skip_serializing_if = "Option::is_none")]
        corrects: Option<u32>,
    },
    Reported(#[serde(with = "ReportJson")] Report),
    OperatorAsked {
        #[serde(with = "fields")]
        request: Request,
        // Events of earlier versions do not say who it was.
        #[serde(default, with = "fields", skip_serializing_if = "Option::is_none")]
        by: Option<Operator>,
    },
    TransferAsked {
        #[serde(rename = "name", with = "fields", default = "fallback", skip_serializing_if = "is_fallback")]
        person: Person,
        #[serde(default, with = "fields", skip_serializing_if = "Option::is_none")]
        by: Option<Operator>,
    },
    AgentTold {
        number: u16,
        #[serde(with = "fields")]
        what: Telling,
        #[serde(with = "fields")]
        by: Operator,
    },
    DeadlinePassed {
        generation: u32,
    },
    Panicked {
        /// `job` in the log, whose rows keep their names.
        #[serde(rename = "job", with = "fields")]
        part: CallPart,
        ordinal: u32,
    },
    Resumed {
        generation: u64,
        #[serde(with = "LegSeenJson")]
        leg: LegSeen,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Offer")]
struct OfferJson {
    #[serde(with = "shared_policy")]
    policy: Arc<Policy>,
    #[serde(flatten, with = "fields")]
    admission: Admission,
}

/// A field that the first stored calls did not have is written only where it differs from its default.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Policy")]
struct PolicyJson {
    #[serde(with = "fields")]
    route: Route,
    #[serde(with = "fields")]
    line: LineId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line_version: Option<u32>,
    #[serde(rename = "fallback_voice_id", with = "fields", default)]
    fallback_voice: Option<VoiceId>,
    #[serde(rename = "start_after_ms", with = "fields", default = "hold")]
    voice_wait: VoiceWait,
    auto_transition: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    has_bridge: bool,
    has_transfer: bool,
    has_destination: bool,
    #[serde(default, skip_serializing_if = "<[Arc<str>]>::is_empty")]
    persons: Arc<[Arc<str>]>,
    ends_with_pbx_call: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<Arc<str>>,
    skip_key: Option<char>,
    person_key: Option<char>,
    #[serde(with = "fields", default = "unproven", skip_serializing_if = "is_unproven")]
    proof: Proof,
    #[serde(rename = "pin_wait_ms", with = "fields", default, skip_serializing_if = "Duration::is_zero")]
    pin_wait: Duration,
    #[serde(rename = "clone_max_wait_ms", with = "fields")]
    clone_max_wait: Duration,
    #[serde(rename = "ring_max_ms", with = "fields")]
    ring_max: Duration,
    #[serde(rename = "greeting_max_ms", with = "fields")]
    greeting_max: Duration,
    #[serde(rename = "handoff_max_ms", with = "fields")]
    handoff_max: Duration,
    #[serde(rename = "conversation_max_ms", with = "fields")]
    conversation_max: Duration,
    #[serde(rename = "leg_max_ms", with = "fields")]
    leg_max: Duration,
    #[serde(rename = "list_max_ms", with = "fields", default, skip_serializing_if = "Option::is_none")]
    list_max: Option<Duration>,
    #[serde(rename = "report_grace_ms", with = "fields")]
    report_grace: Duration,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    notes_first_word: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    free_retries: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    supervised: bool,
}

/// Calls without a bridge have no silences, and the first calls with one did not store them.
#[derive(Serialize, Deserialize)]
#[serde(remote = "AudioHeard")]
struct AudioHeardJson {
    #[serde(rename = "written_ms", with = "fields")]
    written: Duration,
    #[serde(rename = "longest_gap_ms", with = "fields")]
    longest_gap: Duration,
    gaps: u32,
    cuts: u32,
    #[serde(with = "SilenceJson", default, skip_serializing_if = "is_silent")]
    agents_turn: Silence,
    #[serde(with = "SilenceJson", default, skip_serializing_if = "is_silent")]
    callers_turn: Silence,
    #[serde(
        rename = "dropped_to_agent_ms",
        with = "fields",
        default,
        skip_serializing_if = "Duration::is_zero"
    )]
    dropped_to_agent: Duration,
    #[serde(
        rename = "dropped_to_caller_ms",
        with = "fields",
        default,
        skip_serializing_if = "Duration::is_zero"
    )]
    dropped_to_caller: Duration,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Silence")]
struct SilenceJson {
    #[serde(rename = "longest_ms", with = "fields")]
    longest: Duration,
    #[serde(rename = "total_ms", with = "fields")]
    total: Duration,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Report")]
struct ReportJson {
    #[serde(rename = "conversation_id", with = "fields")]
    conversation: ConversationId,
    #[serde(with = "fields", default, skip_serializing_if = "Option::is_none")]
    purpose: Option<Purpose>,
    #[serde(with = "fields")]
    grade: Grade,
    #[serde(with = "fields", default, skip_serializing_if = "Option::is_none")]
    failure: Option<HandoffFailure>,
    #[serde(rename = "duration_ms", with = "fields", default, skip_serializing_if = "Option::is_none")]
    duration: Option<Duration>,
    has_words: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    has_analysis: bool,
    #[serde(with = "fields", default = "unknown_answer", skip_serializing_if = "is_unknown_answer")]
    answered: Answered,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "LegSeen", rename_all = "snake_case")]
enum LegSeenJson {
    None,
    Present,
    Gone,
}

#[cfg(test)]
mod tests;
