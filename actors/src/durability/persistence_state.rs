//! State of persistence for admission and health. Shared, because both read it without a mailbox.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use precall_base::clock;
use precall_call::At;
use precall_store::spool::handle::Waiting;
use precall_store::spool::room::{self, Room};
use precall_store::spool_pace::Pace;
use tokio::sync::watch;

use crate::durability::batcher::QUEUE_MAX;
use crate::durability::leadership::{EngineRole, Leadership, UnderWay};

/// How [`PersistenceState::may_act`] waits: length and number of pauses.
const ACT_CHECK_INTERVAL: Duration = Duration::from_millis(100);
const ACT_CHECKS_MAX: u32 = 80;

/// State of the database, the write queue and the spool.
#[derive(Debug)]
pub struct PersistenceState {
    reached: AtomicBool,
    /// Whether the last write failed or is failing.
    write_failing: AtomicBool,
    /// Whether the last check got no answer.
    check_failing: AtomicBool,
    queued: AtomicUsize,
    position: watch::Sender<i64>,
    quarantined: AtomicI64,
    /// Why this process cannot act on the database, or does not yet.
    obstacle: Mutex<Option<(At, String)>>,
    /// What else the database has that it should not have, or lacks.
    problems: Mutex<Vec<(At, String)>>,
    spool: SpoolState,
    pace: Pace,
    leadership: Leadership,
    troubles: Mutex<Troubles>,
}

/// What failed, for health.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Troubles {
    /// Since when the database fails, and its last words.
    pub(crate) database: Option<(At, String)>,
    /// When entries were last quarantined.
    pub(crate) quarantined: Option<At>,
    /// Since when the spool fails, and its last words.
    pub(crate) spool: Option<(At, String)>,
}

/// State of the spool.
#[derive(Debug)]
pub struct SpoolState {
    /// Most bytes; none without a spool.
    max: Option<u64>,
    is_in_use: AtomicBool,
    is_failing: AtomicBool,
    frames: AtomicUsize,
    bytes: AtomicU64,
    /// The room on its disk, and since when it is too little; none before the first look.
    room: Mutex<Option<(Room, Option<At>)>>,
    /// Directories under `SPOOL_DIR` that are not imported.
    staying: Mutex<Vec<PathBuf>>,
    /// Why they are not, and since when.
    foreign: Mutex<Vec<(At, String)>>,
    /// Acknowledged events that this database lacks, and since when that is known.
    missing: Mutex<Vec<(At, String)>>,
}

/// Health of the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpoolHealth {
    /// No spool is configured.
    None,
    /// Nothing waits.
    Empty,
    /// Events wait for the database.
    Waiting,
    /// No room for new calls; the rest is for live calls.
    Full,
    /// The spool cannot be written.
    Failing,
}

impl SpoolState {
    /// Health of the spool.
    #[must_use]
    pub fn health(&self) -> SpoolHealth {
        match self.max {
            None => SpoolHealth::None,
            Some(_) if self.is_failing.load(Ordering::Relaxed) => SpoolHealth::Failing,
            Some(max) if self.bytes() > max / 8 * 7 => SpoolHealth::Full,
            Some(max) if self.is_in_use() && self.is_disk_full(max) => SpoolHealth::Full,
            Some(_) if self.is_in_use() => SpoolHealth::Waiting,
            Some(_) => SpoolHealth::Empty,
        }
    }

    /// Whether events may wait in it: then logs in the database may be incomplete.
    #[must_use]
    pub(crate) fn is_in_use(&self) -> bool {
        self.is_in_use.load(Ordering::Relaxed)
    }

    /// Waiting bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Waiting batches.
    #[must_use]
    pub fn batches(&self) -> usize {
        self.frames.load(Ordering::Relaxed)
    }

