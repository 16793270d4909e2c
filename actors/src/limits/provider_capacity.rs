//! What the account and the agent carry at once, as those who ask the provider last reading. Nobody asks for the sake of health.

use std::sync::{Mutex, PoisonError};

/// How much of something is used, and how much there is; none is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measure {
    /// Used.
    pub used: Option<u64>,
    /// There is.
    pub limit: Option<u64>,
}

/// What was reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapacityReading {
    /// The agent's own `agent_concurrency_limit`; none where it has none, or is not known.
    pub agent_limit: Option<u64>,
    /// Voice slots of the account.
    pub slots: Measure,
    /// Voices that were added or edited.
    pub edits: Measure,
}

/// See the file.
#[derive(Debug, Default)]
pub struct Capacity(Mutex<CapacityReading>);

impl Capacity {
    /// The agent's own limit, as its settings say it.
    pub fn agent_limit(&self, limit: Option<u64>) {
        self.change(|reading| reading.agent_limit = limit);
    }

    /// `voice_slots_used` and `voice_limit` of the subscription.
    pub fn slots(&self, used: Option<u64>, limit: Option<u64>) {
        self.change(|reading| reading.slots = Measure { used, limit });
    }

    /// `voice_add_edit_counter` and `max_voice_add_edits` of the subscription.
    pub fn edits(&self, used: Option<u64>, limit: Option<u64>) {
        self.change(|reading| reading.edits = Measure { used, limit });
    }

    /// What was reading last.
    #[must_use]
    pub fn reading(&self) -> CapacityReading {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut CapacityReading)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
