//! `POST /webhook/elevenlabs/postcall`: reports of conversations.

use actix_web::{HttpResponse, web};
use precall_providers::elevenlabs::AudioHead;
use precall_providers::wire_record::WireLine;
use serde::Serialize;
use utoipa::ToSchema;

use super::inbox::{self, About};
use super::postcall_schema::PostCallWebhook;
use super::recordings::Incoming;
use super::state::WebhookState;
use crate::http::app_state::{AppState, in_time};
use crate::http::error::Problem;
use crate::http::inbound::postcall::{IGNORED, NOT_OURS, ProviderWebhook, RECORDING, apply, parse};
use crate::http::openapi::names::Processed;
use crate::http::openapi::problems::{SIGNED, WEBHOOK, problems};
use crate::http::response;
use crate::http::webhooks::body::Body;
use crate::http::webhooks::signed_body::{ElevenLabs, SignedBody};

/// The answer to a report.
#[derive(Serialize, ToSchema)]
#[schema(as = PostCallAnswer)]
pub(crate) struct Answer {
    /// The report was taken.
    #[schema(value_type = Processed)]
    status: &'static str,
    /// The id of the conversation.
    call_id: Option<String>,
}

problems!(Problems: WEBHOOK, SIGNED);

/// Receives a report of ElevenLabs.
#[utoipa::path(
    post, path = "/webhook/elevenlabs/postcall", tag = "webhooks",
    request_body(content = PostCallWebhook, content_type = "application/json",
        description = "Any content type is taken. Signed in `ElevenLabs-Signature`"),
    security(("elevenlabs_signature" = [])),
    responses(
        (status = 200, body = Answer),
        Problems,
    ),
)]
pub(crate) async fn webhook(
    app: web::Data<AppState>,
    state: web::Data<WebhookState>,
    sent: SignedBody<ElevenLabs>,
) -> Result<HttpResponse, Problem> {
    let body = match sent.body {
        Body::Recording(head, incoming) => return recording(&app, head, incoming).await,
        Body::Whole(body) => body,
    };
    let parsed = match parse(body.clone()).await {
        Ok(parsed) => parsed,
        Err(problem) => {
            inbox::quarantine(&app, &state.unreadable, "unread", &problem, body).await;
            return Err(problem);
        }
    };
    if let (ProviderWebhook::Recording(head), Some(recordings)) = (&parsed, &state.recordings) {
        let mut incoming = recordings.begin().await?;
        incoming.write(&body).await?;
        return recording(&app, head.clone(), Some(incoming)).await;
    }
    let about = about(&parsed);
    let call = match &parsed {
        ProviderWebhook::Report(report, _) => report.our_call,
        ProviderWebhook::Recording(_) | ProviderWebhook::Other => None,
    };
    let (outcome, conversation) = in_time(async {
        let (outcome, conversation) = apply(&*app.engine, parsed).await?;
        if let Some(call) = call.filter(|_| outcome != NOT_OURS) {
            let what = format!("POST /webhook/elevenlabs/postcall: {}", about.kind);
            app.engine.wire().take(call, WireLine::received_unseen("elevenlabs", &what, body.len()));
        }
        // A report of another installation's agent is counted but not kept.
        let body = match outcome {
            NOT_OURS => return Ok((outcome, conversation)),
            IGNORED | RECORDING => None,
            _ => Some(body),
        };
        app.engine.keep_webhook(inbox::read_row(about, outcome, body).await).await?;
        Ok((outcome, conversation))
    })
    .await?;
    processed(outcome, conversation)
}

/// Keeps a recording if it has a conversation id and its agent belongs to this installation.
async fn recording(
    app: &AppState,
    mut head: AudioHead,
    incoming: Option<Box<Incoming>>,
) -> Result<HttpResponse, Problem> {
    if let Some(mut incoming) = incoming {
        if head.agent_id.is_none() || head.conversation.is_none() {
            head = incoming.head().await?;
        }
        let is_ours = match head.agent_id.clone() {
            Some(agent) => in_time(app.engine.is_our_agent(agent)).await?,
            None => false,
        };
        if let Some(conversation) = head.conversation.as_ref().filter(|_| is_ours) {
            incoming.store(conversation).await?;
        }
    }
    let id = head.conversation.map(|id| id.as_str().to_owned());
    let about = About { kind: "post_call_audio".into(), id: id.clone(), at: head.event_timestamp };
    in_time(async { app.engine.keep_webhook(inbox::read_row(about, RECORDING, None).await).await }).await?;
    processed(RECORDING, id)
}

fn processed(outcome: &'static str, call_id: Option<String>) -> Result<HttpResponse, Problem> {
    response::counted(outcome, &Answer { status: "processed", call_id })
}

fn about(parsed: &ProviderWebhook) -> About {
    match parsed {
        ProviderWebhook::Report(report, _) => About {
            kind: report.source.name().into(),
            id: Some(report.conversation.as_str().to_owned()),
            at: report.event_timestamp,
        },
        ProviderWebhook::Recording(head) => About {
            kind: "post_call_audio".into(),
            id: head.conversation.as_ref().map(|id| id.as_str().to_owned()),
            at: head.event_timestamp,
        },
        ProviderWebhook::Other => About { kind: "other".into(), ..About::default() },
    }
}
