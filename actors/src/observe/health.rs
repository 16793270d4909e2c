//! How the engine is, as `/health` and the dashboard show it.

use std::time::Duration;

use crate::durability::leadership::EngineRole;
use crate::durability::persistence_state::SpoolHealth;
use crate::limits::budgets::BudgetUse;
use crate::limits::provider_capacity::Measure;

/// How the connection to the PBX is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PbxHealth {
    /// Whether its events come in; none before the first connection.
    pub open: Option<bool>,
    /// Legs of ours that it has.
    pub legs: usize,
    /// What went wrong last, while it is not open; without secrets and numbers.
    pub trouble: Option<String>,
}

/// What is used, and how much there is, in the units that administrators buy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapacityHealth {
    /// Live calls, of `MAX_LIVE_CALLS`.
    pub live_calls: Measure,
    /// Conversations at the provider, of `AGENT_CONCURRENCY`.
    pub agents: Measure,
    /// The agent's own limit of conversations at once; none where it has none, or is not known yet.
    pub agent_limit: Option<u64>,
    /// Voice slots of the account.
    pub voice_slots: Measure,
    /// Voices added or edited, of what the account allows.
    pub voice_edits: Measure,
    /// `THREECX_SIMULTANEOUS_CALLS`.
    pub pbx_calls: Option<u64>,
}

/// How the engine is.
#[derive(Clone, Debug)]
pub struct Health {
    /// Whether the last contact with PostgreSQL succeeded; none before the first.
    pub database: Option<bool>,
    /// Whether it was reached since the start.
    pub database_reached: bool,
    /// Whether the provider's last answer was one; none before the first exchange.
    pub elevenlabs: Option<bool>,
    /// What the spool is good for.
    pub spool: SpoolHealth,
    /// Bytes that wait in the spool.
    pub spooled_bytes: u64,
    /// Bytes that may wait there; none without a spool.
    pub spool_max_bytes: Option<u64>,
    /// Whether a new call could be kept.
    pub can_keep: bool,
    /// Events that wait to be durable.
    pub queued_events: usize,
    /// Live calls.
    pub live_calls: usize,
    /// Whether the program is being stopped.
    pub draining: bool,
    /// What this process is on its database.
    pub role: EngineRole,
    /// The PBX; none where no route needs its call control.
    pub threecx: Option<PbxHealth>,
    /// What callers hear and is not as it was ordered, for people.
    pub prompt_problems: Vec<String>,
    /// How far the budgets of the installation are used.
    pub budgets: Vec<BudgetUse>,
    /// What is used of what there is.
    pub capacity: CapacityHealth,
    /// Age of the oldest heartbeat of any arbiter.
    pub heartbeat_age: Duration,
}
