//! The table of calls: those that go on, and the last that are over. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::call::{Call, State};

/// Most calls that are kept; the oldest that are over go first.
const CAPACITY: usize = 10_000;
/// Most calls at once.
pub(super) const MOST_LIVE: usize = 2_000;
/// Most bytes of audio that calls which are over keep, all together.
const AUDIO_KEPT: usize = 256 * 1024 * 1024;
/// Ids begin here after each start: small numbers, but none that could be mistaken for an index.
const FIRST_LEG: u64 = 100;

/// The table.
#[derive(Debug, Default)]
pub(super) struct Calls {
    all: BTreeMap<u64, Call>,
    live: BTreeSet<u64>,
    /// The newest call with an id; ids come again after a restart.
    by_callid: HashMap<u64, u64>,
    by_leg: HashMap<u64, u64>,
    serials: u64,
    callids: u64,
    legs: u64,
    generation: u64,
    audio: usize,
}

impl Calls {
    /// The next number of our own.
    pub(crate) fn take_serial(&mut self) -> u64 {
        self.serials = self.serials.saturating_add(1);
        self.serials
    }

    /// The next `callid`.
    pub(crate) fn take_callid(&mut self) -> u64 {
        self.callids = self.callids.saturating_add(1);
        self.callids
    }

    /// The next participant id.
    pub(crate) fn take_leg_id(&mut self) -> u64 {
        self.legs = self.legs.saturating_add(1);
        self.legs.saturating_add(FIRST_LEG)
    }

    /// How often ids have begun again.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Ids begin again.
    pub fn restart(&mut self) {
        self.generation = self.generation.saturating_add(1);
        self.callids = 0;
        self.legs = 0;
        self.by_leg.clear();
    }

    /// Puts a call in.
    pub fn insert(&mut self, call: Call) {
        while self.all.len() >= CAPACITY {
            let over =
                self.all.iter().find(|(serial, _)| !self.live.contains(serial)).map(|(serial, _)| *serial);
            let Some(over) = over else { break };
            self.forget(over);
        }
        self.live.insert(call.serial);
        self.by_callid.insert(call.callid, call.serial);
        self.all.insert(call.serial, call);
    }

    /// Remembers whose leg this is, also after its end.
    pub(crate) fn note_leg(&mut self, id: u64, serial: u64) {
        self.by_leg.insert(id, serial);
    }

    /// A call is over.
    pub fn ended(&mut self, serial: u64) {
        if !self.live.remove(&serial) {
            return;
        }
        self.audio = self.audio.saturating_add(self.all.get(&serial).map_or(0, |call| call.ear.size()));
        for call in self.all.values_mut().filter(|call| call.state == State::Ended) {
            if self.audio <= AUDIO_KEPT {
                break;
            }
            self.audio = self.audio.saturating_sub(call.ear.size());
            call.ear.forget();
        }
    }

    pub fn get(&self, serial: u64) -> Option<&Call> {
        self.all.get(&serial)
    }

    pub fn get_mut(&mut self, serial: u64) -> Option<&mut Call> {
        self.all.get_mut(&serial)
    }

    /// The newest call with this id.
    pub(crate) fn serial_of(&self, callid: u64) -> Option<u64> {
        self.by_callid.get(&callid).copied()
    }

    /// Whose leg this is or was.
    pub(crate) fn serial_of_leg(&self, id: u64) -> Option<u64> {
        self.by_leg.get(&id).copied()
    }

    /// Those that go on, oldest first.
    pub fn live(&self) -> Vec<u64> {
        self.live.iter().copied().collect()
    }

    /// How many go on.
    pub(crate) fn live_count(&self) -> usize {
        self.live.len()
    }

    /// Those that go on, to look at.
    pub fn live_calls(&self) -> impl Iterator<Item = &Call> {
        self.live.iter().filter_map(|serial| self.all.get(serial))
    }

    /// All that are kept, oldest first.
    pub fn all(&self) -> impl Iterator<Item = &Call> {
        self.all.values()
    }

    fn forget(&mut self, serial: u64) {
        let Some(call) = self.all.remove(&serial) else { return };
        self.audio = self.audio.saturating_sub(call.ear.size());
        if self.by_callid.get(&call.callid) == Some(&serial) {
            self.by_callid.remove(&call.callid);
        }
        self.by_leg.retain(|_, owner| *owner != serial);
    }
}
