//! Limits and use of the provider's account and agent, from the last answers to other requests. Health sends no
//! request of its own.

use std::sync::{Mutex, PoisonError};

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
}

/// Shared store of the last known values.
#[derive(Debug, Default)]
pub struct Capacity(Mutex<CapacityReading>);

impl Capacity {
    /// Sets the agent's own limit, from its settings.
    pub fn agent_limit(&self, limit: Option<u64>) {
        self.change(|reading| reading.agent_limit = limit);
    }

    /// Sets `voice_slots_used` and `voice_limit` of the subscription.
    pub fn slots(&self, used: Option<u64>, limit: Option<u64>) {
        self.change(|reading| reading.slots = Measure { used, limit });
    }

    /// Sets `voice_add_edit_counter` and `max_voice_add_edits` of the subscription.
    pub fn edits(&self, used: Option<u64>, limit: Option<u64>) {
        self.change(|reading| reading.edits = Measure { used, limit });
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
