//! How it is, three ways: for people (`/health`), for whoever restarts us (`live`), for whoever sends us calls (`ready`).

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use precall_actors::api::{Health, SpoolHealth};
use precall_actors::durability::leadership::EngineRole;
use serde::Serialize;
use utoipa::ToSchema;

use super::capacity::CapacityAnswer;
use crate::http::app_state::Edge;
use crate::http::error::Problem;
use crate::http::{clock, response};

/// An arbiter that has not moved for so long does not move.
const HEARTBEAT_MAX: Duration = Duration::from_secs(10);

/// How precall is.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthAnswer {
    /// `ok`, `degraded` (calls are taken, something is missing) or `error` (calls cannot be taken).
    status: &'static str,
    /// `ok`, `error` or `connecting`.
    database: &'static str,
    /// `ok`, `error`, or `unknown` before the first exchange.
    elevenlabs: &'static str,
    /// `ok`, `error`, `connecting`, or `not_configured`: no route needs its call control.
    threecx: &'static str,
    /// Where events go while the database is away: `ok`, `waiting` (some wait for the database), `full`, `error`, or `none`.
    spool: &'static str,
    /// Bytes that wait there.
    spooled_bytes: u64,
    /// What is missing or not as it was configured, for people.
    problems: Vec<String>,
    /// Whether new calls are taken.
    ready: bool,
    /// Whether the program is being stopped.
    draining: bool,
    /// Whether another precall acts on this database, and this one waits for its turn.
    standby: bool,
    /// Events that wait to be durable.
    queued_events: usize,
    /// Calls that are not over.
    live_calls: usize,
    /// What is used of what there is.
    capacity: CapacityAnswer,
    /// Milliseconds since the slowest part of the program moved.
    heartbeat_age_ms: u64,
    /// The program's version.
    version: &'static str,
    /// Now.
    timestamp: Option<Timestamp>,
}

impl HealthAnswer {
    pub(crate) fn of(health: &Health) -> Self {
        let standby = health.standing == EngineRole::Standby;
        let database = match (health.database_reached, health.database) {
            (true, Some(true)) => "ok",
            (true, Some(false) | None) => "error",
            (false, _) if standby => "ok",
            (false, _) => "connecting",
        };
        let elevenlabs = match health.elevenlabs {
            Some(true) => "ok",
            Some(false) => "error",
            None => "unknown",
        };
        let threecx = match health.threecx.as_ref().map(|pbx| pbx.open) {
            Some(Some(true)) => "ok",
            Some(Some(false)) => "error",
            Some(None) => "connecting",
            None => "not_configured",
        };
        let spool = match health.spool {
            SpoolHealth::None => "none",
            SpoolHealth::Empty => "ok",
            SpoolHealth::Waiting => "waiting",
            SpoolHealth::Full => "full",
            SpoolHealth::Failing => "error",
        };
        let trouble = health.threecx.as_ref().and_then(|pbx| pbx.trouble.clone());
        let problems: Vec<String> =
            trouble.into_iter().chain(health.prompt_problems.iter().cloned()).collect();
        let something_is_missing = elevenlabs == "error"
            || threecx == "error"
            || database != "ok"
            || !matches!(spool, "ok" | "none")
            || !problems.is_empty();
        let cannot_keep = !standby && !health.can_keep;
        let status = if cannot_keep || !is_alive(health) || health.standing == EngineRole::Superseded {
            "error"
        } else if health.draining || standby || something_is_missing {
            "degraded"
        } else {
            "ok"
        };
        Self {
            status,
            database,
            elevenlabs,
            threecx,
            spool,
            spooled_bytes: health.spooled_bytes,
            problems,
            ready: not_ready(health).is_none(),
            draining: health.draining,
            standby,
            queued_events: health.queued_events,
            live_calls: health.live_calls,
            capacity: CapacityAnswer::of(&health.capacity, &health.budgets),
            heartbeat_age_ms: u64::try_from(health.heartbeat_age.as_millis()).unwrap_or(u64::MAX),
            version: env!("CARGO_PKG_VERSION"),
            timestamp: clock::timestamp(clock::now()),
        }
    }
}

/// Whether the program makes progress. Neither PostgreSQL nor a provider has a part in it: restarting us mends neither.
fn is_alive(health: &Health) -> bool {
    health.heartbeat_age <= HEARTBEAT_MAX
}

/// Why no new calls are taken.
fn not_ready(health: &Health) -> Option<&'static str> {
    if health.draining {
        return Some("the program is being stopped");
    }
    match health.standing {
        EngineRole::Standby => return Some("another precall acts on this database, this one stands by"),
        EngineRole::Superseded => return Some("another precall has taken over this database"),
        EngineRole::Unknown | EngineRole::Acting(_) => {}
    }
    if !health.database_reached {
        return Some("the database has not been reached yet");
    }
    match (health.can_keep, health.spool) {
        (true, _) => None,
        (false, SpoolHealth::None) => Some("the database cannot be reached, and there is no spool"),
        (false, SpoolHealth::Full) => Some("the database cannot be reached, and the spool is full"),
        (false, SpoolHealth::Failing) => {
            Some("the database cannot be reached, and the spool cannot be written")
        }
        (false, SpoolHealth::Empty | SpoolHealth::Waiting) => Some("too many events wait to be kept"),
    }
}

/// The answer of the two short questions.
#[derive(Serialize, ToSchema)]
pub struct Verdict {
    /// `ok` or `error`.
    status: &'static str,
    /// Why not.
    reason: Option<&'static str>,
}

fn verdict(reason: Option<&'static str>) -> Result<HttpResponse, Problem> {
    match reason {
        None => response::json(&Verdict { status: "ok", reason }),
        Some(_) => response::json_with(StatusCode::SERVICE_UNAVAILABLE, &Verdict { status: "error", reason }),
    }
}

/// How precall is.
#[utoipa::path(get, path = "/health", tag = "health", responses(
    (status = 200, body = HealthAnswer, description = "ok or degraded"),
    (status = 503, body = HealthAnswer, description = "error"),
))]
pub(crate) async fn health(edge: web::Data<Edge>) -> Result<HttpResponse, Problem> {
    let health = HealthAnswer::of(&edge.engine.health());
    let status = if health.status == "error" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    response::json_with(status, &health)
}

/// Whether the program makes progress.
#[utoipa::path(get, path = "/health/live", tag = "health", responses(
    (status = 200, body = Verdict), (status = 503, body = Verdict),
))]
pub(crate) async fn live(edge: web::Data<Edge>) -> Result<HttpResponse, Problem> {
    let stuck = !is_alive(&edge.engine.health());
    verdict(stuck.then_some("a part of the program has not moved for more than 10 s"))
}

/// Whether new calls are taken.
#[utoipa::path(get, path = "/health/ready", tag = "health", responses(
    (status = 200, body = Verdict), (status = 503, body = Verdict),
))]
pub(crate) async fn ready(edge: web::Data<Edge>) -> Result<HttpResponse, Problem> {
    verdict(not_ready(&edge.engine.health()))
}
