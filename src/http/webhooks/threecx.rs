//! `POST /webhook/3cx`: calls and events of the PBX.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use precall_actors::api::Busy;
use precall_call::CallId;
use precall_providers::wire_record::WireLine;
use precall_store::events::rows::WebhookRow;
use uuid::Uuid;

use super::inbox::{self, About};
use super::state::WebhookState;
use crate::http::app_state::{AppState, in_time};
use crate::http::error::{Code, Problem};
use crate::http::inbound::threecx::{Answer, KIND, KIND_BY_TOKEN, apply};
use crate::http::inbound::threecx_wire::{Message, ThreeCxWebhook, happened_at, parse};
use crate::http::openapi::problems::{SIGNED, WEBHOOK, problems};
use crate::http::response;
use crate::http::webhooks::threecx_proof::{Proven, ThreeCxBody};

problems!(Problems: WEBHOOK, SIGNED, &[Code::SecretWrong, Code::NoCall, Code::UnknownEventType, Code::AtCapacity]);

/// Receives a webhook of 3CX.
#[utoipa::path(
    post, path = "/webhook/3cx", tag = "webhooks",
    request_body(content = ThreeCxWebhook, content_type = "application/json",
        description = "Any content type is taken. Signed in `X-3CX-Signature`"),
    security(("threecx_signature" = [])),
    responses(
        (status = 200, body = Answer),
        Problems,
    ),
)]
pub(crate) async fn webhook(
    app: web::Data<AppState>,
    state: web::Data<WebhookState>,
    sent: ThreeCxBody,
) -> Result<HttpResponse, Problem> {
    let body = sent.body.whole()?;
    let by_token = sent.proven == Proven::ByToken;
    let message = match parse(&body) {
        Ok(message) => message,
        // It could be replayed, and then begin a call.
        Err(problem) if by_token => return Err(problem),
        Err(problem) => {
            inbox::quarantine(&app, &state.unreadable, KIND, &problem, body).await;
            return Err(problem);
        }
    };
    let id = message.threecx_call_id().map(ToOwned::to_owned);
    let kind = if by_token { KIND_BY_TOKEN } else { KIND };
    let about = About { kind: kind.into(), id, at: happened_at(&body) };
    let answer = in_time(async {
        match message {
            // Whoever has read the token in a log must not be able to start a dial or a clone.
            Message::Incoming(call) if by_token => {
                let answer = Answer::begins_nothing(call.threecx_call_id);
                let row = inbox::read_row(about, answer.status, body).await;
                app.engine.keep_webhook(row).await.map(|()| answer)
            }
            message => apply_and_keep(&app, "POST /webhook/3cx", message, about, body).await,
        }
    });
    let answer = answer.await?;
    response::counted(answer.status, &answer)
}

/// Applies a webhook and keeps it: in the record of its call, if it has one, and in the inbox. There with the event
/// that it brought, so that both need one transaction; alone, if it brought none.
///
/// # Errors
/// If it cannot be applied or stored now.
pub(super) async fn apply_and_keep(
    app: &AppState,
    what: &'static str,
    message: Message,
    about: About,
    body: Bytes,
) -> Result<Answer, Busy> {
    // The outcome is not known yet.
    let row = Arc::new(inbox::read_row(about, "", body.clone()).await);
    let answer = apply(&*app.engine, message, Some(Arc::clone(&row))).await?;
    if let Some(call) = answer.call_id.as_deref().and_then(|id| Uuid::try_parse(id).ok()) {
        let line = WireLine::received("3cx", what, &body);
        app.engine.wire().take(CallId(call.as_u128()), line);
    }
    if !answer.is_kept {
        let row = WebhookRow { outcome: answer.status.into(), ..Arc::unwrap_or_clone(row) };
        app.engine.keep_webhook(row).await?;
    }
    Ok(answer)
}

/// Receives a webhook of a sender that can neither sign nor set a header. It ends calls and adds to them, and begins
/// none.
#[utoipa::path(
    post, path = "/webhook/3cx/{token}", tag = "webhooks",
    params(("token" = String, Path, min_length = 1, max_length = 1_024, description = "THREECX_WEBHOOK_TOKEN")),
    request_body(content = ThreeCxWebhook, content_type = "application/json",
        description = "Any content type is taken"),
    responses(
        (status = 200, body = Answer),
        Problems,
    ),
)]
pub(crate) async fn by_token(
    app: web::Data<AppState>,
    state: web::Data<WebhookState>,
    sent: ThreeCxBody,
) -> Result<HttpResponse, Problem> {
    webhook(app, state, sent).await
}
