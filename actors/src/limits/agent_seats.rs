//! Seats for paid conversations. The provider limits how many an account may have at once: one more is refused or
//! costs double.
//!
//! A call has at most one seat. This file counts the seats. The machine decides when a call takes its seat (with the
//! order that opens a conversation) and when it gives it back (`Effect::ReleaseSeat`).

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use precall_call::CallId;
use tokio::sync::Notify;

/// A call waits at most this long for a free seat.
pub(crate) const SEAT_WITHIN: Duration = Duration::from_secs(3);

/// The seats that are taken. At most one entry per live call.
#[derive(Debug)]
pub struct AgentSeats {
    max: ArcSwap<Option<usize>>,
    held: Mutex<HashSet<CallId>>,
    freed: Notify,
}

impl AgentSeats {
    /// `max` is `AGENT_CONCURRENCY`; none means no limit.
    #[must_use]
    pub fn new(max: Option<usize>) -> Self {
        Self { max: ArcSwap::from_pointee(max), held: Mutex::default(), freed: Notify::new() }
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
        self.lock().insert(call);
    }

    /// Gives back the call's seat. Does nothing if the call has none: the order may be performed twice.
    pub fn release(&self, call: CallId) {
        if self.lock().remove(&call) {
            self.freed.notify_waiters();
        }
    }

    /// Number of taken seats.
    #[must_use]
    pub fn held(&self) -> usize {
        self.lock().len()
    }

    /// `AGENT_CONCURRENCY`.
    #[must_use]
    pub fn max(&self) -> Option<usize> {
        **self.max.load()
    }

    /// Changes the limit. Seats above a lower one stay taken until their calls give them back.
    pub fn set_max(&self, max: Option<usize>) {
        self.max.store(Arc::new(max));
        self.freed.notify_waiters();
    }

    fn take_now(&self, call: CallId) -> bool {
        let mut held = self.lock();
        let may = held.contains(&call) || self.max().is_none_or(|max| held.len() < max);
        if may {
            held.insert(call);
        }
        may
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<CallId>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
