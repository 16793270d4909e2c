//! The legs of our own DN, built from events and lists of the PBX: `(&mut self, input, now) -> outputs`.
//!
//! An event only names a leg, so the book fetches each leg, one request at a time. If another event for the leg comes
//! during a request, the request is repeated; generations identify outdated answers, which are dropped. A removed leg
//! leaves a tombstone, because late events follow it. A new connection clears tombstones, because the PBX reuses ids
//! after a restart. Legs of other DNs are ignored.
//!
//! While events may be missing (the socket is closed or silent), lists take their place: a leg that a list lacks is
//! gone, without a tombstone, and a leg that it shows is there. Lists in close succession leave no room for a restart
//! of the PBX; after a longer gap each known leg may be another one with the same id.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::BTreeMap;
use std::time::Duration;

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

/// Most legs followed at the same time: twenty times the live-call limit. Further legs are counted and ignored.
pub(crate) const LEGS_MAX: usize = 10_000;
/// Most events that wait for a list; further ones are dropped and the list is requested again.
const HELD_MAX: usize = 10_000;
/// A PBX does not restart within this time, so between two lists no id became another leg's.
const RESTART_MIN: Duration = Duration::from_secs(5);
/// Most pressed keys stored for a leg that was not fetched yet.
const KEYS_MAX: usize = 64;

/// Input of the book.
#[derive(Debug)]
pub(crate) enum LegInput {
    /// A new connection is open. Requests on the old one are void.
    Opened,
    /// The connection is closed or silent: events may be missing.
    Unsure,
    /// The silent connection speaks again.
    Sure,
    /// An event of the PBX.
    Event(PbxEvent),
    /// The receiver of the reports knows nothing of this leg: the next look at it is news.
    Forgotten {
        /// Id of the leg.
        participant: ParticipantId,
    },
    /// The answer to [`LegOutput::Fetch`].
    Fetched {
        /// Id of the leg.
        participant: ParticipantId,
        /// Generation of the request.
        generation: u64,
        /// The result.
        found: FetchResult,
    },
    /// The list of all legs was requested.
    ListRequested {
        /// Number of the list.
        list: u64,
    },
    /// The list arrived, or the request failed.
    ListReceived {
        /// Number of the list.
        list: u64,
        /// Legs of all DNs; none if the request failed.
        legs: Option<Vec<Participant>>,
    },
}

/// Result of fetching a leg.
#[derive(Debug)]
pub(crate) enum FetchResult {
    /// The leg as it is now.
    Present(Box<Participant>),
    /// The leg does not exist or is not ours.
    Gone,
    /// The PBX did not answer.
    Unknown,
}

/// Output of the book.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LegOutput {
    /// Fetch this leg.
    Fetch {
        /// Address of the leg.
        leg: LegAddress,
        /// Return it with the result.
        generation: u64,
    },
    /// Report a change of a leg.
    Changed {
        /// Address of the leg.
        leg: LegAddress,
        /// When the frame behind the change was received.
        at: At,
        /// The change.
        what: Box<PbxLegChange>,
    },
    /// A list was compared; these are all legs.
    Synced(Vec<LegAddress>),
    /// An event may be lost: request the list soon.
    Resync,
}

