//! Reads a webhook of ElevenLabs and passes the report to the engine.

use actix_web::web;
use bytes::Bytes;
use precall_actors::api::{Busy, ReportOutcome};
use precall_providers::elevenlabs::{AudioHead, ConversationReport, ReportError, Webhook, parse_webhook};
use serde_json::value::RawValue;

use super::READ_HERE_MAX;
use super::jsonb_safe::jsonb_safe;
use crate::http::engine::Engine;
use crate::http::error::{Code, Problem};

pub(crate) const NOT_OURS: &str = "not_ours";
pub(crate) const IGNORED: &str = "ignored";
pub(crate) const RECORDING: &str = "recording";

/// Does what the provider says: what became of it, and which conversation it is about.
pub(crate) async fn apply(
    engine: &dyn Engine,
    understood: Understood,
) -> Result<(&'static str, Option<String>), Busy> {
    Ok(match understood {
        Understood::Report(report, raw) => {
            let conversation = report.conversation.as_str().to_owned();
            let outcome = match engine.report(*report, raw).await? {
                ReportOutcome::Applied(_) => "applied",
                ReportOutcome::Kept => "kept",
                ReportOutcome::NotOurs => NOT_OURS,
            };
            (outcome, Some(conversation))
        }
        Understood::Recording(head) => (RECORDING, head.conversation.map(|id| id.as_str().to_owned())),
        // Acknowledged: ElevenLabs switches webhooks off whose answers are errors.
        Understood::Other => (IGNORED, None),
    })
}

/// What a body of the provider says.
pub(crate) enum Understood {
    /// Of a conversation.
    Report(Box<ConversationReport>, Box<RawValue>),
    /// A short one; it is not kept.
    Recording(AudioHead),
    /// Nothing that concerns us.
    Other,
}

/// Reads a body.
pub(crate) async fn understood(body: Bytes) -> Result<Understood, Problem> {
    if body.len() <= READ_HERE_MAX {
        return understand(&body);
    }
    web::block(move || understand(&body)).await.unwrap_or_else(|_| Err(Problem::of(Code::Internal)))
}

fn understand(body: &[u8]) -> Result<Understood, Problem> {
    let json = jsonb_safe(body).map_err(|_| Problem::new(Code::BadJson, "the body is nested too deeply"))?;
    match parse_webhook(&json)? {
        Webhook::Report(report) => {
            let raw = serde_json::from_slice(&json)
                .map_err(|_| Problem::new(Code::BadJson, "the body is not valid JSON"))?;
            Ok(Understood::Report(report, raw))
        }
        Webhook::Audio(head) => Ok(Understood::Recording(head)),
        Webhook::Other { .. } => Ok(Understood::Other),
    }
}

impl From<ReportError> for Problem {
    fn from(error: ReportError) -> Self {
        let code = match error {
            ReportError::NotJson { .. } | ReportError::NotAnObject => Code::BadJson,
            ReportError::Missing { .. } | ReportError::BadId { .. } => Code::BadField,
        };
        Self::new(code, error.to_string())
    }
}
