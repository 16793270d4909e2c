//! What the provider says became of a conversation: one report, whether it came by webhook, in the flat form of earlier
//! set-ups, or was fetched. Only the ids are insisted on; real bodies differ from their documentation in nearly all else.

#[cfg(test)]
mod tests;

use std::time::Duration;

use precall_call::{At, CallId, ConversationId, Grade, HandoffFailure, Purpose, Report};
use serde::Deserialize;

use super::audio_head::AudioHead;
use super::lenient::{Lenient, line};
use super::report_wire::{Data, Envelope, ID_BYTES_MAX, Required, timestamp};
use super::transcript::Transcript;

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

/// A webhook that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Webhook {
    /// A conversation's report.
    Report(Box<ConversationReport>),
    /// `post_call_audio`.
    Audio(AudioHead),
    /// A type that means nothing to precall, such as one that is new: to be acknowledged, or the provider switches the
    /// webhook off.
    Other {
        /// The type.
        kind: String,
    },
}

/// A fetched conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConversationDetail {
    /// It goes on, or is being worked on; ask again later.
    NotYet {
        /// The provider's word.
        status: String,
    },
    /// It is over.
    Reported(Box<ConversationReport>),
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

/// Reads a post-call webhook, in each of its forms.
///
/// # Errors
/// What is wrong with the body.
pub fn parse_webhook(body: &[u8]) -> Result<Webhook, ReportError> {
    let Lenient(envelope) = object::<Envelope>(body)?;
    let Some(kind) = envelope.kind.text() else {
        return envelope.flat().map(|report| Webhook::Report(Box::new(report)));
    };
    let at = timestamp(&envelope.event_timestamp);
    let data = envelope.data.0;
    match kind {
        "post_call_transcription" => {
            let report = data.ended(ReportSource::Transcription, at, Required::ByWebhook)?;
            Ok(Webhook::Report(Box::new(report)))
        }
        "call_initiation_failure" => data.never_began(at).map(|report| Webhook::Report(Box::new(report))),
        "post_call_audio" => {
            let (conversation, agent_id) = data.ids(Required::ByWebhook)?;
            let kind = Some(kind.to_owned());
            Ok(Webhook::Audio(AudioHead {
                kind,
                conversation: Some(conversation),
                agent_id,
                event_timestamp: at,
            }))
        }
        other => Ok(Webhook::Other { kind: line(other, 64) }),
    }
}

/// Reads a fetched conversation.
///
/// # Errors
/// What is wrong with the body.
pub fn parse_conversation(body: &[u8]) -> Result<ConversationDetail, ReportError> {
    let Lenient(data) = object::<Data>(body)?;
    match data.status.text() {
        Some("done" | "failed") => {
            let report = data.ended(ReportSource::Fetched, None, Required::ByFetch)?;
            Ok(ConversationDetail::Reported(Box::new(report)))
        }
        // A status that is new is not an end either.
        Some(status) => Ok(ConversationDetail::NotYet { status: line(status, 64) }),
        None => Err(ReportError::Missing { field: "status" }),
    }
}

/// Serde's own messages quote what they read; only the place is told.
fn object<'a, T: Deserialize<'a> + Default>(body: &'a [u8]) -> Result<Lenient<T>, ReportError> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    serde_json::from_slice(body)
        .map_err(|error| ReportError::NotJson { line: error.line(), column: error.column() })
        .and_then(|value| if first == Some(&b'{') { Ok(value) } else { Err(ReportError::NotAnObject) })
}
