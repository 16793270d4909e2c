//! The inside of the process as the page `/system` shows it: actors, requests to providers, durability, time goals.

use std::time::Duration;

use precall_base::clock;
use precall_call::At;

use super::EngineHandle;
use crate::durability::commits::CommitView;
use crate::observe::metrics::{RequestFigures, TimeFigures};
use crate::pbx::pbx_health::TokenState;

/// The inside of the process.
#[derive(Clone, Debug)]
pub struct System {
    /// When the process started, by the host's clock.
    pub started: At,
    /// Age of the last heartbeat of each arbiter: those of calls, then that of persistence.
    pub arbiters: Vec<Duration>,
    /// Legs of each media shard.
    pub shards: Vec<usize>,
    /// Panics by part of a call, without those at zero.
    pub panics: Vec<(&'static str, u64)>,
    /// The connection to the PBX; none if no route needs it.
    pub feed: Option<FeedView>,
    /// Whether repeated failures stop new clones for a while.
    pub breaker_is_open: bool,
    /// The last commits of events to the database.
    pub commits: CommitView,
    /// Requests to providers.
    pub requests: Vec<RequestFigures>,
    /// Times that have a goal.
    pub times: TimeFigures,
}

/// The event stream and the token of the PBX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedView {
    /// Whether the event stream is connected and not silent.
    pub is_open: bool,
    /// When the list of legs was last compared.
    pub synced: Option<At>,
    /// How often it connected again.
    pub reconnects: u64,
    /// Comparisons that failed.
    pub resyncs_failed: u64,
    /// Since when the access token is held; none without one.
    pub token_since: Option<At>,
    /// Since when no new token is granted; none while all is well.
    pub token_failing_since: Option<At>,
}

impl EngineHandle {
    /// The inside of the process.
    #[must_use]
    pub fn system(&self) -> System {
        let (services, now) = (&self.services, clock::now());
        let metrics = &services.metrics;
        let feed = services.pbx.as_ref().map(|pbx| FeedView {
            token_since: match pbx.state.token() {
                TokenState::Held { since, .. } => Some(since),
                TokenState::Awaited | TokenState::Failing { .. } => None,
            },
            token_failing_since: match pbx.state.token() {
                TokenState::Failing { since } => Some(since),
                TokenState::Awaited | TokenState::Held { .. } => None,
            },
            is_open: pbx.state.is_open(),
            synced: pbx.state.last_sync(),
            reconnects: pbx.state.reconnects(),
            resyncs_failed: pbx.state.resyncs_failed(),
        });
        System {
            started: metrics.process.started(),
            arbiters: self.heartbeats.ages(now),
            shards: services.pbx.as_ref().map(|pbx| pbx.media.legs()).unwrap_or_default(),
            panics: metrics.panicked_parts(),
            feed,
            breaker_is_open: services.provider.breaker_is_open(),
            commits: services.persistence_state.commits(),
            requests: metrics.process.requests(),
            times: metrics.times(),
        }
    }
}
