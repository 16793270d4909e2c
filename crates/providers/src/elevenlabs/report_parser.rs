//! Parses post-call webhooks, also in the flat form of earlier set-ups, and fetched conversations. Only the ids are
//! required: real bodies differ from the provider's documentation in nearly every other field.

use serde::Deserialize;

use super::audio_head::AudioHead;
use super::conversation_report::{ConversationReport, ReportError, ReportSource};
use super::report_wire::{BodyShape, Data, DetectionEnvelope, Envelope, timestamp};
use crate::lenient::{Lenient, line};

/// A parsed webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Webhook {
    /// A conversation's report.
    Report(Box<ConversationReport>),
    /// `post_call_audio`.
    Audio(AudioHead),
    /// A type that precall does not use, or a new one. It must be acknowledged, or the provider disables the webhook.
    Other {
        /// The type.
        kind: String,
    },
}

/// A fetched conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConversationDetail {
    /// The conversation runs, or the provider still processes it: fetch it again later.
    NotYet {
        /// The provider's status.
        status: String,
    },
    /// It is over.
    Reported(Box<ConversationReport>),
}

/// Parses a post-call webhook in each of its forms.
///
/// # Errors
/// [`ReportError`].
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
        // Without the id of a conversation it cannot be used, and it is acknowledged like an unknown type.
        "answering_machine_detection" => {
            let Lenient(detection) = object::<DetectionEnvelope>(body)?;
            let report = detection.data.0.and_then(|kept| data.into_machine_detection(at, kept));
            Ok(report.map_or_else(
                || Webhook::Other { kind: line(kind, 64) },
                |report| Webhook::Report(Box::new(report)),
            ))
        }
        other => Ok(Webhook::Other { kind: line(other, 64) }),
    }
}

/// Parses a fetched conversation.
///
/// # Errors
/// [`ReportError`].
pub fn parse_conversation(body: &[u8]) -> Result<ConversationDetail, ReportError> {
    let Lenient(data) = object::<Data>(body)?;
    match data.status.text() {
        Some("done" | "failed") => {
            let report = data.into_report(ReportSource::Fetched, None, BodyShape::Fetched)?;
            Ok(ConversationDetail::Reported(Box::new(report)))
        }
        // An unknown status is not an end either.
        Some(status) => Ok(ConversationDetail::NotYet { status: line(status, 64) }),
        None => Err(ReportError::Missing { field: "status" }),
    }
}

/// Errors carry the place only: serde's messages quote the body.
fn object<'a, T: Deserialize<'a> + Default>(body: &'a [u8]) -> Result<Lenient<T>, ReportError> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    serde_json::from_slice(body)
        .map_err(|error| ReportError::NotJson { line: error.line(), column: error.column() })
        .and_then(|value| if first == Some(&b'{') { Ok(value) } else { Err(ReportError::NotAnObject) })
}

#[cfg(test)]
mod tests;
