//! `POST /webhook/elevenlabs/postcall`: what the provider reports of conversations.

use actix_web::{HttpResponse, web};
use precall_actors::engine::ReportOutcome;
use precall_actors::providers::elevenlabs::{ConversationReport, ReportError, Webhook, parse_webhook};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::answer;
use super::edge::{Edge, in_time};
use super::error::{Code, Problem};
use super::intake::Body;
use super::sent_by::{ElevenLabs, SentBy};
use super::storable::storable;

/// Bodies that are larger are read on another thread: a worker serves many callers.
const READ_HERE_MAX: usize = 256 * 1024;

/// What became of a report.
#[derive(Serialize, ToSchema)]
#[schema(as = PostCallAnswer)]
pub struct Answer {
    /// `processed`.
    status: &'static str,
    /// The conversation that the report is of.
    call_id: Option<String>,
}

/// Takes a report of ElevenLabs.
#[utoipa::path(
    post, path = "/webhook/elevenlabs/postcall", tag = "webhooks",
    request_body(content = String, content_type = "application/json", description = "`post_call_transcription`, `post_call_audio`, `call_initiation_failure`, or the flat form, signed in `ElevenLabs-Signature`"),
    responses(
        (status = 200, body = Answer),
        (status = "4XX", body = super::error::ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = super::error::ProblemBody, content_type = "application/problem+json", description = "Nothing was done; try again after `Retry-After` seconds"),
    ),
)]
pub(super) async fn webhook(
    edge: web::Data<Edge>,
    sent: SentBy<ElevenLabs>,
) -> Result<HttpResponse, Problem> {
    let body = match sent.body {
        Body::Recording(head) => {
            return processed("recording", head.conversation.map(|id| id.as_str().to_owned()));
        }
        Body::Whole(body) => body,
    };
    match understood(body).await? {
        Understood::Report(report, raw) => {
            let conversation = report.conversation.as_str().to_owned();
            let outcome = match in_time(edge.engine.report(*report, raw)).await? {
                ReportOutcome::Applied(_) => "applied",
                ReportOutcome::Kept => "kept",
                ReportOutcome::NotOurs => "not_ours",
            };
            processed(outcome, Some(conversation))
        }
        Understood::Recording(conversation) => processed("recording", conversation),
        // Acknowledged: ElevenLabs switches webhooks off whose answers are errors.
        Understood::Other => processed("ignored", None),
    }
}

fn processed(outcome: &'static str, call_id: Option<String>) -> Result<HttpResponse, Problem> {
    answer::counted(outcome, &Answer { status: "processed", call_id })
}

enum Understood {
    Report(Box<ConversationReport>, Box<RawValue>),
    Recording(Option<String>),
    Other,
}

async fn understood(body: Vec<u8>) -> Result<Understood, Problem> {
    if body.len() <= READ_HERE_MAX {
        return understand(&body);
    }
    web::block(move || understand(&body)).await.unwrap_or_else(|_| Err(Problem::of(Code::Internal)))
}

fn understand(body: &[u8]) -> Result<Understood, Problem> {
    let json = storable(body).map_err(|_| Problem::new(Code::BadJson, "the body is nested too deeply"))?;
    match parse_webhook(&json)? {
        Webhook::Report(report) => {
            let raw = serde_json::from_slice(&json)
                .map_err(|_| Problem::new(Code::BadJson, "the body is not valid JSON"))?;
            Ok(Understood::Report(report, raw))
        }
        Webhook::Audio(head) => Ok(Understood::Recording(head.conversation.map(|id| id.as_str().to_owned()))),
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
