//! The legs of our own DN, as far as events and lists tell. Pure: `(&mut self, input, now) -> outputs`.
//!
//! An event only names a leg, so each leg is asked for, one request at a time; a request during which another event came is
//! made again, and an answer that was overtaken is dropped by its generation. A removed leg leaves a tombstone, because late
//! events follow it; a new connection clears them, because the ids start again when the PBX restarts. Legs of other DNs
//! never enter.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::BTreeMap;

use precall_call::At;
use precall_providers::threecx::address::{Dn, LegAddress, ParticipantId};
use precall_providers::threecx::event::{LegChange, PbxEvent};
use precall_providers::threecx::participant::Participant;

use crate::pbx::leg_events::PbxLegChange;

mod leg;
mod tombstones;

mod resync;
#[cfg(test)]
mod tests;

use leg::{Fetch, Leg, is_another_leg, rank};
use resync::Comparison;
use tombstones::Tombstones;

/// Legs that are followed at once, twenty times what a call limit allows; beyond it new ones are counted and ignored.
pub const LEGS_MAX: usize = 10_000;
/// Events that wait for a list; what comes beyond them is dropped and the list asked for again.
const HELD_MAX: usize = 10_000;
/// Keys of a leg that was not seen yet.
const KEYS_MAX: usize = 64;

/// What comes in.
#[derive(Debug)]
pub enum LegInput {
    /// A new connection is open. What was under way on the old one is void.
    Opened,
    /// An event came.
    Event(PbxEvent),
    /// A leg was asked for.
    Fetched {
        /// Which.
        participant: ParticipantId,
        /// Of the [`LegOutput::Fetch`].
        generation: u64,
        /// The answer.
        found: FetchResult,
    },
    /// The list of all legs is being asked for; `list` numbers these.
    ListAsked {
        /// Its number.
        list: u64,
    },
    /// The list came. None: it could not be had.
    ListCame {
        /// Its number.
        list: u64,
        /// Of all DNs.
        legs: Option<Vec<Participant>>,
    },
}

/// What was found of a leg.
#[derive(Debug)]
pub enum FetchResult {
    /// The leg.
    Present(Box<Participant>),
    /// The PBX says that it is not there, or not ours.
    Gone,
    /// There was no answer.
    Unknown,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum LegOutput {
    /// Ask for this leg.
    Fetch {
        /// Which.
        leg: LegAddress,
        /// To be given back.
        generation: u64,
    },
    /// Tell this.
    Changed {
        /// Of which leg.
        leg: LegAddress,
        /// When the frame that led to it was received.
        at: At,
        /// What.
        what: Box<PbxLegChange>,
    },
    /// A list was compared; these are all legs.
    Synced(Vec<LegAddress>),
    /// Something may have been missed: ask for the list soon.
    Resync,
}

/// See the file.
#[derive(Debug)]
pub struct LegBook {
    own: Dn,
    legs_max: usize,
    legs: BTreeMap<ParticipantId, Leg>,
    tombstones: Tombstones,
    /// Counts connections.
    connection: u64,
    /// The list has been compared since the connection opened.
    synced: bool,
    comparing: Option<Comparison>,
    last_sequence: Option<u64>,
    generation: u64,
    /// Counts inputs: what came before what, even within one microsecond.
    tick: u64,
    ignored: u64,
}

impl LegBook {
    /// Follows the legs of `own`, at most `legs_max`.
    #[must_use]
    pub fn new(own: Dn, legs_max: usize) -> Self {
        Self {
            own,
            legs_max,
            legs: BTreeMap::new(),
            tombstones: Tombstones::default(),
            connection: 0,
            synced: false,
            comparing: None,
            last_sequence: None,
            generation: 0,
            tick: 0,
            ignored: 0,
        }
    }

