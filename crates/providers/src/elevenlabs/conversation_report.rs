//! The report of one conversation, the same for each way that the provider delivers it.

use std::time::Duration;

use precall_call::{At, CallId, ConversationId, Grade, HandoffFailure, Purpose, Report};

use super::transcript::Transcript;

/// Longest id that is accepted; ids of the provider have some 30 characters.
pub(super) const ID_BYTES_MAX: usize = 256;

/// What became of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationReport {
    /// Where it came from.
    pub source: ReportSource,
    /// The conversation.
    pub conversation: ConversationId,
    /// Its agent; the flat form may leave it out.
    pub agent_id: Option<String>,
    /// Our call: the echoed variable `call_id`, else `user_id`.
    pub our_call: Option<CallId>,
    /// What it was for: the echoed variable `precall_purpose`.
    pub purpose: Option<Purpose>,
    /// Whether it took place.
    pub grade: Grade,
    /// Why it did not.
    pub failure: Option<HandoffFailure>,
    /// How long it lasted.
    pub duration: Option<Duration>,
    /// What was said.
    pub transcript: Option<Transcript>,
    /// When it began.
    pub started_at: Option<At>,
    /// When it ended, where beginning and duration are known.
    pub ended_at: Option<At>,
    /// When the report was made; with conversation and source it tells a retry from news.
    pub event_timestamp: Option<At>,
    /// In the provider's credits.
    pub cost: Option<i64>,
    /// The provider's words for why it ended or failed.
    pub termination_reason: Option<String>,
}

impl ConversationReport {
    /// The part that the machine hears.
    #[must_use]
    pub fn fact(&self) -> Report {
        Report {
            conversation: self.conversation.clone(),
            purpose: self.purpose,
            grade: self.grade,
            failure: self.failure,
            duration: self.duration,
            has_words: self.transcript.is_some(),
        }
    }
}

/// Which way a report came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReportSource {
    /// Webhook `post_call_transcription`.
    Transcription,
    /// Webhook `call_initiation_failure`.
    InitiationFailure,
    /// The flat webhook.
    Flat,
    /// `GET /v1/convai/conversations/{id}`.
    Fetched,
}

impl ReportSource {
    /// The webhook's `type`, where it has one.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Transcription => "post_call_transcription",
            Self::InitiationFailure => "call_initiation_failure",
            Self::Flat => "flat",
            Self::Fetched => "fetched",
        }
    }
}

/// Why a body is no report. Quotes nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Not JSON, or cut off.
    #[error("the body is not valid JSON (line {line}, column {column})")]
    NotJson {
        /// Counts from 1.
        line: usize,
        /// Counts from 1.
        column: usize,
    },
    /// JSON, but no object.
    #[error("the body is not a JSON object")]
    NotAnObject,
    /// A field that must be there is not, or is empty.
    #[error("the field {field} is missing or not text")]
    Missing {
        /// Its path.
        field: &'static str,
    },
    /// An id that cannot be one.
    #[error("the field {field} is not an id: longer than {ID_BYTES_MAX} bytes, or with control characters")]
    BadId {
        /// Its path.
        field: &'static str,
    },
}
