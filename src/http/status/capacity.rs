//! Use of limited resources, in the units that administrators buy. Part of `/health` and of the live board.

use crate::http::clock;
use crate::http::openapi::names::BudgetName;
use jiff::Timestamp;
use precall_actors::api::{BudgetUse, Health, Measure};
use precall_call::At;
use serde::Serialize;
use utoipa::ToSchema;

/// Use of limited resources. Unknown values and missing limits are null.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CapacityAnswer {
    /// Live calls, of `MAX_LIVE_CALLS`.
    pub(crate) live_calls: MeasureAnswer,
    /// Conversations at ElevenLabs, of the lower of `AGENT_CONCURRENCY` and the agent's own limit.
    pub(crate) agents: MeasureAnswer,
    /// Voice slots of the account.
    pub(crate) voice_slots: MeasureAnswer,
    /// Voices added or edited, of what the account allows.
    pub(crate) voice_edits: MeasureAnswer,
    /// Simultaneous calls of the PBX, by `THREECX_SIMULTANEOUS_CALLS`. Their use is not known.
    pub(crate) threecx_calls: MeasureAnswer,
    /// Bytes in the spool, of what it can hold: `SPOOL_MAX_MB`, or less if its disk has less room. Null limit: no
    /// spool. `short`: the disk has less room than `SPOOL_MAX_MB`.
    spool_bytes: MeasureAnswer,
    /// Free bytes on the disk of the spool.
    spool_free_bytes: Option<u64>,
    /// Budgets of the installation.
    budgets: Vec<BudgetAnswer>,
}

/// Use of one resource.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MeasureAnswer {
    /// In use.
    pub(crate) used: Option<u64>,
    /// The limit.
    pub(crate) limit: Option<u64>,
    /// Whether the limit is below what was configured: `MAX_LIVE_CALLS`, or `SPOOL_MAX_MB` for the spool.
    pub(crate) short: bool,
    /// When ElevenLabs last said so. precall counts its own clones and deletions since then. Absent: not
    /// known, or its own count.
    #[serde(skip_serializing_if = "Option::is_none")]
    checked_at: Option<Timestamp>,
    /// Seconds since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) age_seconds: Option<u64>,
}

/// Use of a budget.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BudgetAnswer {
    /// Its name.
    #[schema(value_type = BudgetName)]
    budget: &'static str,
    /// Percent, rounded down; 100 or more when it is used up.
    percent: u64,
}

impl CapacityAnswer {
    pub(crate) fn of(health: &Health, now: At) -> Self {
        let (it, budgets) = (&health.capacity, &health.budgets);
        let wanted = it.live_calls.limit;
        let plain = |measure: Measure| MeasureAnswer {
            used: measure.used,
            limit: measure.limit,
            short: false,
            checked_at: None,
            age_seconds: None,
        };
        let compared = |measure: Measure| MeasureAnswer {
            short: measure.limit.zip(wanted).is_some_and(|(limit, wanted)| limit < wanted),
            ..plain(measure)
        };
        let dated = |measure: MeasureAnswer| MeasureAnswer {
            checked_at: it.account_checked_at.and_then(clock::timestamp),
            age_seconds: it.account_checked_at.map(|at| now.since(at).as_secs()),
            ..measure
        };
        let agents = it.agents.limit.into_iter().chain(it.agent_limit).min();
        Self {
            live_calls: plain(it.live_calls),
            agents: compared(Measure { limit: agents, ..it.agents }),
            voice_slots: dated(compared(it.voice_slots)),
            voice_edits: dated(plain(it.voice_edits)),
            threecx_calls: compared(Measure { used: None, limit: it.pbx_calls }),
            spool_bytes: spool(health),
            spool_free_bytes: health.spool_free_bytes,
            budgets: budgets.iter().map(BudgetAnswer::of).collect(),
        }
    }
}

fn spool(health: &Health) -> MeasureAnswer {
    let used = health.spooled_bytes;
    let room = health.spool_free_bytes.map(|free| used.saturating_add(free));
    let limit = health.spool_max_bytes.map(|max| room.map_or(max, |room| room.min(max)));
    MeasureAnswer {
        used: limit.map(|_| used),
        limit,
        short: limit < health.spool_max_bytes,
        checked_at: None,
        age_seconds: None,
    }
}

impl BudgetAnswer {
    fn of(it: &BudgetUse) -> Self {
        let percent = it.used.saturating_mul(100) / it.limit.max(1);
        Self { budget: it.budget.name(), percent }
    }
}
