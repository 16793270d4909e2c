//! The engine from outside: what the edge may ask of it, and nothing more.

pub(crate) mod handle;
mod recent_webhooks;

use std::time::Duration;

use precall_call::{CallId, Cause, ConversationId, Deadline, Route, VoiceId};

use crate::durability::leadership::Standing;
pub use crate::durability::persistence::SpoolHealth;
pub use crate::erasure::erase_caller::{ErasureReport, NotErased};
pub use crate::lifecycle::housekeeping::Keeping;
pub use crate::lifecycle::start::{Engine, EngineError, EngineSettings, PbxEngine, SpoolSettings};
pub use crate::limits::budgets::{BudgetLimits, BudgetUse};
pub use crate::limits::provider_capacity::Measure;
pub use crate::pbx::pbx_feed::FeedPace;
pub use crate::voices::voice_book::{ClonedAhead, NotReconciled, Reconciled};
pub use handle::EngineHandle;

/// `IncomingCall` of a 3CX webhook, checked and parsed.
#[derive(Clone, Debug)]
pub struct IncomingCall {
    /// The PBX's id of the call, if it gave one.
    pub threecx_call_id: Option<String>,
    /// The caller as the PBX wrote it; parsed by the engine.
    pub caller: Option<String>,
    /// The called number as the PBX wrote it.
    pub called: Option<String>,
    /// Kept with the call, never fetched.
    pub recording_url: Option<String>,
}

/// `CallEnded` or `CallStateChanged` of a 3CX webhook.
#[derive(Clone, Debug)]
pub struct PbxNotice {
    /// The PBX's id of the call, if it gave one.
    pub threecx_call_id: Option<String>,
    /// The caller as the PBX wrote it.
    pub caller: Option<String>,
    /// The called number as the PBX wrote it.
    pub called: Option<String>,
    /// What it says.
    pub kind: PbxNoticeKind,
}

/// What a notice says.
#[derive(Clone, Debug)]
pub enum PbxNoticeKind {
    /// The PBX's call is over.
    Ended {
        /// How long it lasted, if the PBX said so; zero counts.
        duration: Option<Duration>,
        /// Kept with the call, never fetched.
        recording_url: Option<String>,
    },
    /// The PBX's word for the new state.
    StateChanged(String),
}

/// The answer to an accepted webhook. By the time it is given, its event is durable.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Our id of the call; none for the end of a call that was never seen.
    pub call: Option<CallId>,
    /// What became of it.
    pub outcome: Outcome,
    /// The voice, where the cache holds one.
    pub cached_voice: Option<VoiceId>,
}

/// What became of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A new call.
    Accepted,
    /// Seen before; nothing happened.
    Duplicate,
    /// The call is over, or was before it came.
    Ended,
    /// News of a call that nobody has seen; nothing was kept.
    Ignored,
    /// The call must not be made.
    Rejected(Cause),
}

/// Why nothing was done. The sender may try again after a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// As many calls as are allowed are live.
    #[error("as many calls as are allowed are live")]
    AtCapacity,
    /// What would be acknowledged cannot be kept.
    #[error("neither the database nor the spool takes it")]
    CannotKeep,
    /// It was not durable in time.
    #[error("the event was not durable in time")]
    TooSlow,
    /// The program is being stopped.
    #[error("the program is being stopped")]
    Draining,
}

/// What became of a provider's report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportOutcome {
    /// It belongs to this call.
    Applied(CallId),
    /// Its conversation is not known yet; it is kept until it is.
    Kept,
    /// An agent that is not ours: counted, not stored.
    NotOurs,
}

/// An inbound agent conversation that is about to begin, as the provider describes it.
#[derive(Clone, Debug)]
pub struct InitiationAsked {
    /// The agent that was reached.
    pub agent_id: String,
    /// The number it was reached at.
    pub called: String,
    /// Who rings it, as the trunk shows it.
    pub caller: String,
    /// The provider's id of the telephone call.
    pub call_sid: Option<String>,
}

/// The transfer that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitiationAnswer {
    /// Our id.
    pub call: CallId,
    /// The voice to speak with; none is the fallback voice.
    pub voice: Option<VoiceId>,
}

/// A live call as the board shows it.
#[derive(Clone, Debug)]
pub struct LiveCall {
    /// Our id.
    pub id: CallId,
    /// The PBX's id.
    pub threecx_call_id: Option<String>,
    /// The caller, masked.
    pub caller: String,
    /// The line's name.
    pub line: String,
    /// How greeting and handoff reach the caller.
    pub route: Route,
    /// The state's name.
    pub state: &'static str,
    /// `awaited`, `cloned` or `fallback`.
    pub voice: &'static str,
    /// Why there is no cloned voice.
    pub voice_missing: Option<&'static str>,
    /// Microseconds since the epoch.
    pub offered_at: i64,
    /// The armed deadline.
    pub deadline: Option<Deadline>,
    /// The agent's conversation, once known.
    pub conversation: Option<ConversationId>,
    /// Actors alive for this call.
    pub actors: Vec<&'static str>,
}

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
    pub standing: Standing,
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
