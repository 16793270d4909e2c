//! Health for people (`/health`), for a supervisor that restarts precall (`/health/live`), and for a load balancer
//! (`/health/ready`).

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::app_state::AppState;
use crate::http::error::{Code, Problem};
use crate::http::openapi::names::ProbeStatus;
use crate::http::openapi::problems::problems;
use crate::http::ops::figures;
use crate::http::response;
use crate::http::status::health::{HealthAnswer, is_alive, not_ready};
use crate::http::status::seen_figures::SeenFigures;

/// Answer of `/health/live` and `/health/ready`.
#[derive(Serialize, ToSchema)]
#[schema(as = Verdict)] // Its name in the OpenAPI document, which others generate code from.
pub(crate) struct ProbeAnswer {
    /// Whether it passes.
    #[schema(value_type = ProbeStatus)]
    status: &'static str,
    /// The reason of an `error`.
    #[schema(value_type = Option<String>)]
    reason: Option<Cow<'static, str>>,
}

fn probe_answer(reason: Option<Cow<'static, str>>) -> Result<HttpResponse, Problem> {
    if reason.is_none() {
        return response::json(&ProbeAnswer { status: "ok", reason });
    }
    response::json_with(StatusCode::SERVICE_UNAVAILABLE, &ProbeAnswer { status: "error", reason })
}

problems!(Problems: &[Code::Internal]);
problems!(FigureProblems: figures::PROBLEMS);

/// Health of precall. Beside a listener for management (`METRICS_ADDR`, the default in production) figures, problems
/// and version need a key here.
#[utoipa::path(get, path = "/health", tag = "health", security((), ("bearer" = []), ("api_key" = [])), responses(
    (status = 200, body = HealthAnswer, description = "ok or degraded"),
    (status = 503, body = HealthAnswer, description = "error"),
    FigureProblems,
))]
pub(crate) async fn health(app: web::Data<AppState>, seen: SeenFigures) -> Result<HttpResponse, Problem> {
    let health = HealthAnswer::of(&app.engine.health(), seen);
    let status = if health.status == "error" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    response::json_with(status, &health)
}

/// Whether precall makes progress.
#[utoipa::path(get, path = "/health/live", tag = "health", responses(
    (status = 200, body = ProbeAnswer), (status = 503, body = ProbeAnswer), Problems,
))]
pub(crate) async fn live(app: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let stuck = !is_alive(&app.engine.health());
    probe_answer(stuck.then_some(Cow::Borrowed("a part of precall has made no progress for more than 10 s")))
}

/// Whether new calls are accepted.
#[utoipa::path(get, path = "/health/ready", tag = "health", responses(
    (status = 200, body = ProbeAnswer), (status = 503, body = ProbeAnswer), Problems,
))]
pub(crate) async fn ready(app: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    probe_answer(not_ready(&app.engine.health()))
}