    /// Most bytes; none without a spool.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        self.max
    }

    fn is_disk_full(&self, max: u64) -> bool {
        self.held_room().is_some_and(|(room, _)| room::is_full(room, self.bytes(), max))
    }

    /// Free bytes on its disk, if known.
    #[must_use]
    pub fn free(&self) -> Option<u64> {
        self.held_room().map(|(room, _)| room.bytes)
    }

    pub(crate) fn set_room(&self, room: Option<Room>) {
        let mut held = self.held_room();
        *held = room.map(|room| {
            let is_short = self.max.is_some_and(|max| room::shortage(room, self.bytes(), max).is_some());
            let since = held.and_then(|(_, since)| since).or_else(|| Some(clock::now()));
            (room, since.filter(|_| is_short))
        });
    }

    /// What will go wrong when the spool is needed, and what waits there for another database.
    #[must_use]
    pub(crate) fn problems(&self) -> Vec<(At, String)> {
        let short = || {
            let (room, since) = (*self.held_room())?;
            Some((since?, room::shortage(room, self.bytes(), self.max?)?))
        };
        let missing = self.held_missing().clone();
        missing.into_iter().chain(short()).chain(self.held_foreign().clone()).collect()
    }

    /// Returns whether they changed.
    pub(crate) fn set_missing(&self, found: &[String]) -> bool {
        replace_dated(&mut self.held_missing(), found)
    }

    /// Whether other directories than before stay under `SPOOL_DIR` as they are.
    pub(crate) fn stay_anew<'a>(&self, directories: impl Iterator<Item = &'a Path>) -> bool {
        let found: Vec<PathBuf> = directories.map(Path::to_owned).collect();
        let mut held = self.staying.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = *held != found;
        *held = found;
        is_news
    }

    /// Why they stay.
    pub(crate) fn set_foreign(&self, found: &[String]) {
        replace_dated(&mut self.held_foreign(), found);
    }

    fn held_room(&self) -> MutexGuard<'_, Option<(Room, Option<At>)>> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held_missing(&self) -> MutexGuard<'_, Vec<(At, String)>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held_foreign(&self) -> MutexGuard<'_, Vec<(At, String)>> {
        self.foreign.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_waiting(&self, waiting: Waiting) {
        self.frames.store(waiting.frames, Ordering::Relaxed);
        self.bytes.store(waiting.bytes, Ordering::Relaxed);
    }

    pub(crate) fn set_in_use(&self, is_in_use: bool) {
        self.is_in_use.store(is_in_use, Ordering::Relaxed);
    }

    /// Returns whether the state changed.
    pub(crate) fn set_failing(&self, is_failing: bool) -> bool {
        self.is_failing.swap(is_failing, Ordering::Relaxed) != is_failing
    }

    fn has_room(&self) -> bool {
        let is_full = self.max.is_none_or(|max| self.bytes() >= max);
        !is_full && self.health() != SpoolHealth::Failing
    }
}

impl PersistenceState {
    /// `spool_max`: most bytes in the spool; none without one. `outage_max`: how long this process may act while the
    /// database is away and no standby is there. Without a spool it takes no calls then, so nobody has to wait for it.
    #[must_use]
    pub fn new(spool_max: Option<u64>, outage_max: Duration) -> Self {
        let alone = spool_max.map_or(Duration::ZERO, |_| outage_max);
        Self {
            reached: AtomicBool::new(false),
            write_failing: AtomicBool::new(false),
            check_failing: AtomicBool::new(false),
            queued: AtomicUsize::new(0),
            position: watch::Sender::new(0),
            quarantined: AtomicI64::new(0),
            obstacle: Mutex::new(None),
            problems: Mutex::default(),
            spool: SpoolState {
                max: spool_max,
                is_in_use: AtomicBool::new(false),
                is_failing: AtomicBool::new(false),
                frames: AtomicUsize::new(0),
                bytes: AtomicU64::new(0),
                room: Mutex::default(),
                staying: Mutex::default(),
                foreign: Mutex::default(),
                missing: Mutex::default(),
            },
            pace: Pace::default(),
            leadership: Leadership::new(alone),
            troubles: Mutex::default(),
        }
    }

    /// The state of a process that leads, alone and for long.
    #[cfg(test)]
    pub(crate) fn leading(spool_max: Option<u64>) -> Self {
        use crate::durability::lease::Company;
        let mut state = Self::new(spool_max, Duration::ZERO);
        state.leadership = Leadership::new(Duration::from_secs(3600));
        state.leadership.set(EngineRole::Acting(1));
        state.leadership.claimed(clock::moment());
        for _ in 0..2 {
            let renewal = state.leadership.renewal();
            state.leadership.renewed(renewal, clock::moment(), Company::Alone);
        }
        state
    }

