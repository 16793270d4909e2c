//! The canary: test calls of precall itself, and how they ended.

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use precall_actors::api::NotRun;
use precall_call::At;
use precall_store::canary::{self, CanaryRun, CanaryUse};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::auth::{Allowed, Operate, Read};
use super::page::NoQuery;
use crate::http::api::read::read;
use crate::http::app_state::AppState;
use crate::http::audit_trail::recorded;
use crate::http::clock::{timestamp, wall};
use crate::http::error::{Code, Problem};
use crate::http::openapi::names::{CallRoute, CanaryOutcome, CanaryStepName};
use crate::http::openapi::problems::{API, DATABASE, ONCE, SCOPE, problems};
use crate::http::response;

/// Runs that are shown.
const SHOWN: i64 = 20;
const DAY_MICROS: i64 = 24 * 3_600 * 1_000_000;

/// A step of a test call.
#[derive(Serialize, ToSchema)]
pub(crate) struct CanaryStepItem {
    /// The step.
    #[schema(value_type = CanaryStepName)]
    step: String,
    /// How long it took.
    #[schema(minimum = 0)]
    ms: i64,
}

/// A test call.
#[derive(Serialize, ToSchema)]
pub(crate) struct CanaryItem {
    /// The id of the run.
    id: Uuid,
    /// When it began.
    started_at: Option<Timestamp>,
    /// When it ended; null while it runs.
    ended_at: Option<Timestamp>,
    /// The name of the API key that asked for it; null for the schedule.
    asked_by: Option<String>,
    /// The route that it tried.
    #[schema(value_type = CallRoute)]
    route: String,
    /// How it ended; null while it runs.
    #[schema(value_type = Option<CanaryOutcome>)]
    outcome: Option<String>,
    /// The step that failed.
    #[schema(value_type = Option<CanaryStepName>)]
    step: Option<String>,
    /// Why it failed or was skipped, in the words of the service that refused.
    words: Option<String>,
    /// The steps that were done, in order.
    steps: Vec<CanaryStepItem>,
    /// The call; `GET /api/v1/calls/{id}` shows it.
    call_id: Option<Uuid>,
    /// How long the agent was connected.
    #[schema(minimum = 0)]
    agent_ms: Option<i32>,
}

impl From<CanaryRun> for CanaryItem {
    fn from(run: CanaryRun) -> Self {
        Self {
            id: run.id,
            started_at: timestamp(run.started_at),
            ended_at: run.ended_at.and_then(timestamp),
            asked_by: run.asked_by,
            route: run.route,
            outcome: run.outcome,
            step: run.step,
            words: run.words,
            steps: run.steps.into_iter().map(|(step, ms)| CanaryStepItem { step, ms }).collect(),
            call_id: run.call.map(|call| Uuid::from_u128(call.0)),
            agent_ms: run.agent_ms,
        }
    }
}

/// What test calls used within 24 hours.
#[derive(Serialize, ToSchema)]
pub(crate) struct CanaryUseItem {
    /// Test calls; skipped ones are not counted.
    #[schema(minimum = 0)]
    calls: i64,
    /// CANARY_CALLS_PER_DAY.
    #[schema(minimum = 1)]
    calls_limit: u32,
    /// How long agents were connected.
    #[schema(minimum = 0)]
    agent_seconds: i64,
    /// ElevenLabs' credits, as far as its reports came.
    cost_credits: Option<i64>,
}

/// The canary.
#[derive(Serialize, ToSchema)]
pub(crate) struct Canary {
    /// Minutes between two test calls; null: only when asked.
    #[schema(minimum = 1)]
    every_minutes: Option<u64>,
    /// When the next one is due; null without a schedule, and on a standby.
    next_at: Option<Timestamp>,
    /// Whether one runs now.
    is_running: bool,
    /// Test calls that failed one after another. From two on `problems` of `/health` has an entry.
    #[schema(minimum = 0)]
    failed_in_a_row: u32,
    /// What they used within 24 hours.
    used: CanaryUseItem,
    /// The newest test calls, the newest first; at most 20.
    items: Vec<CanaryItem>,
}

problems!(ShowProblems: API, DATABASE);

/// Shows the canary: the schedule, what test calls used within 24 hours, and how the newest ended.
#[utoipa::path(get, path = "/api/v1/canary", tag = "calls", security(("bearer" = []), ("api_key" = [])), responses(
    (status = 200, body = Canary),
    ShowProblems,
))]
pub(crate) async fn show(
    app: web::Data<AppState>,
    _: Allowed<Read>,
    _: web::Query<NoQuery>,
) -> Result<HttpResponse, Problem> {
    let since = At(wall().0.saturating_sub(DAY_MICROS));
    let runs = read(&app, canary::recent(&app.pool, SHOWN)).await?;
    let used: CanaryUse = read(&app, canary::used(&app.pool, since)).await?;
    let (view, settings) = (app.engine.canary(), app.engine.canary_settings());
    response::json(&Canary {
        every_minutes: settings.every.map(|every| every.as_secs() / 60),
        next_at: view.next_at.and_then(timestamp),
        is_running: view.running.is_some(),
        failed_in_a_row: view.failed_in_a_row,
        used: CanaryUseItem {
            calls: used.calls,
            calls_limit: settings.calls_per_day,
            agent_seconds: used.agent_ms / 1_000,
            cost_credits: used.credits,
        },
        items: runs.into_iter().map(CanaryItem::from).collect(),
    })
}

problems!(RunProblems: API, SCOPE, ONCE, &[Code::CanaryBusy, Code::CanaryOff, Code::CannotKeep]);

/// Makes a test call now. The answer comes when it has begun; `GET /api/v1/canary` shows how it ends.
#[utoipa::path(post, path = "/api/v1/canary", tag = "calls", security(("bearer" = []), ("api_key" = [])), responses(
    (status = 202, body = CanaryItem),
    RunProblems,
))]
pub(crate) async fn run(
    app: web::Data<AppState>,
    operator: Allowed<Operate>,
) -> Result<HttpResponse, Problem> {
    let run =
        app.engine.run_canary(operator.principal.name.to_string()).await.map_err(|error| match error {
            NotRun::NotConfigured(words) => Problem::new(Code::CanaryOff, words),
            NotRun::Busy => Problem::new(Code::CanaryBusy, "wait until it has ended: `GET /api/v1/canary`"),
            NotRun::NotActing => Problem::new(
                Code::CannotKeep,
                "this precall is a standby or stopping: ask the one that takes calls",
            ),
            NotRun::NoRecord => Problem::new(
                Code::CannotKeep,
                "the database does not answer: there is no test call without a record",
            ),
        })?;
    Ok(recorded(response::json_with(actix_web::http::StatusCode::ACCEPTED, &CanaryItem::from(run))?))
}
