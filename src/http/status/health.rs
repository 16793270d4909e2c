//! The health of precall as `/health` and `/api/v1/live` show it.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use precall_actors::api::{Health, HealthProblem, SpoolHealth};
use precall_actors::durability::leadership::EngineRole;
use serde::Serialize;
use utoipa::ToSchema;

use super::capacity::CapacityAnswer;
use crate::http::clock;
use crate::http::openapi::names::{
    DatabaseHealth, HealthStatus, PbxHealth, ProblemArea, ProviderHealth, SpoolHealthName,
};
use crate::http::status::seen_figures::SeenFigures;

/// An arbiter without progress for longer than this counts as stuck.
const HEARTBEAT_MAX: Duration = Duration::from_secs(10);

/// The health of precall. Figures, problems and version are left out for a request without a key where they need
/// one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HealthAnswer {
    /// `ok`, `degraded` (calls are accepted, something is wrong) or `error` (calls cannot be accepted).
    #[schema(value_type = HealthStatus)]
    pub(crate) status: &'static str,
    /// The database.
    #[schema(value_type = DatabaseHealth)]
    pub(crate) database: &'static str,
    /// ElevenLabs.
    #[schema(value_type = ProviderHealth)]
    pub(crate) elevenlabs: &'static str,
    /// The call control of 3CX.
    #[schema(value_type = PbxHealth)]
    pub(crate) threecx: &'static str,
    /// Spool for events during a database outage; `waiting`: it holds events.
    #[schema(value_type = SpoolHealthName)]
    pub(crate) spool: &'static str,
    /// Bytes in the spool.
    #[serde(skip_serializing_if = "Option::is_none")]
    spooled_bytes: Option<u64>,
    /// What needs a person, the most serious first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problems: Option<Vec<ProblemAnswer>>,
    /// Whether new calls are accepted.
    ready: bool,
    /// Whether precall is shutting down.
    pub(crate) draining: bool,
    /// Whether this precall is a standby: another one is the leader of this database.
    pub(crate) standby: bool,
    /// Events that are not durable yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    queued_events: Option<usize>,
    /// Live calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    live_calls: Option<usize>,
    /// Use of limited resources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) capacity: Option<CapacityAnswer>,
    /// Milliseconds since the last progress of the slowest part of precall.
    #[serde(skip_serializing_if = "Option::is_none")]
    heartbeat_age_ms: Option<u64>,
    /// Version of precall.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    /// Time of the answer.
    timestamp: Option<Timestamp>,
}

/// Something that needs a person.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = HealthProblem)]
pub(crate) struct ProblemAnswer {
    /// What it is about.
    #[schema(value_type = ProblemArea)]
    pub(crate) area: &'static str,
    /// Since when.
    pub(crate) since: Option<Timestamp>,
    /// What happened, in the words of the service that refused. At most 300 characters, numbers are masked.
    #[schema(max_length = 300)]
    pub(crate) words: String,
    /// What to do.
    pub(crate) remedy: &'static str,
    /// Failures in the last ten minutes; 0 where outcomes are not counted.
    pub(crate) failed: usize,
    /// Successes in the last ten minutes.
    pub(crate) succeeded: usize,
    /// The last call that it happened to.
    pub(crate) call: Option<String>,
}

impl ProblemAnswer {
    fn of(it: &HealthProblem) -> Self {
        Self {
            area: it.area,
            since: clock::timestamp(it.since),
            words: it.words.clone(),
            remedy: it.remedy,
            failed: it.failed,
            succeeded: it.succeeded,
            call: it.call.map(|call| call.to_string()),
        }
    }
}

impl HealthAnswer {
    pub(crate) fn of(health: &Health, seen: SeenFigures) -> Self {
        let shows = seen == SeenFigures::All;
        let standby = health.role == EngineRole::Standby;
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
        let problems: Vec<ProblemAnswer> = health.problems.iter().map(ProblemAnswer::of).collect();
        let has_problem = elevenlabs == "error"
            || threecx == "error"
            || database != "ok"
            || !matches!(spool, "ok" | "none")
            || !problems.is_empty();
        let cannot_store = !standby && !health.can_keep;
        let status = if cannot_store || !is_alive(health) || health.role == EngineRole::Superseded {
            "error"
        } else if health.draining || standby || has_problem {
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
            spooled_bytes: shows.then_some(health.spooled_bytes),
            problems: shows.then_some(problems),
            ready: not_ready(health).is_none(),
            draining: health.draining,
            standby,
            queued_events: shows.then_some(health.queued_events),
            live_calls: shows.then_some(health.live_calls),
            capacity: shows.then(|| CapacityAnswer::of(health, clock::now())),
            heartbeat_age_ms: shows
                .then(|| u64::try_from(health.heartbeat_age.as_millis()).unwrap_or(u64::MAX)),
            version: shows.then_some(env!("CARGO_PKG_VERSION")),
            timestamp: clock::timestamp(clock::wall()),
        }
    }

    /// Whether states and problems are the same. Figures, ages and times do not count.
    pub(crate) fn looks_like(&self, other: &Self) -> bool {
        let states = |it: &Self| {
            let services = [it.status, it.database, it.elevenlabs, it.threecx, it.spool];
            (services, [it.ready, it.draining, it.standby])
        };
        states(self) == states(other) && self.problems == other.problems
    }
}

/// Whether precall makes progress. PostgreSQL and providers do not count: a restart of precall does not repair them.
pub(crate) fn is_alive(health: &Health) -> bool {
    health.heartbeat_age <= HEARTBEAT_MAX
}

/// Why new calls are not accepted; `None` if they are.
pub(crate) fn not_ready(health: &Health) -> Option<Cow<'static, str>> {
    if let (false, EngineRole::Unknown | EngineRole::Acting(_), Some(obstacle)) =
        (health.draining, health.role, &health.database_obstacle)
    {
        return Some(Cow::Owned(obstacle.clone()));
    }
    general_reason(health).map(Cow::Borrowed)
}

/// What is kept apart because the database does not take it as it is.
fn general_reason(health: &Health) -> Option<&'static str> {
    if health.draining {
        return Some("precall is being stopped");
    }
    match health.role {
        EngineRole::Standby => return Some("another precall is the leader, this one is a standby"),
        EngineRole::Superseded => return Some("another precall has taken over this database"),
        EngineRole::Left => return Some("precall is being stopped"),
        EngineRole::Unknown | EngineRole::Acting(_) => {}
    }
    if !health.database_reached {
        return Some("the database has not been reached yet");
    }
    if !health.acts {
        return Some(
            "the database does not confirm that this precall is still the leader: another one may have taken over",
        );
    }
    match (health.can_keep, health.spool) {
        (true, _) => None,
        (false, SpoolHealth::None) => Some("the database cannot be reached, and there is no spool"),
        (false, SpoolHealth::Full) => Some("the database cannot be reached, and the spool is full"),
        (false, SpoolHealth::Failing) => {
            Some("the database cannot be reached, and the spool cannot be written")
        }
        (false, SpoolHealth::Empty | SpoolHealth::Waiting) => {
            Some("too many events are waiting to be stored")
        }
    }
}
