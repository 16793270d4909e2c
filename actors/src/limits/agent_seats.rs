//! Seats for paid conversations. The provider limits how many an account may have at once: one more is refused or
//! costs double.
//!
//! A call has at most one seat. This file counts the seats. The machine decides when a call takes its seat (with the
//! order that opens a conversation) and when it gives it back (`Effect::ReleaseSeat`).

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use precall_call::CallId;
use tokio::sync::Notify;

/// A call waits at most this long for a free seat.
pub(crate) const SEAT_WITHIN: Duration = Duration::from_secs(3);

/// The seats: how many there are, and who has one.
#[derive(Debug)]
pub struct AgentSeats {
    seats: Mutex<Seats>,
    freed: Notify,
}

/// Limit and calls are looked at together, so they are under one lock.
#[derive(Debug)]
struct Seats {
    /// None means no limit.
    max: Option<usize>,
    /// At most one entry per live call.
    held: HashSet<CallId>,
}

impl AgentSeats {
    /// `max` is `AGENT_CONCURRENCY`; none means no limit.
    #[must_use]
    pub fn new(max: Option<usize>) -> Self {
        Self { seats: Mutex::new(Seats { max, held: HashSet::new() }), freed: Notify::new() }
    }

    /// Takes a seat for this call; true at once if the call has one. False if none becomes free within that time.
    pub async fn take(&self, call: CallId, within: Duration) -> bool {
        let waited = async {
            loop {
                // Registered before the check, so that a seat that is freed in between is noticed.
                let freed = self.freed.notified();
                if self.take_now(call) {
                    return;
                }
                freed.await;
            }
        };
        tokio::time::timeout(within, waited).await.is_ok()
    }

    /// Gives the call a seat even if none is free: its conversation was opened before the restart.
    pub fn hold(&self, call: CallId) {
        self.lock().held.insert(call);
    }

    /// Gives back the call's seat. Does nothing if the call has none: the order may be performed twice.
    pub fn release(&self, call: CallId) {
        if self.lock().held.remove(&call) {
            self.freed.notify_waiters();
        }
    }

    /// Number of taken seats.
    #[must_use]
    pub fn held(&self) -> usize {
        self.lock().held.len()
    }

    /// `AGENT_CONCURRENCY`.
    #[must_use]
    pub fn max(&self) -> Option<usize> {
        self.lock().max
    }

    /// Changes the limit. Seats above a lower one stay taken until their calls give them back.
    pub fn set_max(&self, max: Option<usize>) {
        self.lock().max = max;
        self.freed.notify_waiters();
    }

    fn take_now(&self, call: CallId) -> bool {
        let mut seats = self.lock();
        let may = seats.held.contains(&call) || seats.max.is_none_or(|max| seats.held.len() < max);
        if may {
            seats.held.insert(call);
        }
        may
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
