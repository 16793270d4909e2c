//! How persistence is, for admission and health. Shared, because both must answer without a mailbox.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

use precall_base::clock;
use precall_store::spool::handle::Waiting;
use tokio::sync::watch;

use crate::durability::batcher::QUEUE_MAX;
use crate::durability::leadership::{EngineRole, Leadership};

/// See the file.
#[derive(Debug)]
pub struct PersistenceState {
    reached: AtomicBool,
    /// The last write failed, or is failing.
    write_failing: AtomicBool,
    /// The last look found nobody.
    check_failing: AtomicBool,
    queued: AtomicUsize,
    position: watch::Sender<i64>,
    quarantined: AtomicI64,
    spool: SpoolState,
    leadership: Leadership,
}

/// How the spool is.
#[derive(Debug)]
pub struct SpoolState {
    /// Bytes that may wait; none without a spool.
    max: Option<u64>,
    is_in_use: AtomicBool,
    is_failing: AtomicBool,
    frames: AtomicUsize,
    bytes: AtomicU64,
}

/// What the spool is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpoolHealth {
    /// There is none.
    None,
    /// Nothing waits in it.
    Empty,
    /// Something waits for the database.
    Waiting,
    /// New calls have no room in it any more; those that are live have.
    Full,
    /// It cannot be written.
    Failing,
}

impl SpoolState {
    /// What it is good for.
    #[must_use]
    pub fn health(&self) -> SpoolHealth {
        match self.max {
            None => SpoolHealth::None,
            Some(_) if self.is_failing.load(Ordering::Relaxed) => SpoolHealth::Failing,
            Some(max) if self.bytes() > max / 8 * 7 => SpoolHealth::Full,
            Some(_) if self.is_in_use() => SpoolHealth::Waiting,
            Some(_) => SpoolHealth::Empty,
        }
    }

    /// Whether something may wait in it: then logs in the database may lack their ends.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        self.is_in_use.load(Ordering::Relaxed)
    }

    /// Bytes that wait.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Batches that wait.
    #[must_use]
    pub fn batches(&self) -> usize {
        self.frames.load(Ordering::Relaxed)
    }

    /// Bytes that may wait; none without a spool.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        self.max
    }

    pub(crate) fn set_waiting(&self, waiting: Waiting) {
        self.frames.store(waiting.frames, Ordering::Relaxed);
        self.bytes.store(waiting.bytes, Ordering::Relaxed);
    }

    pub(crate) fn set_in_use(&self, is_in_use: bool) {
        self.is_in_use.store(is_in_use, Ordering::Relaxed);
    }

    /// Returns whether that is news.
    pub(crate) fn set_failing(&self, is_failing: bool) -> bool {
        self.is_failing.swap(is_failing, Ordering::Relaxed) != is_failing
    }

    fn has_room(&self) -> bool {
        let is_full = self.max.is_none_or(|max| self.bytes() >= max);
        !is_full && self.health() != SpoolHealth::Failing
    }
}

impl PersistenceState {
    /// `spool_max`: bytes that may wait in the spool, none without one.
    #[must_use]
    pub fn new(spool_max: Option<u64>) -> Self {
        Self {
            reached: AtomicBool::new(false),
            write_failing: AtomicBool::new(false),
            check_failing: AtomicBool::new(false),
            queued: AtomicUsize::new(0),
            position: watch::Sender::new(0),
            quarantined: AtomicI64::new(0),
            spool: SpoolState {
                max: spool_max,
                is_in_use: AtomicBool::new(false),
                is_failing: AtomicBool::new(false),
                frames: AtomicUsize::new(0),
                bytes: AtomicU64::new(0),
            },
            leadership: Leadership::default(),
        }
    }

    /// Whether a new call can be expected to be kept, with everything that will happen to it: in the database, or in the spool. The last
    /// eighth of both queue and spool is for what happens to calls that are live, and for reports.
    #[must_use]
    pub fn can_keep_call(&self) -> bool {
        self.can_keep() && self.queued() < QUEUE_MAX / 8 * 7 && self.spool.health() != SpoolHealth::Full
    }

    /// Whether what is taken now can be expected to be durable soon.
    #[must_use]
    pub fn can_keep(&self) -> bool {
        // Who was not running for a while, and cannot ask, may have been superseded.
        let acts = matches!(self.leadership.now(), EngineRole::Acting(_))
            && (!self.failing() || self.leadership.is_sure(clock::now()));
        // What is spooled already must go through the spool.
        let is_direct = !self.failing() && !self.spool.is_in_use();
        acts && self.reached() && self.queued() < QUEUE_MAX && (is_direct || self.spool.has_room())
    }

    /// What this process is on its database.
    #[must_use]
    pub fn leadership(&self) -> &Leadership {
        &self.leadership
    }

    /// The spool.
    #[must_use]
    pub fn spool(&self) -> &SpoolState {
        &self.spool
    }

    /// Whether PostgreSQL was reached since the start.
    #[must_use]
    pub fn reached(&self) -> bool {
        self.reached.load(Ordering::Relaxed)
    }

    /// Whether the last contact with PostgreSQL failed.
    #[must_use]
    pub fn failing(&self) -> bool {
        self.write_failing.load(Ordering::Relaxed) || self.check_failing.load(Ordering::Relaxed)
    }

    /// Entries that wait.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    /// Entries that PostgreSQL refused, and that are in `quarantined_events`.
    #[must_use]
    pub fn quarantined(&self) -> i64 {
        self.quarantined.load(Ordering::Relaxed)
    }

    /// The last position in the database, as it moves.
    #[must_use]
    pub fn positions(&self) -> watch::Receiver<i64> {
        self.position.subscribe()
    }

    /// The first contact, once migrations are done; `position` is where the logs stand.
    pub fn set_reached(&self, position: i64) {
        self.set_position(Some(position));
        self.check_failing.store(false, Ordering::Relaxed);
        self.reached.store(true, Ordering::Relaxed);
    }

    /// A look outside any write was answered. Returns whether that is news.
    pub fn answered(&self) -> bool {
        self.check_failing.swap(false, Ordering::Relaxed)
    }

    /// A look outside any write was not answered. Returns whether that is news.
    pub fn not_answered(&self) -> bool {
        !self.check_failing.swap(true, Ordering::Relaxed)
    }

    /// Returns whether that is news.
    pub(crate) fn set_write_failing(&self, is_failing: bool) -> bool {
        self.write_failing.swap(is_failing, Ordering::Relaxed) != is_failing
    }

    pub(crate) fn set_queued(&self, queued: usize) {
        self.queued.store(queued, Ordering::Relaxed);
    }

    pub(crate) fn count_quarantined(&self, entries: usize) {
        self.quarantined.fetch_add(i64::try_from(entries).unwrap_or(i64::MAX), Ordering::Relaxed);
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

#[cfg(test)]
mod tests;