    /// What fails now; the words of a database that answers again are gone.
    #[must_use]
    pub(crate) fn troubles(&self) -> Troubles {
        let mut troubles = self.lock_troubles().clone();
        if self.reached() && !self.failing() {
            troubles.database = None;
        }
        if self.spool.health() != SpoolHealth::Failing {
            troubles.spool = None;
        }
        troubles
    }

    /// Keeps the words of a failed contact with PostgreSQL.
    pub(crate) fn set_database_error(&self, words: &str) {
        self.lock_troubles().database = Some((clock::now(), words.to_owned()));
    }

    /// The spool cannot be written, in these words. Returns whether it could until now.
    pub(crate) fn spool_failed(&self, words: &str) -> bool {
        let is_news = self.spool.set_failing(true);
        let mut troubles = self.lock_troubles();
        let since = troubles.spool.as_ref().filter(|_| !is_news).map_or_else(clock::now, |(since, _)| *since);
        troubles.spool = Some((since, words.to_owned()));
        is_news
    }

    /// The same failure in newer words.
    pub(crate) fn reword_database_error(&self, words: &str) {
        if let Some((_, known)) = &mut self.lock_troubles().database {
            words.clone_into(known);
        }
    }

    fn lock_troubles(&self) -> MutexGuard<'_, Troubles> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a new call and all its events can be stored, in the database or the spool. The last eighth of queue
    /// and
    /// spool is reserved for live calls and reports.
    #[must_use]
    pub(crate) fn can_keep_call(&self) -> bool {
        self.can_keep() && self.queued() < QUEUE_MAX / 8 * 7 && self.spool.health() != SpoolHealth::Full
    }

    /// Whether an event accepted now can be durable soon.
    #[must_use]
    pub fn can_keep(&self) -> bool {
        // While events wait in the spool, later events must queue behind them.
        let is_direct = !self.failing() && !self.spool.is_in_use();
        // A leader whose lease is over may have been superseded.
        self.leadership.acts()
            && !self.leadership.is_leaving()
            && self.held_obstacle().is_none()
            && self.reached()
            && self.has_queue_room()
            && (is_direct || self.spool.has_room())
    }

    /// Whether an action may begin now that must happen at most once. Its intent is durable: where a standby could take
    /// over, it must be in the database. What is only in the spool of this process is not known to the standby.
    #[must_use]
    pub(crate) fn may_act_now(&self) -> bool {
        !self.leadership.is_leaving() && self.may_go_on()
    }

    /// Whether such an action, which has begun, may leave this process now.
    #[must_use]
    pub(crate) fn may_go_on(&self) -> bool {
        self.leadership.acts() && !(self.leadership.may_be_followed() && self.spool.is_in_use())
    }

    /// Waits until an action may begin that must happen at most once; `None` if that takes too long, or will never be.
    /// A process that was suspended in the middle of its work first renews its lease: another one may have taken over.
    pub(crate) async fn may_act(&self) -> Option<UnderWay> {
        for _ in 0..ACT_CHECKS_MAX {
            if self.may_act_now() {
                return Some(self.leadership.begin());
            }
            match self.leadership.now() {
                EngineRole::Superseded | EngineRole::Left => return None,
                EngineRole::Unknown | EngineRole::Standby | EngineRole::Acting(_) => {
                    tokio::time::sleep(ACT_CHECK_INTERVAL).await;
                }
            }
        }
        None
    }

    /// The role of this process.
    #[must_use]
    pub fn leadership(&self) -> &Leadership {
        &self.leadership
    }

    /// The spool.
    #[must_use]
    pub fn spool(&self) -> &SpoolState {
        &self.spool
    }

    /// How long live writes take: the import of a left-behind spool gives way to them.
    #[must_use]
    pub(crate) fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Whether PostgreSQL answered since the start.
    #[must_use]
    pub fn reached(&self) -> bool {
        self.reached.load(Ordering::Relaxed)
    }

