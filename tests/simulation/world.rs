//! Time, randomness, faults, and the laws that hold after every step.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use precall_actors::durability::write_path::WriteStep;
use uuid::Uuid;

use crate::database::{Database, Refusal};
use crate::disk::Disk;
use crate::engine::{Engine, InFlight};
use crate::happening::{Happening, Post, Queued, To};
use crate::provider::Provider;
use crate::random::Random;

pub(crate) const MS: i64 = 1_000;
pub(crate) const SECOND: i64 = 1_000 * MS;
pub(crate) const MINUTE: i64 = 60 * SECOND;
/// The service's values.
pub(crate) const DIRECT_WITHIN: i64 = SECOND;
pub(crate) const DRAIN_WITHIN: i64 = 10 * SECOND;
pub(crate) const LOOK_EVERY: i64 = SECOND;
pub(crate) const CALLERS: u64 = 12;
/// Two processes, on one host or on two.
pub(crate) const SLOTS: usize = 2;

/// A planted bug that the simulation must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    Nothing,
    /// A webhook is acknowledged when its event was applied, not when it is durable.
    AcknowledgedEarly,
    /// A dial does not wait for its intent.
    DialledEarly,
    /// The disk confirms a write that a crash then loses.
    LyingDisk,
    /// The spool of a dead process is ignored.
    SpoolForgotten,
    /// A leader renews its lease by itself while the database does not answer.
    LeaseWithoutDatabase,
    /// A leader with a standby dials although the intent is only in its spool.
    DialFromSpool,
    /// Logs are continued before what their calls have in a spool that was taken over.
    ContinuedTooEarly,
}

/// A spool directory and its holder.
pub(crate) struct Directory {
    pub(crate) disk: Disk,
    pub(crate) slot: usize,
    pub(crate) holder: Option<u64>,
}

/// Counts of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    pub events: u64,
    pub calls: usize,
    pub dials: usize,
    pub acknowledged: usize,
    pub spooled: u64,
    pub generations: u64,
    pub crashes: u64,
    pub deleted: u64,
}

/// The simulated world.
pub struct World {
    pub(crate) now: i64,
    pub(crate) random: Random,
    pub(crate) planted: Planted,
    pub(crate) queue: BinaryHeap<Reverse<Queued>>,
    pub(crate) queued: u64,
    pub(crate) database: Database,
    pub(crate) provider: Provider,
    pub(crate) directories: Vec<Directory>,
    pub(crate) engines: [Option<Engine>; SLOTS],
    /// Until when each process is paused.
    pub(crate) paused: [i64; SLOTS],
    /// Until when each process is cut off from the database.
    pub(crate) cut_until: [i64; SLOTS],
    /// How many microseconds the clock of each process gains in a second, and by how much it is ahead.
    pub(crate) clocks: [(i64, i64); SLOTS],
    /// On which host each ended process ran.
    pub(crate) hosts: BTreeMap<u64, usize>,
    /// Whether both processes share a host, and so find each other's spools.
    pub(crate) one_host: bool,
    pub(crate) epochs: u64,
    pub(crate) posts: Vec<Post>,
    /// The last durable event of each log: in the database, or synced in a spool.
    pub(crate) durable: BTreeMap<Uuid, i64>,
    /// Acknowledged events.
    pub(crate) promised: BTreeSet<(Uuid, i64)>,
    pub(crate) promised_ends: BTreeSet<u64>,
    pub(crate) next_pbx: u64,
    pub(crate) next_id: u128,
    pub(crate) faults_until: i64,
    pub(crate) summary: Summary,
    pub(crate) began: i64,
    pub(crate) is_told: bool,
}

