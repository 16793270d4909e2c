//! Events of callers within a sliding window.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use precall_call::At;

use crate::caller_key::CallerKey;

/// Most entries; beyond it the oldest is forgotten early.
pub(crate) const ENTRIES_MAX: usize = 100_000;

#[derive(Debug)]
pub(crate) struct SlidingWindow {
    span: Duration,
    /// Oldest first.
    entries: VecDeque<(At, CallerKey)>,
    of: HashMap<CallerKey, u64>,
}

impl SlidingWindow {
    pub(crate) fn over(span: Duration) -> Self {
        Self { span, entries: VecDeque::new(), of: HashMap::new() }
    }

    /// Adds an event; times may come in any order.
    pub(crate) fn add(&mut self, caller: CallerKey, at: At) {
        let count = self.of.entry(caller.clone()).or_insert(0);
        *count = count.saturating_add(1);
        let place = self.entries.partition_point(|(earlier, _)| *earlier <= at);
        self.entries.insert(place, (at, caller));
        if self.entries.len() > ENTRIES_MAX {
            self.forget_oldest();
        }
    }

    /// Removes the caller's last event.
    pub(crate) fn give_back(&mut self, caller: &CallerKey) {
        if let Some(place) = self.entries.iter().rposition(|(_, whose)| whose == caller) {
            self.entries.remove(place);
            self.one_fewer(caller);
        }
    }

    pub(crate) fn forget(&mut self, now: At) {
        while self.entries.front().is_some_and(|(at, _)| now.since(*at) >= self.span) {
            self.forget_oldest();
        }
    }

    pub(crate) fn of(&self, caller: &CallerKey) -> u64 {
        self.of.get(caller).copied().unwrap_or(0)
    }

    pub(crate) fn all(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap_or(u64::MAX)
    }

    fn forget_oldest(&mut self) {
        if let Some((_, caller)) = self.entries.pop_front() {
            self.one_fewer(&caller);
        }
    }

    fn one_fewer(&mut self, caller: &CallerKey) {
        let Some(count) = self.of.get_mut(caller) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.of.remove(caller);
        }
    }
}
