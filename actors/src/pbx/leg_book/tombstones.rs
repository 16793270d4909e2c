//! Removed legs, remembered while late events may name them.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use precall_call::At;
use precall_providers::threecx::address::ParticipantId;

/// The PBX repeats events every 750 ms (3CX facts, section 0); no event is a minute late.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(60);
/// Most tombstones; beyond it the oldest is forgotten early.
const TOMBSTONES_MAX: usize = 20_000;

#[derive(Debug, Default)]
pub(crate) struct Tombstones {
    when: HashMap<ParticipantId, At>,
    /// Oldest first. An id that was added again is in it twice.
    order: VecDeque<(ParticipantId, At)>,
}

impl Tombstones {
    pub(crate) fn add(&mut self, participant: ParticipantId, at: At) {
        self.when.insert(participant, at);
        self.order.push_back((participant, at));
        self.forget(at);
    }

    pub(crate) fn holds(&mut self, participant: ParticipantId, now: At) -> bool {
        self.forget(now);
        self.when.contains_key(&participant)
    }

    pub(crate) fn clear(&mut self) {
        self.when.clear();
        self.order.clear();
    }

    fn forget(&mut self, now: At) {
        while let Some((participant, at)) = self.order.front().copied() {
            if now.since(at) < REMEMBERED && self.order.len() <= TOMBSTONES_MAX {
                return;
            }
            self.order.pop_front();
            if self.when.get(&participant) == Some(&at) {
                self.when.remove(&participant);
            }
        }
    }
}