impl World {
    pub fn new(seed: u64, planted: Planted) -> Self {
        let mut random = Random::new(seed);
        let is_partition = matches!(planted, Planted::LeaseWithoutDatabase | Planted::DialFromSpool);
        let one_host = !is_partition && (planted != Planted::Nothing || random.per_mille(500));
        let mut clock = || (random.between(-20_000, 20_000), random.between(0, 3_600) * SECOND);
        let clocks = [clock(), clock()];
        let mut world = Self {
            now: 1_700_000_000 * SECOND,
            random,
            planted,
            queue: BinaryHeap::new(),
            queued: 0,
            database: Database { is_up: true, ..Database::default() },
            provider: Provider::default(),
            directories: Vec::new(),
            engines: [None, None],
            paused: [0; SLOTS],
            cut_until: [0; SLOTS],
            clocks,
            hosts: BTreeMap::new(),
            one_host,
            epochs: 0,
            posts: Vec::new(),
            durable: BTreeMap::new(),
            promised: BTreeSet::new(),
            promised_ends: BTreeSet::new(),
            next_pbx: 0,
            next_id: 0,
            faults_until: 0,
            summary: Summary::default(),
            began: 1_700_000_000 * SECOND,
            is_told: std::env::var_os("SIMULATION_TRACE").is_some(),
        };
        let length = world.random.between(30, 240) * SECOND;
        world.faults_until = world.now + length;
        world.plan(length);
        world
    }

    pub(crate) fn plan(&mut self, length: i64) {
        self.after(0, Happening::Start { slot: 0 });
        if self.random.per_mille(700) {
            let later = self.random.between(0, length / 2);
            self.after(later, Happening::Start { slot: 1 });
        }
        let calls = self.random.between(5, 60);
        for _ in 0..calls {
            let at = self.random.between(0, length);
            self.after(at, Happening::Arrival);
        }
        for _ in 0..self.random.between(0, 5) {
            let (at, slot) = (self.random.between(0, length), usize::from(self.random.per_mille(300)));
            self.after(at, Happening::Crash { slot });
        }
        for _ in 0..self.random.between(0, 3) {
            let (at, down) = (self.random.between(0, length), self.random.between(10 * MS, 40 * SECOND));
            self.after(at, Happening::DatabaseGoes { length: down });
        }
        for _ in 0..self.random.between(0, 2) {
            let (at, full) = (self.random.between(0, length), self.random.between(SECOND, 30 * SECOND));
            let slot = usize::from(self.random.per_mille(300));
            self.after(at, Happening::DiskFull { slot, length: full });
        }
        for _ in 0..self.random.between(0, 4) {
            let (at, cut) = (self.random.between(0, length), self.random.between(100 * MS, 60 * SECOND));
            let slot = usize::from(self.random.per_mille(300));
            self.after(at, Happening::Cut { slot, length: cut });
        }
        if self.random.per_mille(400) {
            let (at, stopped) = (self.random.between(0, length), self.random.between(SECOND, 30 * SECOND));
            self.after(at, Happening::Pause { slot: 0, length: stopped });
        }
    }

    pub(crate) fn after(&mut self, wait: i64, happening: Happening) {
        self.queued += 1;
        self.queue.push(Reverse(Queued(self.now + wait, self.queued, happening)));
    }

    /// Prints what happens, with `SIMULATION_TRACE`, for debugging a seed.
    pub(crate) fn tell(&self, what: impl FnOnce() -> String) {
        if self.is_told {
            println!("{:>9} ms {}", (self.now - self.began) / MS, what());
        }
    }

    pub(crate) fn new_id(&mut self) -> u128 {
        self.next_id += 1;
        (u128::try_from(self.now / 1_000).unwrap() << 80) | self.next_id
    }

    /// A transaction of this process, if the database can be reached.
    pub(crate) fn write(&mut self, slot: usize, work: &InFlight) -> Result<(), Refusal> {
        if !self.reaches(slot) {
            return Err(Refusal::Away);
        }
        let came = self.database.write(&work.batch, work.generation);
        if came.is_ok() {
            self.now_durable(&work.batch);
        }
        came
    }