    /// Takes what came in.
    pub fn handle(&mut self, input: LegInput, now: At) -> Vec<LegOutput> {
        self.tick = self.tick.saturating_add(1);
        let mut outputs = Vec::new();
        match input {
            LegInput::Opened => self.opened(),
            LegInput::Event(event) => self.event(event, now, &mut outputs),
            LegInput::Fetched { participant, generation, found } => {
                self.fetched(participant, generation, found, now, &mut outputs);
            }
            LegInput::ListAsked { list } => {
                let held = (!self.synced).then(Vec::new);
                self.comparing = Some(Comparison { list, tick: self.tick, held, overflowed: false });
            }
            LegInput::ListCame { list, legs } => self.list_came(list, legs, now, &mut outputs),
        }
        outputs
    }

    /// Legs that were told and are not gone.
    #[must_use]
    pub fn legs(&self) -> usize {
        self.legs.len()
    }

    /// Sightings that were ignored because too many legs are followed.
    #[must_use]
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    fn opened(&mut self) {
        self.connection = self.connection.saturating_add(1);
        self.synced = false;
        self.comparing = None;
        self.last_sequence = None;
        self.tombstones.clear();
        // What was never told is found again by the list, if it is there.
        self.legs.retain(|_, leg| leg.known.is_some());
        for leg in self.legs.values_mut() {
            leg.fetch = Fetch::Idle;
        }
    }

    fn event(&mut self, event: PbxEvent, now: At, outputs: &mut Vec<LegOutput>) {
        if let Some(sequence) = event.sequence {
            let missed = self.last_sequence.is_some_and(|last| sequence > last.saturating_add(1));
            self.last_sequence = Some(sequence);
            if missed {
                outputs.push(LegOutput::Resync);
            }
        }
        let Some(change) = event.change else { return };
        if !self.is_own(&change.leg().dn) {
            return;
        }
        if let Some(Comparison { held: Some(held), overflowed, .. }) = &mut self.comparing {
            if held.len() < HELD_MAX {
                held.push((change, now));
            } else {
                *overflowed = true;
            }
            return;
        }
        self.change(change, now, outputs);
    }

    fn change(&mut self, change: LegChange, at: At, outputs: &mut Vec<LegOutput>) {
        let participant = change.leg().participant;
        if let LegChange::Remove { .. } = change {
            self.tombstones.add(participant, at);
            self.remove(participant, at, outputs);
            return;
        }
        // An Upsert that comes after the Remove is late, not news.
        if self.tombstones.holds(participant, at) || !self.make_room(participant) {
            return;
        }
        match change {
            LegChange::Upsert { now: Some(seen), .. } => {
                if let Some(leg) = self.legs.get_mut(&participant) {
                    // Whatever is being asked for is older than this.
                    leg.fetch = Fetch::Idle;
                }
                self.learn(participant, *seen, at, outputs);
            }
            LegChange::Upsert { now: None, .. } => self.request(participant, at, outputs),
            LegChange::Keys { keys, .. } => self.keys(participant, &keys, at, outputs),
            LegChange::Remove { .. } => {}
        }
    }

    fn keys(&mut self, participant: ParticipantId, keys: &str, at: At, outputs: &mut Vec<LegOutput>) {
        let Some(leg) = self.legs.get_mut(&participant) else { return };
        if leg.known.is_some() {
            let what = PbxLegChange::Keys(keys.to_owned());
            outputs.push(changed(self.address(participant), at, what));
            return;
        }
        // First sight comes first: the keys follow it.
        let room = KEYS_MAX.saturating_sub(leg.keys.len());
        leg.keys.extend(keys.chars().take(room));
        if let Fetch::Idle = leg.fetch {
            self.request(participant, at, outputs);
        }
    }

    /// One request a leg; an event that comes meanwhile makes it be repeated.
    fn request(&mut self, participant: ParticipantId, at: At, outputs: &mut Vec<LegOutput>) {
        let address = self.address(participant);
        let Some(leg) = self.legs.get_mut(&participant) else { return };
        if let Fetch::Running { again, .. } = &mut leg.fetch {
            again.get_or_insert(at);
            return;
        }
        self.generation = self.generation.saturating_add(1);
        leg.fetch = Fetch::Running { generation: self.generation, at, again: None };
        outputs.push(LegOutput::Fetch { leg: address, generation: self.generation });
    }

