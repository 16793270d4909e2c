//! Compares the known legs with the PBX's list.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::HashSet;

use precall_call::At;
use precall_providers::threecx::address::ParticipantId;
use precall_providers::threecx::event::LegChange;
use precall_providers::threecx::participant::Participant;

use super::leg::Leg;
use super::{LegBook, LegOutput};

#[derive(Debug)]
pub(crate) struct Comparison {
    pub list: u64,
    pub requested: At,
    pub tick: u64,
    /// Events that wait for the list: only on a new connection, where the known legs are not reliable. Later a slow
    /// list must not delay a caller: events are handled at once, and the legs that they change are not compared.
    pub held: Option<Vec<(LegChange, At)>>,
    pub overflowed: bool,
}

impl LegBook {
    pub(crate) fn list_received(
        &mut self,
        list: u64,
        legs: Option<Vec<Participant>>,
        now: At,
        outputs: &mut Vec<LegOutput>,
    ) {
        let Some(comparison) = self.comparing.take_if(|comparison| comparison.list == list) else { return };
        if let Some(legs) = legs {
            self.last_list = Some(comparison.requested);
            self.compare(legs, comparison.tick, now, outputs);
            self.synced = true;
            let known = self.legs.iter().filter(|(_, leg)| leg.known.is_some());
            outputs.push(LegOutput::Synced(known.map(|(id, _)| self.address(*id)).collect()));
        }
        for (change, at) in comparison.held.into_iter().flatten() {
            self.change(change, at, outputs);
        }
        if comparison.overflowed {
            outputs.push(LegOutput::Resync);
        }
    }

    fn compare(&mut self, listed: Vec<Participant>, requested: u64, now: At, outputs: &mut Vec<LegOutput>) {
        let mut present = HashSet::new();
        for seen in listed {
            let participant = seen.leg.participant;
            if !self.is_own(&seen.leg.dn) || !present.insert(participant) {
                continue;
            }
            let is_newer = self.legs.get(&participant).is_some_and(|leg| leg.tick > requested);
            if is_newer || self.tombstones.holds(participant, now) || !self.try_follow(participant) {
                continue;
            }
            self.update_leg(participant, seen, now, outputs);
        }
        let is_missing = |(id, leg): &(&ParticipantId, &Leg)| {
            !present.contains(id) && leg.known.is_some() && leg.tick <= requested
        };
        let missing: Vec<ParticipantId> = self.legs.iter().filter(is_missing).map(|(id, _)| *id).collect();
        for participant in missing {
            // After a restart the PBX may reuse the id at any moment, and without events nothing says when.
            if self.synced && !self.unsure {
                self.tombstones.add(participant, now);
            }
            self.remove(participant, now, outputs);
        }
    }
}