    /// Runs the simulation until all faults are over and everything has settled, then checks the laws.
    pub fn run(mut self) -> Summary {
        let end = self.faults_until + 30 * MINUTE;
        while let Some(Reverse(Queued(at, _, happening))) = self.queue.pop() {
            if at > end {
                break;
            }
            self.now = self.now.max(at);
            self.happen(happening);
        }
        self.everything_ended();
        self.summary.dials = self.provider.dials();
        self.summary.calls = self.database.logs.len();
        self.summary.acknowledged = self.promised.len();
        self.summary.generations = self.database.generation;
        self.summary.events = self.database.committed;
        self.summary
    }

    /// The process that this is meant for, if it still runs.
    pub(crate) fn engine(&mut self, to: To) -> Option<Engine> {
        self.engines[to.slot].take_if(|engine| engine.epoch == to.epoch)
    }

    pub(crate) fn put_back(&mut self, to: To, engine: Engine) {
        self.engines[to.slot] = Some(engine);
    }

    pub(crate) fn to_of(happening: &Happening) -> Option<To> {
        match happening {
            Happening::Answered { to, .. }
            | Happening::Overdue { to, .. }
            | Happening::Spooled { to, .. }
            | Happening::Again { to, .. }
            | Happening::Drain { to, .. }
            | Happening::Emptied { to }
            | Happening::Timer { to, .. }
            | Happening::Perform { to, .. }
            | Happening::Dialled { to, .. }
            | Happening::LookedUp { to, .. }
            | Happening::Mapped { to, .. }
            | Happening::Cloned { to, .. }
            | Happening::Delete { to, .. }
            | Happening::Sweep { to }
            | Happening::TakeOver { to }
            | Happening::ImportRest { to, .. }
            | Happening::Look { to }
            | Happening::Renewed { to, .. }
            | Happening::Collect { to } => Some(*to),
            Happening::Post(_)
            | Happening::Execute { .. }
            | Happening::Over { .. }
            | Happening::Start { .. }
            | Happening::Crash { .. }
            | Happening::Pause { .. }
            | Happening::DatabaseGoes { .. }
            | Happening::DatabaseComes
            | Happening::Renew { .. }
            | Happening::Cut { .. }
            | Happening::SessionEnds { .. }
            | Happening::DiskFull { .. }
            | Happening::DiskFree
            | Happening::Arrival => None,
        }
    }

    pub(crate) fn happen(&mut self, happening: Happening) {
        if let Some(to) = Self::to_of(&happening) {
            // A paused process gets it when it continues.
            if self.paused[to.slot] > self.now {
                let wait = self.paused[to.slot] - self.now;
                return self.after(wait, happening);
            }
            let Some(mut engine) = self.engine(to) else { return };
            let goes_on = self.happen_to(to, &mut engine, happening);
            return if goes_on { self.put_back(to, engine) } else { self.ended(to.slot, engine) };
        }
        match happening {
            Happening::Post(post) => self.post(post),
            Happening::Execute { to, operation, work, is_answered } => {
                let came = self.write(to.slot, &work);
                if is_answered {
                    let wait = self.random.between(100, 2 * MS);
                    self.after(wait, Happening::Answered { to, operation, came });
                }
            }
            Happening::Over { conversation } => self.conversation_over(conversation),
            Happening::Start { slot } => {
                self.tell(|| format!("start {slot}"));
                self.start(slot);
            }
            Happening::Crash { slot } => {
                if let Some(engine) = self.engines[slot].take() {
                    self.tell(|| format!("crash {slot}"));
                    self.summary.crashes += 1;
                    self.ended(slot, engine);
                }
            }
            Happening::Pause { slot, length } => {
                self.tell(|| format!("pause {slot} for {length}"));
                self.paused[slot] = self.now + length;
            }
            Happening::DatabaseGoes { length } => {
                self.tell(|| format!("the database stops for {length}"));
                self.database.go_away();
                self.after(length, Happening::DatabaseComes);
            }
            Happening::DatabaseComes => self.database.is_up = true,
            Happening::Cut { slot, length } => {
                self.tell(|| format!("cut {slot} off for {length}"));
                self.cut_until[slot] = self.now + length;
                if let (true, Some(engine)) = (self.random.per_mille(700), &self.engines[slot]) {
                    let epoch = engine.epoch;
                    let wait = self.random.between(0, length.min(5 * SECOND));
                    self.after(wait, Happening::SessionEnds { epoch });
                }
            }
            Happening::SessionEnds { epoch } => {
                self.database.lock.take_if(|holder| *holder == epoch);
            }
            Happening::Renew { to, generation, renewal, sent } => self.renew(to, generation, renewal, sent),
            Happening::DiskFull { slot, length } => {
                for directory in self.directories.iter().filter(|directory| directory.slot == slot) {
                    directory.disk.set_full(true);
                }
                self.after(length, Happening::DiskFree);
            }
            Happening::DiskFree => {
                for directory in &self.directories {
                    directory.disk.set_full(false);
                }
            }
            Happening::Arrival => self.arrival(),
            _ => unreachable!("unreachable: meant for a process"),
        }
    }

