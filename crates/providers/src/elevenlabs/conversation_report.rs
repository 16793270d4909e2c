//! The post-call report of a conversation: one type for each way that the provider delivers it.

use std::time::Duration;

use precall_call::{Answered, At, CallId, ConversationId, Grade, HandoffFailure, Purpose, Report, VoiceId};

use super::report_json::ReportJson;
use super::transcript::Transcript;

/// Longest id that is accepted; the provider's ids have about 30 characters.
pub(super) const ID_BYTES_MAX: usize = 256;

/// The post-call report of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationReport {
    /// How the report was delivered.
    pub source: ReportSource,
    /// The conversation.
    pub conversation: ConversationId,
    /// Its agent; may be missing in the flat form.
    pub agent_id: Option<String>,
    /// Our call: the echoed variable `call_id`, else `user_id`.
    pub our_call: Option<CallId>,
    /// Purpose of the conversation: the echoed variable `precall_purpose`.
    pub purpose: Option<Purpose>,
    /// Whether the conversation took place.
    pub grade: Grade,
    /// Why the conversation did not take place.
    pub failure: Option<HandoffFailure>,
    /// Its duration.
    pub duration: Option<Duration>,
    /// Its transcript.
    pub transcript: Option<Transcript>,
    /// Its start.
    pub started_at: Option<At>,
    /// Its end, if start and duration are known.
    pub ended_at: Option<At>,
    /// When the provider made the report; with conversation and source it identifies a repeated delivery.
    pub event_timestamp: Option<At>,
    /// In the provider's credits.
    pub cost: Option<i64>,
    /// In US dollars.
    pub cost_usd: Option<serde_json::Number>,
    /// Whether a voicemail box answered.
    pub answered: Answered,
    /// The provider's `analysis`: results of criteria, collected data, summary, title.
    pub analysis: Option<ReportJson>,
    /// `data` of the webhook `answering_machine_detection`.
    pub machine_detection: Option<ReportJson>,
    /// The provider's reason for the end or the failure.
    pub termination_reason: Option<String>,
    /// The voice that the conversation took from us.
    pub voice_echo: VoiceEcho,
}

/// Which override of the voice a report repeats. A forbidden override may be left out without an error; then only the
/// report tells (ElevenLabs facts, added 2026-11-29).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum VoiceEcho {
    /// The report repeats no overrides at all.
    #[default]
    NotShown,
    /// The conversation took no voice from us.
    None,
    /// The conversation took this voice.
    Voice(VoiceId),
}

impl ConversationReport {
    /// A report of which nothing more is known.
    pub(super) fn bare(source: ReportSource, conversation: ConversationId, grade: Grade) -> Self {
        Self {
            source,
            conversation,
            agent_id: None,
            our_call: None,
            purpose: None,
            grade,
            failure: None,
            duration: None,
            transcript: None,
            started_at: None,
            ended_at: None,
            event_timestamp: None,
            cost: None,
            cost_usd: None,
            answered: Answered::Unknown,
            analysis: None,
            machine_detection: None,
            termination_reason: None,
            voice_echo: VoiceEcho::NotShown,
        }
    }

    /// The part that the call's state machine uses.
    #[must_use]
    pub fn fact(&self) -> Report {
        Report {
            conversation: self.conversation.clone(),
            purpose: self.purpose,
            grade: self.grade,
            failure: self.failure,
            duration: self.duration,
            has_words: self.transcript.is_some(),
            has_analysis: self.analysis.is_some(),
            answered: self.answered,
        }
    }
}

/// How a report was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReportSource {
    /// Webhook `post_call_transcription`.
    Transcription,
    /// Webhook `call_initiation_failure`.
    InitiationFailure,
    /// Webhook `answering_machine_detection`: the conversation may still run.
    MachineDetection,
    /// Webhook in the flat form of earlier set-ups.
    Flat,
    /// `GET /v1/convai/conversations/{id}`.
    Fetched,
}

impl ReportSource {
    /// The webhook's `type`, or our name for the other sources.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Transcription => "post_call_transcription",
            Self::InitiationFailure => "call_initiation_failure",
            Self::MachineDetection => "answering_machine_detection",
            Self::Flat => "flat",
            Self::Fetched => "fetched",
        }
    }
}

/// Why a body is not a report. Quotes nothing of the body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Not JSON, or cut.
    #[error("the body is not valid JSON (line {line}, column {column})")]
    NotJson {
        /// Counts from 1.
        line: usize,
        /// Counts from 1.
        column: usize,
    },
    /// JSON, but not an object.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// A required field is missing or empty.
    #[error("the field {field} is missing or not text")]
    Missing {
        /// Its path.
        field: &'static str,
    },
    /// An id that is too long or has control characters.
    #[error("the field {field} is not an id: longer than {ID_BYTES_MAX} bytes, or with control characters")]
    BadId {
        /// Its path.
        field: &'static str,
    },
}
