//! Conversations with agents at once: the account has so many at the provider, and one more would be refused there, or cost double.
//!
//! A call has one seat at most. Here it is only counted: when a call takes its seat and gives it back is decided in the machine
//! (`precall_call::Effect::ReleaseSeat`).

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use precall_call::CallId;
use tokio::sync::Notify;

/// Who finds no seat waits so long: longer than a goodbye, shorter than a caller's patience.
pub const SEAT_WITHIN: Duration = Duration::from_secs(3);

/// See the file. Bounded by the live calls.
#[derive(Debug)]
pub struct AgentSeats {
    max: Option<usize>,
    held: Mutex<HashSet<CallId>>,
    freed: Notify,
}

impl AgentSeats {
    /// `AGENT_CONCURRENCY`; none is without bound.
    #[must_use]
    pub fn new(max: Option<usize>) -> Self {
        Self { max, held: Mutex::default(), freed: Notify::new() }
    }

    /// A seat for this call, which may have it already; false if none was free within that time.
    pub async fn take(&self, call: CallId, within: Duration) -> bool {
        let waited = async {
            loop {
                // Before the look: a seat that is freed meanwhile wakes it as well.
                let freed = self.freed.notified();
                if self.take_now(call) {
                    return;
                }
                freed.await;
            }
        };
        tokio::time::timeout(within, waited).await.is_ok()
    }

    /// The call has one, whether or not one is free: its conversation was opened before the restart.
    pub fn hold(&self, call: CallId) {
        self.lock().insert(call);
    }

    /// The call gives its seat back. Without one nothing happens: the order may come twice.
    pub fn release(&self, call: CallId) {
        if self.lock().remove(&call) {
            self.freed.notify_waiters();
        }
    }

    /// How many are taken.
    #[must_use]
    pub fn held(&self) -> usize {
        self.lock().len()
    }

    /// `AGENT_CONCURRENCY`.
    #[must_use]
    pub fn max(&self) -> Option<usize> {
        self.max
    }

    fn take_now(&self, call: CallId) -> bool {
        let mut held = self.lock();
        let may = held.contains(&call) || self.max.is_none_or(|max| held.len() < max);
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