    /// Whether the last contact with PostgreSQL failed.
    #[must_use]
    pub fn failing(&self) -> bool {
        self.write_failing.load(Ordering::Relaxed) || self.check_failing.load(Ordering::Relaxed)
    }

    /// Whether the queue in memory takes more entries.
    #[must_use]
    pub(crate) fn has_queue_room(&self) -> bool {
        self.queued() < QUEUE_MAX
    }

    /// Waiting entries.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Why this process cannot act on the database, or does not yet, and what to change.
    #[must_use]
    pub fn obstacle(&self) -> Option<String> {
        self.dated_obstacle().map(|(_, words)| words)
    }

    /// The same, and since when.
    #[must_use]
    pub(crate) fn dated_obstacle(&self) -> Option<(At, String)> {
        self.held_obstacle().clone()
    }

    /// Returns whether it changed.
    pub(crate) fn set_obstacle(&self, words: Option<&str>) -> bool {
        let mut held = self.held_obstacle();
        let is_news = held.as_ref().map(|(_, words)| words.as_str()) != words;
        if is_news {
            *held = words.map(|words| (clock::now(), words.to_owned()));
        }
        is_news
    }

    /// What is not as needed at the database, with what to change, and since when.
    #[must_use]
    pub(crate) fn problems(&self) -> Vec<(At, String)> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns whether they changed.
    pub(crate) fn set_problems(&self, problems: &[String]) -> bool {
        replace_dated(&mut self.problems.lock().unwrap_or_else(PoisonError::into_inner), problems)
    }

    fn held_obstacle(&self) -> MutexGuard<'_, Option<(At, String)>> {
        self.obstacle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records what is in quarantine from before this start.
    pub(crate) fn set_quarantined(&self, entries: i64) {
        self.quarantined.store(entries, Ordering::Relaxed);
    }

    /// Rows of `quarantined_events`: what PostgreSQL refused, and what met another event under its key.
    #[must_use]
    pub fn quarantined(&self) -> i64 {
        self.quarantined.load(Ordering::Relaxed)
    }

    /// The last event position in the database, as it changes.
    #[must_use]
    pub fn positions(&self) -> watch::Receiver<i64> {
        self.position.subscribe()
    }

    /// Records the first contact, after migrations; `position` is the last event position.
    pub(crate) fn set_reached(&self, position: i64) {
        self.set_position(Some(position));
        self.check_failing.store(false, Ordering::Relaxed);
        self.reached.store(true, Ordering::Relaxed);
    }

    /// Records an answered check outside of writes. Returns whether the state changed.
    pub fn answered(&self) -> bool {
        self.check_failing.swap(false, Ordering::Relaxed)
    }

    /// Records an unanswered check outside of writes. Returns whether the state changed.
    pub(crate) fn not_answered(&self) -> bool {
        !self.check_failing.swap(true, Ordering::Relaxed)
    }

    /// Returns whether the state changed.
    pub(crate) fn set_write_failing(&self, is_failing: bool) -> bool {
        self.write_failing.swap(is_failing, Ordering::Relaxed) != is_failing
    }

    pub(crate) fn set_queued(&self, queued: usize) {
        self.queued.store(queued, Ordering::Relaxed);
    }

    pub(crate) fn count_quarantined(&self, entries: usize) {
        self.quarantined.fetch_add(i64::try_from(entries).unwrap_or(i64::MAX), Ordering::Relaxed);
        self.lock_troubles().quarantined = Some(clock::now());
    }

    pub(crate) fn set_position(&self, position: Option<i64>) {
        if let Some(position) = position {
            self.position.send_if_modified(|last| {
                let moved = position > *last;
                *last = position.max(*last);
                moved
            });
        }
    }
}

/// Problems that stay keep their time. Returns whether they changed.
fn replace_dated(held: &mut Vec<(At, String)>, problems: &[String]) -> bool {
    let is_news = held.len() != problems.len() || held.iter().zip(problems).any(|((_, old), new)| old != new);
    if is_news {
        let now = clock::now();
        let since =
            |words: &String| held.iter().find(|(_, old)| old == words).map_or(now, |(since, _)| *since);
        *held = problems.iter().map(|words| (since(words), words.clone())).collect();
    }
    is_news
}

#[cfg(test)]
mod tests;
