//! Drain: precall takes no new calls, waits for the live ones or hands them over, and ends. The same as SIGTERM.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde_json::json;
use slog::info;
use utoipa::ToSchema;

use super::auth::{Admin, Allowed};
use crate::http::app_state::AppState;
use crate::http::audit_trail::changed;
use crate::http::error::Problem;
use crate::http::openapi::problems::{API, ONCE, SCOPE, problems};
use crate::http::response;

/// A drain that has begun.
#[derive(Serialize, ToSchema)]
pub(crate) struct DrainAnswer {
    /// Calls that are live now.
    #[schema(minimum = 0)]
    live_calls: usize,
    /// The process ends after this time at the latest (`DRAIN_TIMEOUT_SECONDS`).
    #[schema(minimum = 0)]
    ends_within_seconds: u64,
}

problems!(DrainProblems: API, SCOPE, ONCE);

/// Stops this process as SIGTERM does: it takes no new calls, waits for its live calls or hands them over to a standby,
/// and ends. It cannot be taken back. Asked again, it changes nothing.
#[utoipa::path(post, path = "/api/v1/drain", tag = "config", security(("bearer" = []), ("api_key" = [])), responses(
    (status = 202, body = DrainAnswer),
    DrainProblems,
))]
pub(crate) async fn drain(app: web::Data<AppState>, admin: Allowed<Admin>) -> Result<HttpResponse, Problem> {
    let live_calls = app.engine.health().live_calls;
    let answer =
        DrainAnswer { live_calls, ends_within_seconds: app.reloads.running().server.drain_timeout.as_secs() };
    info!(app.log, "asked to stop"; "key" => %admin.principal.name, "live_calls" => live_calls);
    let answer = response::json_with(StatusCode::ACCEPTED, &answer)?;
    app.reloads.ask_to_stop();
    Ok(changed(answer, "drain", None, json!({ "live_calls": live_calls })))
}