    fn fetched(
        &mut self,
        participant: ParticipantId,
        generation: u64,
        found: FetchResult,
        now: At,
        outputs: &mut Vec<LegOutput>,
    ) {
        let Some(leg) = self.legs.get_mut(&participant) else { return };
        let (at, again) = match leg.fetch {
            Fetch::Running { generation: running, at, again } if running == generation => (at, again),
            Fetch::Running { .. } | Fetch::Idle => return,
        };
        leg.fetch = Fetch::Idle;
        match found {
            FetchResult::Present(seen) => self.learn(participant, *seen, at, outputs),
            FetchResult::Gone if leg.known.is_some() => {
                self.tombstones.add(participant, now);
                self.remove(participant, at, outputs);
                return;
            }
            // Never seen and not there: it needs no tombstone, and if an event came meanwhile it may be there now.
            FetchResult::Gone if again.is_none() => {
                self.legs.remove(&participant);
            }
            FetchResult::Gone => {}
            FetchResult::Unknown => {
                outputs.push(LegOutput::Resync);
                if leg.known.is_none() && again.is_none() {
                    self.legs.remove(&participant);
                }
            }
        }
        if let Some(again) = again {
            self.request(participant, again, outputs);
        }
    }

    /// Takes a leg as it is, and tells what of that is news.
    fn learn(&mut self, participant: ParticipantId, seen: Participant, at: At, outputs: &mut Vec<LegOutput>) {
        let address = self.address(participant);
        let Some(leg) = self.legs.get_mut(&participant) else { return };
        let mut seen = Participant { leg: address.clone(), ..seen };
        let confirmed_before = leg.connection == self.connection;
        leg.connection = self.connection;
        leg.tick = self.tick;
        let is_news = match &leg.known {
            None => true,
            // The ids have started again, and what has this number now is another leg.
            Some(known) if !confirmed_before && is_another_leg(known, &seen) => {
                outputs.push(changed(address.clone(), at, PbxLegChange::Gone));
                true
            }
            Some(known) => {
                if rank(&seen.status) < rank(&known.status) {
                    seen.status = known.status.clone();
                }
                seen.status != known.status || seen.has_other_party_than(known)
            }
        };
        leg.known = Some(seen.clone());
        let keys = std::mem::take(&mut leg.keys);
        if is_news {
            outputs.push(changed(address.clone(), at, PbxLegChange::Seen(seen)));
        }
        if !keys.is_empty() {
            outputs.push(changed(address, at, PbxLegChange::Keys(keys)));
        }
    }

    fn remove(&mut self, participant: ParticipantId, at: At, outputs: &mut Vec<LegOutput>) {
        let was_reported = self.legs.remove(&participant).is_some_and(|leg| leg.known.is_some());
        if was_reported {
            outputs.push(changed(self.address(participant), at, PbxLegChange::Gone));
        }
    }

    /// Whether the leg is followed, or can be from now on.
    fn make_room(&mut self, participant: ParticipantId) -> bool {
        if self.legs.contains_key(&participant) {
            return true;
        }
        if self.legs.len() >= self.legs_max {
            self.ignored = self.ignored.saturating_add(1);
            return false;
        }
        self.legs.insert(participant, Leg::default());
        true
    }

    fn is_own(&self, dn: &Dn) -> bool {
        dn.as_str().eq_ignore_ascii_case(self.own.as_str())
    }

    fn address(&self, participant: ParticipantId) -> LegAddress {
        LegAddress { dn: self.own.clone(), participant }
    }
}

fn changed(leg: LegAddress, at: At, what: PbxLegChange) -> LegOutput {
    LegOutput::Changed { leg, at, what: Box::new(what) }
}