/// The legs of one DN.
#[derive(Debug)]
pub(crate) struct LegBook {
    own: Dn,
    legs_max: usize,
    legs: BTreeMap<ParticipantId, Leg>,
    tombstones: Tombstones,
    /// Number of the current connection.
    connection: u64,
    /// Whether a list was compared on this connection.
    synced: bool,
    /// Whether events may be missing.
    unsure: bool,
    /// When the last list was requested that arrived.
    last_list: Option<At>,
    comparing: Option<Comparison>,
    last_sequence: Option<u64>,
    generation: u64,
    /// Number of the last input: orders inputs within one microsecond.
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
            unsure: false,
            last_list: None,
            comparing: None,
            last_sequence: None,
            generation: 0,
            tick: 0,
            ignored: 0,
        }
    }

    /// Handles an input.
    pub fn handle(&mut self, input: LegInput, now: At) -> Vec<LegOutput> {
        self.tick = self.tick.saturating_add(1);
        let mut outputs = Vec::new();
        match input {
            LegInput::Opened => self.opened(now),
            LegInput::Unsure => self.unsure(),
            LegInput::Sure => self.unsure = false,
            LegInput::Event(event) => self.event(event, now, &mut outputs),
            LegInput::Forgotten { participant } => {
                if let Some(leg) = self.legs.get_mut(&participant) {
                    leg.known = None;
                }
            }
            LegInput::Fetched { participant, generation, found } => {
                self.fetched(participant, generation, found, now, &mut outputs);
            }
            LegInput::ListRequested { list } => {
                if self.unsure && self.may_have_restarted(now) {
                    self.doubt_all();
                }
                let held = (!self.synced).then(Vec::new);
                self.comparing =
                    Some(Comparison { list, requested: now, tick: self.tick, held, overflowed: false });
            }
            LegInput::ListReceived { list, legs } => self.list_received(list, legs, now, &mut outputs),
        }
        outputs
    }

    /// Number of known legs.
    #[must_use]
    pub fn legs(&self) -> usize {
        self.legs.len()
    }

    /// Events ignored because too many legs are followed.
    #[cfg(test)]
    pub(crate) fn ignored(&self) -> u64 {
        self.ignored
    }

    fn opened(&mut self, now: At) {
        if !self.unsure || self.may_have_restarted(now) {
            self.doubt_all();
        }
        self.synced = false;
        self.unsure = false;
        self.comparing = None;
        self.last_sequence = None;
        // A leg that was never reported is found again by the list, if it exists.
        self.legs.retain(|_, leg| leg.known.is_some());
        for leg in self.legs.values_mut() {
            leg.fetch = Fetch::Idle;
        }
    }

    fn unsure(&mut self) {
        if !std::mem::replace(&mut self.unsure, true) {
            self.last_list = None;
        }
    }

    /// Whether the PBX may have restarted since the last list while events were missing.
    fn may_have_restarted(&self, now: At) -> bool {
        self.last_list.is_none_or(|last| now.since(last) >= RESTART_MIN)
    }

    /// Each known leg may be another one by now, and each removed leg's id may be in use again.
    fn doubt_all(&mut self) {
        self.connection = self.connection.saturating_add(1);
        self.tombstones.clear();
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
        // An Upsert after the Remove is late.
        if self.tombstones.holds(participant, at) || !self.try_follow(participant) {
            return;
        }
        match change {
            LegChange::Upsert { now: Some(seen), .. } => {
                if let Some(leg) = self.legs.get_mut(&participant) {
                    // The answer to a running request would be older than this event.
                    leg.fetch = Fetch::Idle;
                }
                self.update_leg(participant, *seen, at, outputs);
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
        // The leg is reported before its keys.
        let room = KEYS_MAX.saturating_sub(leg.keys.len());
        leg.keys.extend(keys.chars().take(room));
        if let Fetch::Idle = leg.fetch {
            self.request(participant, at, outputs);
        }
    }

    /// Requests the leg: one request at a time. An event during the request repeats it.
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
            FetchResult::Present(seen) => self.update_leg(participant, *seen, at, outputs),
            FetchResult::Gone if leg.known.is_some() => {
                self.tombstones.add(participant, now);
                self.remove(participant, at, outputs);
                return;
            }
            // Never reported and not there: no tombstone needed. If an event came meanwhile, it may be there now.
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

    /// Updates a leg and reports what changed.
    fn update_leg(
        &mut self,
        participant: ParticipantId,
        seen: Participant,
        at: At,
        outputs: &mut Vec<LegOutput>,
    ) {
        let address = self.address(participant);
        let Some(leg) = self.legs.get_mut(&participant) else { return };
        let mut seen = Participant { leg: address.clone(), ..seen };
        let confirmed_before = leg.connection == self.connection;
        leg.connection = self.connection;
        leg.tick = self.tick;
        let is_news = match &leg.known {
            None => true,
            // The PBX restarted and reused the id: this is another leg.
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

    /// Whether the leg is followed. Starts to follow a new leg if there is room.
    fn try_follow(&mut self, participant: ParticipantId) -> bool {
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
