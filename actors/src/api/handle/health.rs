//! What the edge shows of the engine: its health, its capacity, its figures.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use precall_base::clock;
use precall_call::At;

use super::EngineHandle;
use crate::limits::provider_capacity::Measure;
use crate::observe::alert_delivery::AlertDelivery;
use crate::observe::health::{CapacityHealth, Health, PbxHealth};
use crate::observe::metrics::Metrics;
use crate::observe::problems;
use crate::observe::shared_outcomes::SharedOutcomes;
use crate::pbx::pbx_feed::CONTESTED;
use crate::pbx::pbx_health::PbxState;
use crate::runtime::restart_in_place::restarts;

/// After this time without a successful request to 3CX health shows the error, although the socket is open.
const REQUESTS_FAIL_FOR: Duration = Duration::from_secs(60);

impl EngineHandle {
    /// The engine's health.
    #[must_use]
    pub fn health(&self) -> Health {
        let persistence = &self.services.persistence_state;
        let reached = persistence.reached();
        let now = clock::now();
        let threecx = self.services.pbx.as_ref().map(|pbx| pbx_health(&pbx.state, now));
        let prompt_problems = self.prompt_problems.all();
        let outcomes = self.services.outcomes.problems();
        let bypasses = self.bypasses();
        let bypassed = bypasses.len();
        let states = problems::States {
            troubles: persistence.troubles(),
            obstacle: persistence.dated_obstacle(),
            database: persistence.problems(),
            spool: persistence.spool().problems(),
            quarantined: persistence.quarantined(),
            host: self.host.problems(),
            replica: self.replica.as_ref().and_then(|replica| replica.problem()),
            alerts: self.alerts.problems(),
            config: self.config_reload.problem(),
            canary: self.canary.problem(),
            pbx: threecx.as_ref(),
            prompts: &prompt_problems,
            agents: self.services.agent_settings.problems(),
            bypasses,
        };
        let problems = problems::all(states, outcomes, now);
        Health {
            database: (reached || persistence.failing()).then(|| reached && !persistence.failing()),
            database_reached: reached,
            database_obstacle: persistence.obstacle(),
            elevenlabs: self.services.provider.answering(),
            spool: persistence.spool().health(),
            spooled_bytes: persistence.spool().bytes(),
            spool_max_bytes: persistence.spool().max(),
            spool_free_bytes: persistence.spool().free(),
            can_keep: persistence.can_keep_call(),
            queued_events: persistence.queued(),
            live_calls: self.services.board.count(),
            draining: self.draining.load(Ordering::Relaxed),
            role: persistence.leadership().now(),
            acts: persistence.leadership().acts(),
            threecx,
            prompt_problems,
            problems,
            bypasses: bypassed,
            budgets: self.services.budgets.lock().used(now),
            capacity: self.capacity(),
            heartbeat_age: self.heartbeats.oldest(now),
            mailboxes: self.mailboxes.all(now),
            restarts: restarts(),
        }
    }

    fn capacity(&self) -> CapacityHealth {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let (account, seats) = (self.capacity.reading(), &self.services.agent_seats);
        let settings = self.reloadable.load();
        CapacityHealth {
            live_calls: Measure {
                used: Some(count(self.services.board.count())),
                limit: Some(count(settings.max_live_calls)),
            },
            agents: Measure { used: Some(count(seats.held())), limit: seats.max().map(count) },
            agent_limit: account.agent_limit,
            voice_slots: account.slots,
            voice_edits: account.edits,
            account_checked_at: account.account_checked_at,
            pbx_calls: settings.pbx_calls,
        }
    }

    /// Prompts that differ from the configuration.
    #[must_use]
    pub fn prompt_problems(&self) -> Vec<String> {
        self.prompt_problems.all().into_iter().map(|(_, words)| words).collect()
    }

    /// The metrics.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.services.metrics)
    }

    /// Whether messages about alerts go out.
    #[must_use]
    pub fn alerts(&self) -> Arc<AlertDelivery> {
        Arc::clone(&self.alerts)
    }

    /// The outcomes of the last minutes.
    #[must_use]
    pub fn outcomes(&self) -> Arc<SharedOutcomes> {
        Arc::clone(&self.services.outcomes)
    }
}

fn pbx_health(state: &PbxState, now: At) -> PbxHealth {
    let error = state.last_error();
    // An open socket without a sync is no connection. Without a sync and without an error it is still connecting.
    let is_well = state.is_open() && state.last_sync().is_some();
    let since = state.failing_since();
    if let Some(since) = state.contested_since(now) {
        return PbxHealth {
            open: Some(false),
            legs: state.legs(),
            trouble: Some((since, CONTESTED.to_owned())),
        };
    }
    // A socket may stay open while every request fails.
    let is_failing = !is_well || since.is_some_and(|since| now.since(since) >= REQUESTS_FAIL_FOR);
    let has_been = state.last_sync().is_some() || error.is_some();
    PbxHealth {
        open: has_been.then_some(is_well),
        legs: state.legs(),
        trouble: error.filter(|_| is_failing).map(|(at, words)| (since.unwrap_or(at), words)),
    }
}
