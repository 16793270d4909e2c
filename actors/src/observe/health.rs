//! The state of the engine, as `/health` and the dashboard show it.

use std::time::Duration;

use precall_call::At;

use crate::durability::leadership::EngineRole;
use crate::durability::spool_state::SpoolHealth;
use crate::limits::budgets::BudgetUse;
use crate::limits::provider_capacity::Measure;
use crate::observe::outcomes::HealthProblem;

/// State of the PBX connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PbxHealth {
    /// Whether the event stream is connected; none before the first connection.
    pub open: Option<bool>,
    /// Our legs at the PBX.
    pub legs: usize,
    /// The last error while it is not connected, and since when; without secrets and numbers.
    pub trouble: Option<(At, String)>,
}

/// Use and limits, in the units that administrators buy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapacityHealth {
    /// Live calls; the limit is `MAX_LIVE_CALLS`.
    pub live_calls: Measure,
    /// Conversations at the provider; the limit is `AGENT_CONCURRENCY`.
    pub agents: Measure,
    /// The agent's own limit of simultaneous conversations; none if it has none or is unknown.
    pub agent_limit: Option<u64>,
    /// Voice slots of the account.
    pub voice_slots: Measure,
    /// Voice additions and edits; the limit is the account's.
    pub voice_edits: Measure,
    /// When the provider last said how many slots and edits are used. precall counts its own changes since then.
    pub account_checked_at: Option<At>,
    /// `THREECX_SIMULTANEOUS_CALLS`.
    pub pbx_calls: Option<u64>,
}

/// State of the engine.
#[derive(Clone, Debug)]
pub struct Health {
    /// Whether the last contact with PostgreSQL succeeded; none before the first.
    pub database: Option<bool>,
    /// Whether PostgreSQL answered since the start.
    pub database_reached: bool,
    /// Why this process cannot act on the database, or does not yet, as text.
    pub database_obstacle: Option<String>,
    /// Whether the provider's last answer was valid; none before the first exchange.
    pub elevenlabs: Option<bool>,
    /// Health of the spool.
    pub spool: SpoolHealth,
    /// Waiting bytes in the spool.
    pub spooled_bytes: u64,
    /// Most bytes in the spool; none without one.
    pub spool_max_bytes: Option<u64>,
    /// Free bytes on the disk of the spool, if known.
    pub spool_free_bytes: Option<u64>,
    /// Whether a new call can be stored.
    pub can_keep: bool,
    /// Events that are not durable yet.
    pub queued_events: usize,
    /// Live calls.
    pub live_calls: usize,
    /// Whether precall is shutting down.
    pub draining: bool,
    /// The role of this process.
    pub role: EngineRole,
    /// Whether this process is surely the leader: its lease has not run out.
    pub acts: bool,
    /// The PBX; none if no route needs call control.
    pub threecx: Option<PbxHealth>,
    /// Prompts that differ from the configuration, and since when.
    pub prompt_problems: Vec<(At, String)>,
    /// Everything that needs a person.
    pub problems: Vec<HealthProblem>,
    /// Lines whose new calls operators send away; every line is one.
    pub bypasses: usize,
    /// Use of the installation's budgets.
    pub budgets: Vec<BudgetUse>,
    /// Use and limits.
    pub capacity: CapacityHealth,
    /// Age of the oldest heartbeat of any arbiter.
    pub heartbeat_age: Duration,
    /// How long messages wait in the mailboxes that everything goes through, by actor.
    pub mailboxes: Vec<(&'static str, Duration)>,
    /// Actors that were restarted in place since the start, by their type.
    pub restarts: Vec<(&'static str, u64)>,
}