    /// Returns whether the process continues.
    pub(crate) fn happen_to(&mut self, to: To, engine: &mut Engine, happening: Happening) -> bool {
        match happening {
            Happening::Answered { operation, came, .. } => return self.answered(to, engine, operation, came),
            Happening::Overdue { operation, .. } => {
                return self.answered(to, engine, operation, Err(Refusal::Away));
            }
            Happening::Spooled { operation, came, .. } if operation == engine.operation => match came {
                Ok(()) => {
                    engine.spool.segments().synced();
                    if let Some(WriteStep::Spool(batch)) = engine.write_path.in_hand() {
                        self.summary.spooled += 1;
                        self.now_durable(&batch);
                    }
                    self.done(to, engine);
                }
                Err(waiting) => self.after(500 * MS, Happening::Again { to, operation, waiting }),
            },
            Happening::Again { operation, waiting, .. } if operation == engine.operation => {
                let next = engine.write_path.not_spooled(waiting);
                self.go_on(to, engine, next);
            }
            Happening::Spooled { .. } | Happening::Again { .. } => {}
            Happening::Drain { backoff, .. } => self.drain(to, engine, backoff),
            Happening::Emptied { .. } => self.emptied(to, engine),
            Happening::Timer { call, due, .. } => self.timer(to, engine, call, due),
            Happening::Perform { call, effect, .. } => {
                if engine.calls.contains_key(&call.0) {
                    self.perform(to, engine, call, &effect);
                }
            }
            Happening::Dialled { call, purpose, attempt, fate, .. } => {
                self.dialled(to, engine, call, purpose, attempt, fate);
            }
            Happening::LookedUp { call, purpose, attempt, .. } => {
                self.looked_up(to, engine, call, purpose, attempt);
            }
            Happening::Mapped { key, job, .. } => self.mapped(to, engine, &key, job),
            Happening::Cloned { key, job, .. } => self.cloned(to, engine, &key, job),
            Happening::Delete { voice, held, waiting, .. } => self.delete(to, engine, voice, held, waiting),
            Happening::Sweep { .. } => self.sweep(to, engine),
            Happening::TakeOver { .. } => self.take_over(to, engine),
            Happening::Renewed { renewal, sent, company, .. } => {
                engine.lease.renewed(renewal, sent, company);
            }
            Happening::ImportRest { place, .. } => self.import_rest(to, engine, place),
            Happening::Look { .. } => return self.look(to, engine),
            Happening::Collect { .. } => self.collect(to, engine),
            _ => unreachable!("unreachable: meant for no process"),
        }
        true
    }
}
