//! The webhook inbox: the list, and the replay of a quarantined webhook.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use jiff::Timestamp;
use precall_store::StoreError;
use precall_store::reads::webhooks;
use precall_store::reads::webhooks::{KeptWebhook, ToReplay};
use serde::{Deserialize, Serialize};
use serde_json::json;
use slog::info;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::auth::{Allowed, Operate, Read};
use super::page::{Page, id_of_cursor, limit};
use crate::http::api::read::read;
use crate::http::app_state::{AppState, in_time};
use crate::http::audit_trail::changed;
use crate::http::error::{Code, Problem};
use crate::http::inbound::threecx_wire::{Message, parse};
use crate::http::inbound::{postcall, threecx};
use crate::http::openapi::names::{
    ReplayOutcome, ReplayedStatus, WEBHOOK_STATES, WebhookKind, WebhookOutcome, WebhookState,
};
use crate::http::openapi::problems::{API, DATABASE, ENGINE, ONCE, SCOPE, problems};
use crate::http::{clock, response};

/// Callers wait about this long. An older call is not started.
const CALLER_WAITS: Duration = Duration::from_secs(60);

/// A webhook of the inbox, without its body.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookItem {
    /// precall's id.
    id: Uuid,
    /// `3cx`, `initiation`, the `type` of a report, `flat`, `other`, or `unread`.
    #[schema(value_type = WebhookKind)]
    kind: String,
    /// The PBX's id of the call, or ElevenLabs' id of the conversation; empty if there is none.
    provider_id: String,
    /// The sender's time of the event, or the day of receipt.
    event_timestamp: Timestamp,
    /// Time of receipt.
    received_at: Timestamp,
    /// `quarantined` is unreadable.
    #[schema(value_type = WebhookState)]
    state: String,
    /// Outcome of the webhook or of its replay.
    #[schema(value_type = WebhookOutcome)]
    outcome: String,
    /// Why it is unreadable.
    reason: Option<String>,
    /// Bytes of the stored body.
    #[schema(minimum = 0)]
    bytes: i64,
}

impl From<KeptWebhook> for WebhookItem {
    fn from(row: KeptWebhook) -> Self {
        let KeptWebhook {
            id,
            kind,
            provider_id,
            event_timestamp,
            received_at,
            state,
            outcome,
            reason,
            bytes,
        } = row;
        Self { id, kind, provider_id, event_timestamp, received_at, state, outcome, reason, bytes }
    }
}

/// Query of the list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WebhooksQuery {
    /// Items on a page: 1 to 200, 50 when missing.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u16>,
    /// `next_cursor` of the page before.
    #[param(max_length = 64)]
    cursor: Option<String>,
    /// The state.
    #[param(value_type = Option<WebhookState>)]
    state: Option<String>,
}

problems!(ListProblems: API, DATABASE, &[Code::BadCursor]);

/// Lists webhooks of the inbox, newest first.
#[utoipa::path(
    get, path = "/api/v1/webhooks", tag = "webhooks",
    params(WebhooksQuery),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = Page<WebhookItem>),
        ListProblems,
    ),
)]
pub(crate) async fn list(
    app: web::Data<AppState>,
    _: Allowed<Read>,
    query: web::Query<WebhooksQuery>,
) -> Result<HttpResponse, Problem> {
    let (limit, before) = (limit(query.limit)?, id_of_cursor(query.cursor.as_deref())?);
    let state = query.state.as_deref().filter(|text| !text.is_empty());
    if state.is_some_and(|state| !WEBHOOK_STATES.contains(&state)) {
        return Err(Problem::new(
            Code::BadQuery,
            format!("state must be one of {}", WEBHOOK_STATES.join(", ")),
        ));
    }
    let pool = &app.pool;
    let rows = read(&app, async {
        let client = pool.get().await?;
        webhooks::list(&**client, before, state, limit.saturating_add(1)).await
    });
    let page = Page::cut(rows.await?, limit, |row| row.id.to_string(), WebhookItem::from);
    response::json(&page)
}

/// A replayed webhook.
#[derive(Serialize, ToSchema)]
pub(crate) struct Replayed {
    /// It was replayed.
    #[schema(value_type = ReplayedStatus)]
    status: &'static str,
    /// Id of the webhook.
    id: Uuid,
    /// Outcome of the replay.
    #[schema(value_type = ReplayOutcome)]
    outcome: &'static str,
}

problems!(ReplayProblems: API, SCOPE, ONCE, DATABASE, ENGINE,
    &[Code::WebhookNotFound, Code::NotQuarantined, Code::StillUnreadable, Code::CallerGone, Code::AtCapacity]);

/// Replays a quarantined webhook.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/replay", tag = "webhooks",
    params(("id" = Uuid, Path, description = "Id of the webhook")),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = Replayed),
        ReplayProblems,
    ),
)]
pub(crate) async fn replay(
    app: web::Data<AppState>,
    operator: Allowed<Operate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = Uuid::try_parse(&id).map_err(|_| Problem::of(Code::WebhookNotFound))?;
    let pool = &app.pool;
    let found = read(&app, async {
        let client = pool.get().await?;
        webhooks::to_replay(&**client, id).await
    });
    let found = found.await?.ok_or_else(|| Problem::of(Code::WebhookNotFound))?;
    let outcome = replay_body(&app, found).await?;
    // A second replay of a report or notice is harmless: it changes nothing.
    read(&app, async {
        let client = pool.get().await?;
        webhooks::replayed(&**client, id, outcome).await?;
        Ok::<(), StoreError>(())
    })
    .await?;
    info!(app.log, "webhook replayed"; "webhook" => %id, "key" => %operator.principal.name,
        "outcome" => outcome);
    let answer = response::json(&Replayed { status: "replayed", id, outcome })?;
    Ok(changed(answer, "webhook_replayed", Some(id), json!({ "outcome": outcome })))
}

async fn replay_body(app: &AppState, found: ToReplay) -> Result<&'static str, Problem> {
    let (true, Some(body)) = (found.is_quarantined, found.body) else {
        return Err(Problem::of(Code::NotQuarantined));
    };
    let unreadable = |problem: Problem| Problem::new(Code::StillUnreadable, problem.detail);
    if found.kind == threecx::KIND {
        let message = parse(&body).map_err(unreadable)?;
        let age = clock::now().since(precall_call::At(found.received_at.as_microsecond()));
        if matches!(message, Message::Incoming(_)) && age > CALLER_WAITS {
            return Err(Problem::of(Code::CallerGone));
        }
        return Ok(in_time(threecx::apply(&*app.engine, message, None)).await?.status);
    }
    let webhook = postcall::parse(Bytes::from(body)).await.map_err(unreadable)?;
    Ok(in_time(postcall::apply(&*app.engine, webhook)).await?.0)
}
