//! State of persistence for admission and health. Shared, because both read it without a mailbox.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use precall_base::clock;
use precall_call::At;
use precall_store::events::positions::Positions;
use precall_store::leader::lease::Renewal;
use precall_store::spool_pace::Pace;

use crate::durability::batcher::QUEUE_MAX;
use crate::durability::commits::{CommitView, Commits};
use crate::durability::dated_words::DatedWords;
use crate::durability::leadership::{EngineRole, Leadership, UnderWay};
use crate::durability::lease::Kept;
use crate::durability::spool_state::{SpoolHealth, SpoolState};

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
    positions: Positions,
    quarantined: AtomicI64,
    /// Why this process cannot act on the database, or does not yet.
    obstacle: Mutex<Option<(At, String)>>,
    /// What else the database has that it should not have, or lacks.
    problems: DatedWords,
    spool: SpoolState,
    pace: Pace,
    leadership: Leadership,
    troubles: Mutex<Troubles>,
    commits: Mutex<Commits>,
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
            positions: Positions::default(),
            quarantined: AtomicI64::new(0),
            obstacle: Mutex::new(None),
            problems: DatedWords::default(),
            spool: SpoolState::new(spool_max),
            pace: Pace::default(),
            leadership: Leadership::new(alone),
            troubles: Mutex::default(),
            commits: Mutex::default(),
        }
    }

    /// The state of a process that leads, alone and for long.
    #[cfg(test)]
    pub(crate) fn leading(spool_max: Option<u64>) -> Self {
        use crate::durability::lease::{Company, SHORT};
        let mut state = Self::new(spool_max, Duration::ZERO);
        state.leadership = Leadership::new(Duration::from_secs(3600));
        state.leadership.set(EngineRole::Acting(1));
        state.leadership.claimed(clock::moment(), SHORT);
        for _ in 0..2 {
            let renewal = state.renewal();
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

    /// Whether a new call and all its events can be stored, in the database or the spool. The last eighth of queue and
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

    fn kept(&self) -> Kept {
        if self.spool.is_in_use() || self.spool.is_importing() { Kept::InSpool } else { Kept::InDatabase }
    }

    /// The next renewal of the lease.
    pub(crate) fn renewal(&self) -> Renewal {
        self.leadership.renewal(|| self.kept())
    }

    /// Whether the lease should be renewed at once.
    pub(crate) fn renewal_is_due(&self) -> bool {
        self.leadership.renewal_is_due(self.kept())
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
        self.problems.now()
    }

    /// Returns whether they changed.
    pub(crate) fn set_problems(&self, problems: &[String]) -> bool {
        self.problems.replace(problems)
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

    /// How far events may be read, and how far they are written.
    #[must_use]
    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    /// Records the first contact, after migrations; `position` is the last event position.
    pub(crate) fn set_reached(&self, position: i64) {
        self.positions.advance(position);
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

    /// A batch of this many entries was committed to the database.
    pub(crate) fn committed(&self, took: Duration, entries: usize) {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner).done(took, entries, clock::now());
    }

    /// The last commits.
    #[must_use]
    pub fn commits(&self) -> CommitView {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner).view()
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
}

#[cfg(test)]
mod tests;
