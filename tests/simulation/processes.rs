//! Processes: starting, taking over, checking the leadership, stopping.

use std::collections::BTreeSet;

use precall_actors::admission::call_registry::{CallLiveness, CallRegistry};
use precall_call::{At, CallId, Event, LegSeen};
use precall_store::spool::Spool;
use precall_store::spool::batch;

use crate::database::Refusal;
use crate::disk::Disk;
use crate::engine::{Engine, Live, SPOOL_MAX};
use crate::happening::{Happening, To};
use crate::sayings::sighting;
use crate::world::{Directory, LEFT_FREE, LOOK_EVERY, MS, Planted, SECOND, World};

impl World {
    pub(crate) fn start(&mut self, slot: usize) {
        if self.engines[slot].is_some() {
            return;
        }
        self.epochs += 1;
        self.paused[slot] = 0;
        let disk = Disk::default();
        self.directories.push(Directory { disk: disk.clone(), slot, holder: Some(self.epochs) });
        let to = To { slot, epoch: self.epochs };
        self.put_back(to, Engine::new(self.epochs, disk));
        self.after(10 * MS, Happening::TakeOver { to, free_since: None });
    }

    /// The process has ended; its service manager starts it again.
    pub(crate) fn ended(&mut self, slot: usize, engine: Engine) {
        if self.database.lock == Some(engine.epoch) {
            self.database.lock = None;
        }
        for directory in self.directories.iter_mut().filter(|d| d.holder == Some(engine.epoch)) {
            directory.holder = None;
            directory.disk.crash(&mut self.random);
            if self.planted == Planted::LyingDisk {
                directory.disk.lose_last();
            }
        }
        let wait = self.random.between(50 * MS, 3 * SECOND);
        self.after(wait, Happening::Start { slot });
    }

    pub(crate) fn take_over(&mut self, to: To, engine: &mut Engine, free_since: Option<At>) {
        let again = |free_since| Happening::TakeOver { to, free_since };
        if !self.database.is_up {
            return self.after(200 * MS, again(None));
        }
        if self.database.lock.is_some() {
            engine.stands_by = true;
            self.bring_in(to.slot);
            return self.after(500 * MS, again(None));
        }
        // A free lock is not taken at once: after a database restart its previous leader takes it back.
        let came_back = At(self.database.came_at);
        let since = if engine.stands_by { free_since.unwrap_or(self.at()) } else { came_back };
        if self.now - since.0 < LEFT_FREE {
            return self.after(500 * MS, again(Some(since)));
        }
        self.database.lock = Some(to.epoch);
        self.bring_in(to.slot);
        self.database.generation += 1;
        engine.generation = Some(self.database.generation);
        engine.looked = self.at();
        self.tell(|| format!("{to:?} takes over, one host: {}", self.one_host));
        self.load_voices(engine);
        self.load(to, engine);
        self.after(crate::world::MINUTE, Happening::Sweep { to });
        self.after(LOOK_EVERY, Happening::Look { to });
        self.after(15 * SECOND, Happening::Collect { to });
    }

    /// Writes the spools that dead processes left on this host.
    pub(crate) fn bring_in(&mut self, slot: usize) {
        if self.planted == Planted::SpoolForgotten {
            return;
        }
        for directory in &mut self.directories {
            if directory.holder.is_some() || (!self.one_host && directory.slot != slot) {
                continue;
            }
            let mut spool = Spool::open(directory.disk.clone(), SPOOL_MAX).unwrap();
            while let Some(together) = batch::peek(&mut spool, 0).unwrap() {
                assert!(together.passed_over.is_empty(), "{:?}", together.passed_over);
                match self.database.write(&together.batch, together.generation) {
                    Ok(()) => spool.take_out(together.frames).unwrap(),
                    Err(Refusal::Away) => return,
                    Err(Refusal::Superseded) => {
                        let (mut skip, mut own) = (0, BTreeSet::new());
                        while let Some(late) = batch::peek(&mut spool, skip).unwrap() {
                            self.database.write_late(&late.batch, &mut own);
                            skip += late.frames;
                        }
                        spool.take_out(skip).unwrap();
                    }
                }
            }
            assert_eq!(directory.disk.damaged(), 0, "a torn tail is no damage");
        }
    }

    pub(crate) fn load(&mut self, to: To, engine: &mut Engine) {
        engine.registry = CallRegistry::default();
        for (id, logged) in &self.database.logs {
            let call = CallId(id.as_u128());
            let offered = logged.call.instants.offered;
            let liveness = if logged.call.is_released() { CallLiveness::Over } else { CallLiveness::Live };
            engine.registry.insert(call, sighting(logged.pbx), offered, liveness);
        }
        for pbx in &self.database.early_ends {
            engine.registry.ended_early("default", &pbx.to_string(), At(self.now));
        }
        let generation = engine.generation.unwrap();
        for (id, pbx, call) in self.database.live() {
            let durable = call.version;
            engine.calls.insert(id.0, Live::new(call, pbx, durable));
            self.take(to, engine, id, &Event::Resumed { generation, leg: LegSeen::None });
        }
    }

    pub(crate) fn look(&mut self, to: To, engine: &mut Engine) -> bool {
        let mut wait = 500 * MS;
        if self.database.is_up {
            if self.database.lock.is_none() {
                self.database.lock = Some(to.epoch);
            }
            let is_ours =
                self.database.lock == Some(to.epoch) && engine.generation == Some(self.database.generation);
            if !is_ours {
                return false;
            }
            wait = LOOK_EVERY;
            engine.looked = self.at();
        } else if self.is_sure(engine) {
            engine.looked = self.at();
        }
        self.after(wait, Happening::Look { to });
        true
    }

    /// Whether no other process can have become the leader.
    pub(crate) fn is_sure(&self, engine: &Engine) -> bool {
        self.now - engine.looked.0 < LEFT_FREE
    }
}
