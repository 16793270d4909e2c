//! Parses a webhook of ElevenLabs and passes a report to the engine.

use actix_web::web;
use bytes::Bytes;
use precall_actors::api::{Busy, ReportOutcome};
use precall_base::invisible::{is_utf16, without_mark};
use precall_providers::elevenlabs::{AudioHead, ConversationReport, ReportError, Webhook, parse_webhook};
use serde_json::value::RawValue;

use super::READ_HERE_MAX;
use super::jsonb_safe::jsonb_safe;
use crate::http::engine::Engine;
use crate::http::error::{Code, Problem};

pub(crate) const NOT_OURS: &str = "not_ours";
pub(crate) const IGNORED: &str = "ignored";
pub(crate) const RECORDING: &str = "recording";

/// Passes the webhook to the engine. Returns the outcome and the id of the conversation.
pub(crate) async fn apply(
    engine: &dyn Engine,
    webhook: ProviderWebhook,
) -> Result<(&'static str, Option<String>), Busy> {
    Ok(match webhook {
        ProviderWebhook::Report(report, raw) => {
            let conversation = report.conversation.as_str().to_owned();
            let outcome = match engine.report(*report, raw).await? {
                ReportOutcome::Applied(_) => "applied",
                ReportOutcome::Kept => "kept",
                ReportOutcome::NotOurs => NOT_OURS,
            };
            (outcome, Some(conversation))
        }
        ProviderWebhook::Recording(head) => (RECORDING, head.conversation.map(|id| id.as_str().to_owned())),
        // Acknowledged, because ElevenLabs disables a webhook that answers with errors.
        ProviderWebhook::Other => (IGNORED, None),
    })
}

/// A parsed webhook of ElevenLabs.
pub(crate) enum ProviderWebhook {
    /// A report of a conversation, and its JSON for a `jsonb` column.
    Report(Box<ConversationReport>, Box<RawValue>),
    /// A recording. Its audio is not part of this value.
    Recording(AudioHead),
    /// Another type. precall ignores it.
    Other,
}

/// Parses a body, a large one on another thread.
///
/// # Errors
/// `bad_json` or `bad_field`.
pub(crate) async fn parse(body: Bytes) -> Result<ProviderWebhook, Problem> {
    if body.len() <= READ_HERE_MAX {
        return parse_here(&body);
    }
    web::block(move || parse_here(&body)).await.unwrap_or_else(|_| Err(Problem::of(Code::Internal)))
}

/// Parses a body on this thread.
///
/// # Errors
/// `bad_json` or `bad_field`.
pub(crate) fn parse_here(body: &[u8]) -> Result<ProviderWebhook, Problem> {
    if is_utf16(body) {
        return Err(Problem::new(Code::BadJson, "the body is UTF-16: send UTF-8"));
    }
    let json = jsonb_safe(without_mark(body))
        .map_err(|_| Problem::new(Code::BadJson, "the body is nested too deeply"))?;
    match parse_webhook(&json)? {
        Webhook::Report(report) => {
            let raw = serde_json::from_slice(&json)
                .map_err(|_| Problem::new(Code::BadJson, "the body is not valid JSON"))?;
            Ok(ProviderWebhook::Report(report, raw))
        }
        Webhook::Audio(head) => Ok(ProviderWebhook::Recording(head)),
        Webhook::Other { .. } => Ok(ProviderWebhook::Other),
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
