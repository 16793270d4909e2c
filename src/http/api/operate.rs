//! Actions of operators: hang up, hand off, forget a cached voice.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use precall_call::{CallId, Operator, Request};
use precall_store::people::callers;
use precall_store::reads::calls;
use serde::Serialize;
use serde_json::json;
use slog::info;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::{Allowed, Operate};
use super::call_id::call_id;
use super::caller_id::caller;
use crate::http::api::read::read;
use crate::http::app_state::{AppState, in_time};
use crate::http::audit_trail::changed;
use crate::http::error::{Code, Problem};
use crate::http::response;

/// The only account. Lines will have accounts of their own.
const ACCOUNT: &str = "default";

/// A request passed to the call. Its result is in the call's events.
#[derive(Serialize, ToSchema)]
pub(crate) struct Asked {
    /// `accepted`.
    status: &'static str,
    /// Id of the call.
    id: Uuid,
}

/// Ends a live call.
#[utoipa::path(
    post, path = "/api/v1/calls/{id}/hangup", tag = "calls",
    params(("id" = String, Path, description = "precall's id of the call, the PBX's, or that of a conversation")),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 202, body = Asked),
        (status = "4XX", body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn hangup(
    app: web::Data<AppState>,
    operator: Allowed<Operate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    ask(&app, &operator, call_id(&app, &id).await?, Request::HangUp).await
}

/// Hands a live call off as soon as its voice is decided.
#[utoipa::path(
    post, path = "/api/v1/calls/{id}/handoff", tag = "calls",
    params(("id" = String, Path, description = "precall's id of the call, the PBX's, or that of a conversation")),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 202, body = Asked),
        (status = "4XX", body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn handoff(
    app: web::Data<AppState>,
    operator: Allowed<Operate>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    ask(&app, &operator, call_id(&app, &id).await?, Request::HandOff).await
}

async fn ask(
    app: &AppState,
    operator: &Allowed<Operate>,
    id: Uuid,
    request: Request,
) -> Result<HttpResponse, Problem> {
    let by = Operator::new(&operator.principal.name);
    let passed = in_time(app.engine.request(CallId(id.as_u128()), request, by)).await?;
    info!(app.settings.log, "operator request";
        "call" => %id, "request" => request.name(), "key" => %operator.principal.name, "passed" => passed);
    if passed {
        let action = match request {
            Request::HangUp => "call_hang_up_asked",
            Request::HandOff => "call_hand_off_asked",
        };
        let answer = response::json_with(StatusCode::ACCEPTED, &Asked { status: "accepted", id })?;
        return Ok(changed(answer, action, Some(id), None));
    }
    let exists = read(app, calls::exists(&app.pool, id)).await?;
    Err(Problem::of(if exists { Code::CallNotLive } else { Code::CallNotFound }))
}

/// Whether a cached voice was forgotten.
#[derive(Serialize, ToSchema)]
pub(crate) struct Forgotten {
    /// False when there was none.
    success: bool,
    /// A sentence for people.
    message: &'static str,
}

/// Forgets the cached voice of a caller. The next call clones again.
#[utoipa::path(
    delete, path = "/api/v1/cache/{caller_id}", tag = "voices",
    params(("caller_id" = String, Path, description = "E.164, as dialled in DEFAULT_REGION, or an extension")),
    security(("bearer" = []), ("api_key" = [])),
    responses(
        (status = 200, body = Forgotten),
        (status = "4XX", body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = crate::http::error::ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn forget_voice(
    app: web::Data<AppState>,
    operator: Allowed<Operate>,
    caller_id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let caller = caller(&app, &caller_id)?;
    let success = in_time(app.engine.forget_voice(&caller)).await?;
    info!(app.settings.log, "cached voice forgotten"; "key" => %operator.principal.name, "was_there" => success);
    let message =
        if success { "the cached voice is forgotten" } else { "no voice is cached for this caller" };
    // The mapping names the caller, and an erasure of the caller removes it.
    let mapping = callers::mapping(&app.pool, ACCOUNT, &caller).await.ok().flatten();
    let answer = response::json(&Forgotten { success, message })?;
    Ok(changed(answer, "cached_voice_forgotten", mapping, json!({ "was_there": success })))
}
