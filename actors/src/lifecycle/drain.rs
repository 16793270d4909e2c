//! The planned end of an engine: it waits for its calls, or hands them over to a standby.

use std::sync::atomic::Ordering;
use std::time::Duration;

use slog::{info, warn};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::admission::call_supervisor::{CountLive, Drain};
use crate::durability::leadership::EngineRole;
use crate::durability::persistence::{Close, IsIdle, Open};
use crate::lifecycle::hand_over::FIRST_BEAT;
use crate::lifecycle::start::Engine;

/// Interval of the log line about calls that a drain waits for, and how many of them it names.
const LOG_EVERY: Duration = Duration::from_secs(5);
const LOG_CALLS: usize = 5;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a dial or an upload that is under way may take before the calls are handed over. Its outcome is then known
/// to the standby, which looks it up otherwise.
const UNDER_WAY_MAX: Duration = Duration::from_secs(3);
/// How long the last events may take to the database, and the answer that the lease is given back.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);
/// Pause after a hand-over that did not succeed.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Who goes on with the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    /// A process that waits for the lease.
    Standby,
    /// The next start.
    NextStart,
}

impl Engine {
    /// Takes no new calls and waits, at most `within`, until live calls have ended and all events are durable. As soon
    /// as a standby is there, it gets the calls. Returns the number of calls that nobody has taken over: the next start
    /// resumes them.
    pub async fn drain(&self, within: Duration) -> usize {
        self.handle.draining.store(true, Ordering::Relaxed);
        self.handle.supervisor.do_send(Drain);
        let leadership = self.handle.services.persistence_state.leadership();
        let deadline = Instant::now() + within;
        let (mut logged_at, mut try_at): (Option<Instant>, _) = (None, Instant::now());
        loop {
            if leadership.now() == EngineRole::Left {
                return 0;
            }
            if leadership.has_successor() && Instant::now() >= try_at {
                if let Some(generation) = self.leave(To::Standby).await {
                    // Started again here, this process must not take the PBX from the standby.
                    self.forget_acting();
                    self.play_on(generation).await;
                    return 0;
                }
                try_at = Instant::now() + AGAIN_AFTER;
            }
            let live = self.handle.supervisor.send(CountLive).await.unwrap_or(0);
            let idle = self.handle.services.persistence.send(IsIdle).await.unwrap_or(true);
            if (live == 0 && idle) || Instant::now() >= deadline {
                // The next start need not wait for the lease. It looks up what is under way.
                self.leave(To::NextStart).await;
                return live;
            }
            if logged_at.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
                self.log_live_calls();
                logged_at = Some(Instant::now());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// For a standby waits for what is under way. Then begins nothing more, writes what is queued, and gives the lease
    /// back. Returns the generation that has left; if that is not durable, this process goes on as the leader.
    async fn leave(&self, to: To) -> Option<u64> {
        let services = &self.handle.services;
        let leadership = services.persistence_state.leadership();
        let EngineRole::Acting(generation) = leadership.now() else { return None };
        // What has its intent in the log may still begin: the standby could not know that it did not.
        let patience = if to == To::Standby { UNDER_WAY_MAX } else { Duration::ZERO };
        let until = Instant::now() + patience;
        while leadership.under_way() > 0 && Instant::now() < until {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        leadership.begin_to_leave();
        let written = tokio::time::timeout(LEAVE_WITHIN, services.persistence.send(Close)).await;
        if matches!(written, Ok(Ok(true))) {
            if to == To::Standby {
                self.list_legs(generation, FIRST_BEAT).await;
            }
            if self.give_lease_back().await {
                info!(services.log, "left the leadership by plan"; "live_calls" => services.board.count());
                return Some(generation);
            }
            if to == To::Standby {
                self.forget_token(generation).await;
            }
        }
        if leadership.now() != EngineRole::Left {
            leadership.stay();
            services.persistence.do_send(Open);
        }
        warn!(services.log, "could not leave the leadership by plan, another precall waits for the lease");
        None
    }

    async fn give_lease_back(&self) -> bool {
        let (answer, left) = oneshot::channel();
        let asked = self.leave.try_send(answer).is_ok();
        asked && matches!(tokio::time::timeout(LEAVE_WITHIN, left).await, Ok(Ok(true)))
    }

    fn log_live_calls(&self) {
        let live = self.handle.services.board.live();
        let some: Vec<String> = live.iter().take(LOG_CALLS).map(|call| call.id.to_string()).collect();
        info!(self.handle.services.log, "waiting for live calls to end"; "calls" => live.len(),
            "for_example" => some.join(" "));
    }
}
