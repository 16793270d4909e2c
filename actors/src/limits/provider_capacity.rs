//! Limits and use of the provider's account and agent, from the last answers to other requests. Health sends no
//! request of its own. Between two answers precall counts its own clones and deletions.

use std::sync::{Mutex, PoisonError};

use precall_call::At;

/// Use and limit of a resource; none if unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measure {
    /// Amount in use.
    pub used: Option<u64>,
    /// Limit.
    pub limit: Option<u64>,
}

/// The last known values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapacityReading {
    /// The agent's own `agent_concurrency_limit`; none if it has none or is unknown.
    pub agent_limit: Option<u64>,
    /// Voice slots of the account.
    pub slots: Measure,
    /// Voice additions and edits.
    pub edits: Measure,
    /// When the provider last said how many slots and edits are used.
    pub account_checked_at: Option<At>,
}

/// Shared store of the last known values.
#[derive(Debug, Default)]
pub struct Capacity(Mutex<CapacityReading>);

impl Capacity {
    /// Sets the agent's own limit, from its settings.
    pub fn agent_limit(&self, limit: Option<u64>) {
        self.change(|reading| reading.agent_limit = limit);
    }

    /// Sets the figures of the subscription: `voice_slots_used` of `voice_limit`, and `voice_add_edit_counter` of
    /// `max_voice_add_edits`.
    pub fn account(&self, slots: Measure, edits: Measure, now: At) {
        self.change(|reading| {
            reading.slots = slots;
            reading.edits = edits;
            reading.account_checked_at = Some(now);
        });
    }

    /// precall made a voice: it takes a slot and counts as an addition.
    pub fn voice_added(&self) {
        self.change(|reading| {
            let more = |used: Option<u64>| used.map(|used| used.saturating_add(1));
            reading.slots.used = more(reading.slots.used);
            reading.edits.used = more(reading.edits.used);
        });
    }

    /// precall deleted a voice: its slot is free.
    pub fn voice_deleted(&self) {
        self.change(|reading| reading.slots.used = reading.slots.used.map(|used| used.saturating_sub(1)));
    }

    /// The last known values.
    #[must_use]
    pub fn reading(&self) -> CapacityReading {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut CapacityReading)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
