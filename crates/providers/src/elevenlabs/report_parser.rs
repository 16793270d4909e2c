//! What the provider says became of a conversation: one report, whether it came by webhook, in the flat form of earlier
//! set-ups, or was fetched. Only the ids are insisted on; real bodies differ from their documentation in nearly all else.

use serde::Deserialize;

use super::audio_head::AudioHead;
use super::conversation_report::{ConversationReport, ReportError, ReportSource};
use super::report_wire::{BodyShape, Data, Envelope, timestamp};
use crate::lenient::{Lenient, line};

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
    /// It goes on, or is being worked on; request again later.
    NotYet {
        /// The provider's word.
        status: String,
    },
    /// It is over.
    Reported(Box<ConversationReport>),
}

/// Reads a post-call webhook, in each of its forms.
///
/// # Errors
/// What is wrong with the body.
pub fn parse_webhook(body: &[u8]) -> Result<Webhook, ReportError> {
    let Lenient(envelope) = object::<Envelope>(body)?;
    let Some(kind) = envelope.kind.text() else {
        return envelope.into_flat_report().map(|report| Webhook::Report(Box::new(report)));
    };
    let at = timestamp(&envelope.event_timestamp);
    let data = envelope.data.0;
    match kind {
        "post_call_transcription" => {
            let report = data.into_report(ReportSource::Transcription, at, BodyShape::Webhook)?;
            Ok(Webhook::Report(Box::new(report)))
        }
        "call_initiation_failure" => {
            data.into_initiation_failure(at).map(|report| Webhook::Report(Box::new(report)))
        }
        "post_call_audio" => {
            let (conversation, agent_id) = data.ids(BodyShape::Webhook)?;
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
            let report = data.into_report(ReportSource::Fetched, None, BodyShape::Fetched)?;
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

#[cfg(test)]
mod tests;
