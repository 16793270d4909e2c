//! State of the spool for admission and health.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use precall_base::clock;
use precall_call::{At, CallId};
use precall_store::spool::handle::Waiting;
use precall_store::spool::room::{self, Room};

use crate::durability::dated_words::DatedWords;

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
    /// Why they are not.
    foreign: DatedWords,
    /// Acknowledged events that this database lacks.
    missing: DatedWords,
    /// Calls whose logs wait in the spools of earlier starts.
    awaiting_import: Mutex<HashSet<CallId>>,
    is_importing: AtomicBool,
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
    /// `max`: most bytes; none without a spool.
    pub(super) fn new(max: Option<u64>) -> Self {
        Self {
            max,
            is_in_use: AtomicBool::new(false),
            is_failing: AtomicBool::new(false),
            frames: AtomicUsize::new(0),
            bytes: AtomicU64::new(0),
            room: Mutex::default(),
            staying: Mutex::default(),
            foreign: DatedWords::default(),
            missing: DatedWords::default(),
            awaiting_import: Mutex::default(),
            is_importing: AtomicBool::new(false),
        }
    }

    /// Health of the spool.
    #[must_use]
    pub fn health(&self) -> SpoolHealth {
        match self.max {
            None => SpoolHealth::None,
            Some(_) if self.is_failing.load(Ordering::Relaxed) => SpoolHealth::Failing,
            Some(max) if self.bytes() > max / 8 * 7 => SpoolHealth::Full,
            Some(max) if self.is_in_use() && self.is_disk_full(max) => SpoolHealth::Full,
            Some(_) if self.is_in_use() || self.is_importing() => SpoolHealth::Waiting,
            Some(_) => SpoolHealth::Empty,
        }
    }

    /// Whether events may wait in it: then logs in the database may be incomplete.
    #[must_use]
    pub(crate) fn is_in_use(&self) -> bool {
        self.is_in_use.load(Ordering::Relaxed)
    }

    /// Whether spools of earlier starts are being imported.
    #[must_use]
    pub(crate) fn is_importing(&self) -> bool {
        self.is_importing.load(Ordering::Relaxed)
    }

    /// Whether the log of this call waits in the spool of an earlier start: the database may have a part of it.
    #[must_use]
    pub(crate) fn awaits_import(&self, call: CallId) -> bool {
        self.is_importing() && self.held_awaiting().contains(&call)
    }

    /// Spools of earlier starts are imported, and the logs of these calls wait in them, until [`Self::import_ended`].
    pub(crate) fn import_begins(&self, calls: HashSet<CallId>) {
        *self.held_awaiting() = calls;
        self.is_importing.store(true, Ordering::Relaxed);
    }

    /// Nothing waits in the spools of earlier starts.
    pub(crate) fn import_ended(&self) {
        self.is_importing.store(false, Ordering::Relaxed);
        self.held_awaiting().clear();
    }

    fn held_awaiting(&self) -> MutexGuard<'_, HashSet<CallId>> {
        self.awaiting_import.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.missing.now().into_iter().chain(short()).chain(self.foreign.now()).collect()
    }

    /// Returns whether they changed.
    pub(crate) fn set_missing(&self, found: &[String]) -> bool {
        self.missing.replace(found)
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
        self.foreign.replace(found);
    }

    fn held_room(&self) -> MutexGuard<'_, Option<(Room, Option<At>)>> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
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

    pub(super) fn has_room(&self) -> bool {
        let is_full = self.max.is_none_or(|max| self.bytes() >= max);
        !is_full && self.health() != SpoolHealth::Failing
    }
}
