//! Legs whose call cannot be decided yet: precall is starting, or does not know whether it still leads.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use precall_call::At;
use precall_providers::threecx::address::LegAddress;
use precall_providers::threecx::participant::Participant;

/// A leg that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WaitingLeg {
    /// The leg as last seen.
    pub participant: Participant,
    /// When it got this status.
    pub at: At,
    /// How long it may wait.
    pub until: At,
}

/// All legs that wait. The leg book bounds their number.
#[derive(Debug, Default)]
pub(crate) struct WaitingLegs {
    legs: HashMap<LegAddress, WaitingLeg>,
}

impl WaitingLegs {
    /// The leg appeared or changed. The first `until` of a leg counts. A connected leg does not ring again.
    pub(crate) fn seen(&mut self, participant: &Participant, at: At, until: At) {
        match self.legs.entry(participant.leg.clone()) {
            Entry::Vacant(new) => {
                new.insert(WaitingLeg { participant: participant.clone(), at, until });
            }
            Entry::Occupied(mut known) => {
                let waiting = known.get_mut();
                if participant.is_connected() && !waiting.participant.is_connected() {
                    *waiting = WaitingLeg { participant: participant.clone(), at, until: waiting.until };
                }
            }
        }
    }

    /// The leg is gone.
    pub(crate) fn gone(&mut self, leg: &LegAddress) {
        self.legs.remove(leg);
    }

    /// Takes the legs that have waited long enough, the longest waiting first.
    pub(crate) fn take_overdue(&mut self, now: At) -> Vec<WaitingLeg> {
        self.take(|waiting| waiting.until <= now)
    }

    /// Takes all legs, the longest waiting first.
    pub(crate) fn take_all(&mut self) -> Vec<WaitingLeg> {
        self.take(|_| true)
    }

    /// Whether no leg waits.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.legs.is_empty()
    }

    fn take(&mut self, is_due: impl Fn(&WaitingLeg) -> bool) -> Vec<WaitingLeg> {
        let mut due: Vec<WaitingLeg> =
            self.legs.extract_if(|_, waiting| is_due(waiting)).map(|(_, waiting)| waiting).collect();
        due.sort_by_key(|waiting| (waiting.at, waiting.participant.leg.participant));
        due
    }
}

#[cfg(test)]
mod tests;
