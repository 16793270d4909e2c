//! `POST /webhook/elevenlabs/postcall`: what the provider reports of conversations.

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use precall_actors::api::{Busy, ReportOutcome};
use precall_providers::elevenlabs::{AudioHead, ConversationReport, ReportError, Webhook, parse_webhook};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::inbox::{self, About, READ_HERE_MAX};
use super::recordings::Incoming;
use crate::http::app_state::{Edge, in_time};
use crate::http::error::{Code, Problem};
use crate::http::response;
use crate::http::webhooks::body::Body;
use crate::http::webhooks::jsonb_safe::storable;
use crate::http::webhooks::signed_body::{ElevenLabs, SentBy};

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
        (status = "4XX", body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = crate::http::error::ProblemBody, content_type = "application/problem+json", description = "Nothing was done; try again after `Retry-After` seconds"),
    ),
)]
pub(crate) async fn webhook(
    edge: web::Data<Edge>,
    sent: SentBy<ElevenLabs>,
) -> Result<HttpResponse, Problem> {
    let body = match sent.body {
        Body::Recording(head, incoming) => return recording(&edge, head, incoming).await,
        Body::Whole(body) => body,
    };
    let understood = match understood(body.clone()).await {
        Ok(understood) => understood,
        Err(problem) => {
            inbox::quarantine(&edge, "unread", &problem, body).await;
            return Err(problem);
        }
    };
    if let (Understood::Recording(head), Some(recordings)) = (&understood, &edge.recordings) {
        let mut incoming = recordings.begin().await?;
        incoming.write(&body).await?;
        return recording(&edge, head.clone(), Some(incoming)).await;
    }
    let about = understood.about();
    let (outcome, conversation) = in_time(async {
        let (outcome, conversation) = take(&edge, understood).await?;
        // What an agent of somebody else's said is counted, and not ours to keep.
        let body = match outcome {
            NOT_OURS => return Ok((outcome, conversation)),
            IGNORED | RECORDING => None,
            _ => Some(body),
        };
        edge.engine.keep_webhook(inbox::read_row(about, outcome, body).await).await?;
        Ok((outcome, conversation))
    })
    .await?;
    processed(outcome, conversation)
}

/// Kept if it is of an agent of ours and says whose it is.
async fn recording(
    edge: &Edge,
    mut head: AudioHead,
    incoming: Option<Box<Incoming>>,
) -> Result<HttpResponse, Problem> {
    if let Some(mut incoming) = incoming {
        if head.agent_id.is_none() || head.conversation.is_none() {
            head = incoming.head().await?;
        }
        let is_ours = match head.agent_id.clone() {
            Some(agent) => in_time(edge.engine.is_our_agent(agent)).await?,
            None => false,
        };
        if let Some(conversation) = head.conversation.as_ref().filter(|_| is_ours) {
            incoming.store(conversation).await?;
        }
    }
    let id = head.conversation.map(|id| id.as_str().to_owned());
    let about = About { kind: "post_call_audio".into(), id: id.clone(), at: head.event_timestamp };
    in_time(async { edge.engine.keep_webhook(inbox::read_row(about, RECORDING, None).await).await }).await?;
    processed(RECORDING, id)
}

const NOT_OURS: &str = "not_ours";
const IGNORED: &str = "ignored";
const RECORDING: &str = "recording";

/// Does what the provider says: what became of it, and which conversation it is about.
pub(crate) async fn take(
    edge: &Edge,
    understood: Understood,
) -> Result<(&'static str, Option<String>), Busy> {
    Ok(match understood {
        Understood::Report(report, raw) => {
            let conversation = report.conversation.as_str().to_owned();
            let outcome = match edge.engine.report(*report, raw).await? {
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

fn processed(outcome: &'static str, call_id: Option<String>) -> Result<HttpResponse, Problem> {
    response::counted(outcome, &Answer { status: "processed", call_id })
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

impl Understood {
    fn about(&self) -> About {
        match self {
            Self::Report(report, _) => About {
                kind: report.source.name().into(),
                id: Some(report.conversation.as_str().to_owned()),
                at: report.event_timestamp,
            },
            Self::Recording(head) => About {
                kind: "post_call_audio".into(),
                id: head.conversation.as_ref().map(|id| id.as_str().to_owned()),
                at: head.event_timestamp,
            },
            Self::Other => About { kind: "other".into(), ..About::default() },
        }
    }
}

/// Reads a body.
pub(crate) async fn understood(body: Bytes) -> Result<Understood, Problem> {
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
