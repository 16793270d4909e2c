//! Processes: starting, taking over, checking the leadership, stopping.

use std::time::Duration;

use precall_actors::admission::call_registry::{CallLiveness, CallRegistry};
use precall_actors::durability::lease::{Company, Kept, LastProcess, Turn};
use precall_base::moment::Moment;
use precall_call::{At, CallId, Event, LegSeen, Request};
use precall_store::leader::lease::{LastLeader, LeaseRow, Renewal};
use uuid::Uuid;

use crate::disk::Disk;
use crate::engine::{Engine, Live};
use crate::happening::{Happening, To};
use crate::sayings::sighting;
use crate::world::{Directory, LOOK_EVERY, MS, Planted, SECOND, World};

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
        self.after(10 * MS, Happening::TakeOver { to });
    }

    /// The process has ended; its service manager starts it again.
    pub(crate) fn ended(&mut self, slot: usize, engine: Engine) {
        self.hosts.insert(engine.epoch, slot);
        self.database.seats.remove(&engine.epoch);
        // From a process that is cut off, the end of its session reaches the database later.
        let epoch = engine.epoch;
        let wait = if self.reaches(slot) { 0 } else { self.random.between(0, 5 * SECOND) };
        self.after(wait, Happening::SessionEnds { epoch });
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

    pub(crate) fn take_over(&mut self, to: To, engine: &mut Engine) {
        if !self.reaches(to.slot) {
            engine.patience.forget();
            return self.after(200 * MS, Happening::TakeOver { to });
        }
        self.database.seats.insert(to.epoch, self.now);
        let (sight, now) = (self.database.sight(), self.moment(to.slot));
        let process = match sight.last {
            LastLeader::Leased(row) if self.has_ended(to.slot, row.process) => LastProcess::Ended,
            LastLeader::Leased(_) | LastLeader::WithoutLease | LastLeader::Never => LastProcess::MayRun,
        };
        match engine.patience.turn(&sight, process, now) {
            Turn::Lead => {}
            Turn::End(_) => {
                self.database.lock = None;
                return self.after(MS, Happening::TakeOver { to });
            }
            Turn::Wait(_) => {
                self.bring_in(to.slot);
                return self.after(200 * MS, Happening::TakeOver { to });
            }
        }
        self.database.seats.remove(&to.epoch);
        self.database.lock = Some(to.epoch);
        engine.registry = CallRegistry::default();
        self.claim_with_spools(to, engine);
        engine.generation = Some(self.database.generation);
        let lease = engine.lease.at_claim(self.kept(to, engine));
        engine.lease.claimed(now, lease);
        self.database.lease = Some(LeaseRow {
            generation: self.database.generation,
            beat: 0,
            lease,
            released: false,
            process: Uuid::from_u128(u128::from(to.epoch)),
            is_restored: false,
        });
        self.tell(|| format!("{to:?} takes over, one host: {}", self.one_host));
        self.load_voices(engine);
        self.load(to, engine);
        self.after(crate::world::MINUTE, Happening::Sweep { to });
        self.after(MS, Happening::Look { to });
        self.after(15 * SECOND, Happening::Collect { to });
    }

    pub(crate) fn load(&mut self, to: To, engine: &mut Engine) {
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
            if engine.registry.was_taken_again(id) {
                let ended = Event::OperatorAsked { request: Request::HangUp, by: None };
                self.take(to, engine, id, &ended);
            }
        }
    }

    pub(crate) fn look(&mut self, to: To, engine: &mut Engine) -> bool {
        let generation = engine.generation.unwrap();
        if !self.reaches(to.slot) {
            if self.planted == Planted::LeaseWithoutDatabase && self.is_sure(to, engine) {
                let (renewal, now) = (engine.lease.renewal(Kept::InDatabase), self.moment(to.slot));
                let company = if engine.lease.has_standby() { Company::Standby } else { Company::Alone };
                engine.lease.renewed(renewal, now, company);
            }
            self.after(500 * MS, Happening::Look { to });
            return true;
        }
        if self.database.generation != generation {
            return false;
        }
        self.database.lock.get_or_insert(to.epoch);
        let kept = self.kept(to, engine);
        let (renewal, sent) = (engine.lease.renewal(kept), self.moment(to.slot));
        let wait = self.latency();
        self.after(wait, Happening::Renew { to, generation, renewal, sent });
        self.after(
            if engine.lease.is_due(kept) { wait + SECOND / 10 } else { LOOK_EVERY },
            Happening::Look { to },
        );
        true
    }

    /// How long a statement or an answer takes.
    fn latency(&mut self) -> i64 {
        if self.random.per_mille(50) {
            self.random.between(MS, 3 * SECOND)
        } else {
            self.random.between(200, 3 * MS)
        }
    }

    pub(crate) fn renew(&mut self, to: To, generation: u64, renewal: Renewal, sent: Moment) {
        if !self.reaches(to.slot) {
            return;
        }
        let written = self.database.renew(to.epoch, generation, renewal, self.now);
        if let Some(company) = written.filter(|_| !self.random.per_mille(30)) {
            let wait = self.latency();
            self.after(wait, Happening::Renewed { to, renewal, sent, company });
        }
    }

    /// Whether no other process can have become the leader.
    pub(crate) fn is_sure(&self, to: To, engine: &Engine) -> bool {
        engine.lease.is_certain(self.moment(to.slot))
    }

    /// Where is kept what was done on this host, as `PersistenceState::kept`.
    fn kept(&self, to: To, engine: &Engine) -> Kept {
        let is_mine = |place: &usize| self.directories[*place].holder == Some(to.epoch);
        let waits = engine.write_path.is_spooling() || self.database.adopted.keys().any(is_mine);
        if waits { Kept::InSpool } else { Kept::InDatabase }
    }

    /// Whether an action may begin that must happen at most once, as `PersistenceState::may_act_now`.
    pub(crate) fn may_act(&self, to: To, engine: &Engine) -> bool {
        let is_known = !engine.lease.may_be_followed() || !engine.write_path.is_spooling();
        self.is_sure(to, engine) && (is_known || self.planted == Planted::DialFromSpool)
    }

    /// What the clocks of a host show. Each has its own rate and its own time.
    pub(crate) fn moment(&self, slot: usize) -> Moment {
        let (rate, ahead) = self.clocks[slot];
        let passed = self.now - self.began;
        let shown = passed + passed / 1_000_000 * rate + ahead;
        let uptime = Duration::from_micros(u64::try_from(shown).unwrap());
        Moment { uptime, wall: At(self.began + shown) }
    }

    pub(crate) fn reaches(&self, slot: usize) -> bool {
        self.database.is_up && self.cut_until[slot] <= self.now
    }

    /// Whether a process of this host, or with the same disk, has surely ended.
    fn has_ended(&self, slot: usize, process: Uuid) -> bool {
        let epoch = u64::try_from(process.as_u128()).unwrap();
        self.hosts.get(&epoch).is_some_and(|host| self.one_host || *host == slot)
    }
}
