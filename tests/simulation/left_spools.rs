//! Spools that dead processes left on a host: imported by a standby, or taken over with the claim and imported behind
//! the calls.

use std::collections::{BTreeMap, BTreeSet};

use precall_actors::admission::call_registry::CallLiveness;
use precall_call::{Call, CallId, Event, open, step};
use precall_store::events::event_json;
use precall_store::events::rows::{Batch, Entry};
use precall_store::spool::Spool;
use precall_store::spool::batch;
use uuid::Uuid;

use crate::database::Refusal;
use crate::disk::Disk;
use crate::engine::{Engine, SPOOL_MAX};
use crate::happening::{Happening, To};
use crate::sayings::sighting;
use crate::world::{MS, Planted, World};

fn opened(disk: &Disk) -> Spool<Disk> {
    Spool::open(disk.clone(), SPOOL_MAX).unwrap()
}

/// What waits in a spool, and the generations that wrote it.
fn content(disk: &Disk) -> (Batch, BTreeSet<u64>) {
    let (mut spool, mut skip) = (opened(disk), 0);
    let (mut all, mut generations) = (Batch::default(), BTreeSet::new());
    while let Some(together) = batch::peek(&mut spool, skip).unwrap() {
        assert!(together.passed_over.is_empty(), "{:?}", together.passed_over);
        skip += together.frames;
        generations.insert(together.generation);
        all.extend(together.batch);
    }
    (all, generations)
}

impl World {
    fn left_behind(&self, slot: usize) -> Vec<usize> {
        if self.planted == Planted::SpoolForgotten {
            return Vec::new();
        }
        let is_left = |place: &usize| {
            let directory = &self.directories[*place];
            directory.holder.is_none() && (self.one_host || directory.slot == slot)
        };
        (0..self.directories.len()).filter(is_left).collect()
    }

    /// Writes the spools that dead processes left on this host.
    pub(crate) fn bring_in(&mut self, slot: usize) {
        for place in self.left_behind(slot) {
            let mut spool = opened(&self.directories[place].disk);
            let is_adopted = self.database.adopted.get(&place) == Some(&self.database.generation);
            while let Some(together) = batch::peek(&mut spool, 0).unwrap() {
                let generation = if is_adopted { self.database.generation } else { together.generation };
                match self.database.write(&together.batch, generation) {
                    Ok(()) => spool.take_out(together.frames).unwrap(),
                    Err(Refusal::Away) => return,
                    Err(Refusal::Superseded) => self.bring_in_late(place),
                }
                spool = opened(&self.directories[place].disk);
            }
            assert_eq!(self.directories[place].disk.damaged(), 0, "a torn tail is no damage");
        }
    }

    /// Somebody else has acted since.
    fn bring_in_late(&mut self, place: usize) {
        let (all, _) = content(&self.directories[place].disk);
        self.database.write_late(&all, &mut BTreeSet::new());
        let mut spool = opened(&self.directories[place].disk);
        let frames = spool.frames();
        spool.take_out(frames).unwrap();
    }

    /// Claims the next generation, and takes left-behind spools over in the same transaction. Imports what calls need
    /// before their logs are read or continued; the rest follows in its own time.
    pub(crate) fn claim_with_spools(&mut self, to: To, engine: &mut Engine) {
        let before = self.database.generation;
        let mut current = BTreeMap::new();
        for place in self.left_behind(to.slot) {
            let (all, generations) = content(&self.directories[place].disk);
            let is_adopted = self.database.adopted.get(&place) == Some(&before);
            if generations.is_empty() {
                continue;
            }
            if is_adopted || generations == BTreeSet::from([before]) {
                current.insert(place, all);
            } else {
                self.bring_in_late(place);
            }
        }
        self.database.generation += 1;
        let generation = self.database.generation;
        self.database.adopted = current.keys().map(|place| (*place, generation)).collect();
        let deferred = self.deferred(&current);
        for (place, all) in current {
            self.directories[place].holder = Some(to.epoch);
            let (later, first): (Vec<Entry>, Vec<Entry>) =
                all.entries.into_iter().partition(|entry| deferred.contains_key(&entry.owner));
            for entry in later.iter().filter(|entry| entry.seq == 1) {
                // Its log is not read, but a repeated webhook must find the call.
                let pbx = entry.pii.as_ref().and_then(|pii| pii["pbx"].as_u64()).unwrap();
                let call = CallId(entry.owner.as_u128());
                engine.registry.insert(call, sighting(pbx), entry.at, CallLiveness::Over);
            }
            self.database.write(&Batch { entries: first, rows: all.rows }, generation).unwrap();
            let wait = self.random.between(MS, 3_000 * MS);
            self.after(wait, Happening::ImportRest { to, place });
        }
    }

    /// Calls that are over with what waits, and that nobody reads back: they have time.
    fn deferred(&self, spools: &BTreeMap<usize, Batch>) -> BTreeMap<Uuid, Call> {
        let mut calls: BTreeMap<Uuid, Call> = BTreeMap::new();
        for entry in spools.values().flat_map(|batch| &batch.entries) {
            let logged = self.database.logs.get(&entry.owner).map(|logged| logged.call.clone());
            let known = calls.remove(&entry.owner).or(logged);
            let event = event_json::decode(&entry.event).unwrap();
            let next = match (known, &event) {
                (None, Event::Offered(offer)) => open(offer, entry.at).next,
                (None, other) => panic!("the first event is {other:?}"),
                (Some(call), _) if i64::try_from(call.version).unwrap() + 1 == entry.seq => {
                    step(&call, &event, entry.at).next
                }
                (Some(call), _) => call,
            };
            calls.insert(entry.owner, next);
        }
        let is_live =
            |owner: &Uuid| self.database.logs.get(owner).is_some_and(|logged| !logged.call.is_released());
        let is_bad = self.planted == Planted::ContinuedTooEarly;
        calls.retain(|owner, call| is_bad || call.is_released() && !is_live(owner));
        calls
    }

    /// Imports the next frames of a spool that was taken over.
    pub(crate) fn import_rest(&mut self, to: To, engine: &Engine, place: usize) {
        let mut spool = opened(&self.directories[place].disk);
        let Some(together) = batch::peek(&mut spool, 0).unwrap() else {
            self.directories[place].holder = None;
            self.database.adopted.remove(&place);
            return;
        };
        match self.database.write(&together.batch, engine.generation.unwrap()) {
            Ok(()) => spool.take_out(together.frames).unwrap(),
            Err(Refusal::Away) => {}
            Err(Refusal::Superseded) => self.bring_in_late(place),
        }
        let wait = self.random.between(MS, 500 * MS);
        self.after(wait, Happening::ImportRest { to, place });
    }
}
