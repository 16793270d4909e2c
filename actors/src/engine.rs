//! The engine from outside: what the edge may ask of it, and nothing more.

use std::sync::Arc;
use std::time::Duration;

use precall_call::{CallId, Cause, ConversationId, Deadline, Request, Route, VoiceId};
use serde_json::value::RawValue;
use tokio::sync::watch;

use crate::metrics::Metrics;
use crate::providers::elevenlabs::ConversationReport;

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
    Ended,
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
    #[error("the database cannot be reached")]
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

/// How the engine is.
#[derive(Clone, Debug)]
pub struct Health {
    /// Whether the last contact with PostgreSQL succeeded; none before the first.
    pub database: Option<bool>,
    /// Whether it was reached since the start.
    pub database_reached: bool,
    /// Whether the provider's last answer was one; none before the first exchange.
    pub elevenlabs: Option<bool>,
    /// Events that wait to be durable.
    pub queued_events: usize,
    /// Live calls.
    pub live_calls: usize,
    /// Whether the program is being stopped.
    pub draining: bool,
    /// Age of the oldest heartbeat of any arbiter.
    pub heartbeat_age: Duration,
}

/// Requests of operators.
pub type OperatorRequest = Request;

/// The engine's door. Cheap to clone, usable from every thread.
#[derive(Clone)]
pub struct EngineHandle {
    pool: deadpool_postgres::Pool,
    metrics: Arc<Metrics>,
    positions: watch::Receiver<i64>,
}

impl EngineHandle {
    /// Takes a call in.
    ///
    /// # Errors
    /// Nothing was done; the sender may try again.
    pub async fn incoming(&self, _call: IncomingCall) -> Result<Taken, Busy> {
        Err(Busy::CannotKeep)
    }

    /// Takes what the PBX says of a call.
    ///
    /// # Errors
    /// Nothing was done; the sender may try again.
    pub async fn notice(&self, _notice: PbxNotice) -> Result<Taken, Busy> {
        Err(Busy::CannotKeep)
    }

    /// Takes a provider's report. `raw` is its body, fit for a `jsonb` column.
    ///
    /// # Errors
    /// Nothing was done; the sender may try again.
    pub async fn report(
        &self,
        _report: ConversationReport,
        _raw: Box<RawValue>,
    ) -> Result<ReportOutcome, Busy> {
        Err(Busy::CannotKeep)
    }

    /// Forgets the cached voice of a caller; whether there was one.
    ///
    /// # Errors
    /// Nothing was done; the sender may try again.
    pub async fn forget_voice(&self, _caller_e164: &str) -> Result<bool, Busy> {
        Err(Busy::CannotKeep)
    }

    /// Passes an operator's request to a call; false when no live call has this id.
    ///
    /// # Errors
    /// Nothing was done; the sender may try again.
    pub async fn request(&self, _call: CallId, _request: Request) -> Result<bool, Busy> {
        Err(Busy::CannotKeep)
    }

    /// The live calls.
    #[must_use]
    pub fn live(&self) -> Vec<LiveCall> {
        Vec::new()
    }

    /// How the engine is.
    #[must_use]
    pub fn health(&self) -> Health {
        Health {
            database: None,
            database_reached: false,
            elevenlabs: None,
            queued_events: 0,
            live_calls: 0,
            draining: false,
            heartbeat_age: Duration::ZERO,
        }
    }

    /// The position of the last durable event.
    #[must_use]
    pub fn positions(&self) -> watch::Receiver<i64> {
        self.positions.clone()
    }

    /// Connections for reads.
    #[must_use]
    pub fn pool(&self) -> deadpool_postgres::Pool {
        self.pool.clone()
    }

    /// What is counted.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }
}
