//! The board of live calls and of calls that ended a moment ago. Call actors write it and the API reads it, without
//! messages between them. Each change has a version, so that a reader asks for what is new.

mod ended;
mod shown;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use precall_call::{At, CallId};
use tokio::sync::watch;

use ended::{EndedCalls, Versioned};

pub use ended::EndedCall;
pub(crate) use shown::{BoardNotes, ShownCall};
pub use shown::{CloneProgress, LiveCall, Parties};

/// Ids of calls that left the board are kept up to this number. A reader that is further behind reads all again.
const GONE_MAX: usize = 2_048;

/// The board. Cheap to clone; all clones share one board.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    shown: Mutex<Shown>,
    /// The version of the last change.
    version: watch::Sender<u64>,
}

#[derive(Debug)]
struct Shown {
    version: u64,
    live: HashMap<CallId, Versioned<LiveCall>>,
    ended: EndedCalls,
    /// Calls that left the board, oldest first.
    gone: VecDeque<Versioned<CallId>>,
    /// The version up to which calls that left are forgotten.
    forgotten: u64,
    /// Calls whose actors have not shown themselves yet: admitted a moment ago, or read back after a restart.
    starting: HashSet<CallId>,
}

/// Calls by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// All live calls.
    pub live: usize,
    /// Nothing has reached the caller yet.
    pub offered: usize,
    /// The greeting is dialled or played.
    pub greeting: usize,
    /// The caller waits.
    pub holding: usize,
    /// A handoff attempt runs.
    pub handing_off: usize,
    /// The caller is with an agent.
    pub conversing: usize,
    /// Live calls with a problem.
    pub with_problem: usize,
    /// Calls without an agent that ended in the last hour, as far as this process has seen them.
    pub failed_last_hour: u64,
}

/// What the board shows, or what is new on it.
#[derive(Clone, Debug, Default)]
pub struct BoardView {
    /// The version that this view is of.
    pub version: u64,
    /// The counts, always of the whole board.
    pub counters: Counters,
    /// Live calls, oldest first.
    pub live: Vec<LiveCall>,
    /// Calls that ended, the earliest end first.
    pub ended: Vec<EndedCall>,
    /// Calls that left the board: they ended some minutes ago, or this process is not in charge of them any more.
    pub gone: Vec<CallId>,
}

impl Board {
    /// Expects a call that its actor will show.
    pub(crate) fn expect(&self, call: CallId) {
        self.lock().starting.insert(call);
    }

    /// Whether the call is expected, but not shown yet.
    #[must_use]
    pub(crate) fn is_starting(&self, call: CallId) -> bool {
        self.lock().starting.contains(&call)
    }

    /// Shows a call as it is now. A call that is over moves to the ended ones, if it was live on the board.
    pub(crate) fn show(&self, shown: ShownCall<'_>) {
        let mut board = self.lock();
        let id = shown.id;
        let was_starting = board.starting.remove(&id);
        if !shown.call.is_released() {
            let before = board.live.get(&id).map(|before| &before.value);
            let now = shown.live(before);
            if before != Some(&now) {
                let version = board.next_version();
                board.live.insert(id, Versioned { version, value: now });
            }
        } else if board.live.remove(&id).is_some() || was_starting && !board.ended.has(id) {
            board.end(EndedCall::of(id, Arc::clone(&shown.notes.parties), shown.call));
        } else {
            let version = board.version.saturating_add(1);
            if board.ended.renew(id, shown.call, version) {
                board.version = version;
            }
        }
        self.announce(board);
    }

    /// Puts a call on the board as it is.
    pub fn put(&self, call: LiveCall) {
        let mut board = self.lock();
        let version = board.next_version();
        board.live.insert(call.id, Versioned { version, value: call });
        self.announce(board);
    }

    /// Moves a call to the ended ones.
    pub fn end(&self, call: EndedCall) {
        let mut board = self.lock();
        board.live.remove(&call.id);
        board.end(Some(call));
        self.announce(board);
    }

    /// Removes a live call whose actor has stopped.
    pub fn remove(&self, call: CallId) {
        let mut board = self.lock();
        board.starting.remove(&call);
        if board.live.remove(&call).is_some() {
            board.leave(vec![call]);
        }
        self.announce(board);
    }

    /// Removes the ended calls whose time is over.
    pub fn expire(&self, now: At) {
        let mut board = self.lock();
        let gone = board.ended.expire(now);
        board.leave(gone);
        self.announce(board);
    }

    /// Every live call, oldest first.
    #[must_use]
    pub fn live(&self) -> Vec<LiveCall> {
        self.lock().live_since(0)
    }

    /// All that is on the board.
    #[must_use]
    pub fn view(&self, now: At) -> BoardView {
        let board = self.lock();
        let ended = board.ended.iter().filter(|ended| now.since(ended.value.ended_at) < ended::KEPT_FOR);
        BoardView {
            version: board.version,
            counters: board.counters(now),
            live: board.live_since(0),
            ended: ended.map(|ended| ended.value.clone()).collect(),
            gone: Vec::new(),
        }
    }

    /// What changed after this version. `None` if that is too long ago: the reader takes [`Self::view`].
    #[must_use]
    pub fn changes(&self, since: u64, now: At) -> Option<BoardView> {
        let board = self.lock();
        if since < board.forgotten {
            return None;
        }
        let is_new = |version: u64| version > since;
        Some(BoardView {
            version: board.version,
            counters: board.counters(now),
            live: board.live_since(since),
            ended: board
                .ended
                .iter()
                .filter(|ended| is_new(ended.version))
                .map(|ended| ended.value.clone())
                .collect(),
            gone: board
                .gone
                .iter()
                .filter(|gone| is_new(gone.version) && !board.has(gone.value))
                .map(|gone| gone.value)
                .collect(),
        })
    }

    /// The version of the last change, as it changes.
    #[must_use]
    pub fn versions(&self) -> watch::Receiver<u64> {
        self.0.version.subscribe()
    }

    /// One live call.
    #[must_use]
    pub fn find(&self, call: CallId) -> Option<LiveCall> {
        self.lock().live.get(&call).map(|live| live.value.clone())
    }

    /// The number of live calls.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().live.len()
    }

    /// Wakes the readers, if the board has changed.
    fn announce(&self, board: MutexGuard<'_, Shown>) {
        let version = board.version;
        drop(board);
        self.0.version.send_if_modified(|known| {
            let is_new = *known < version;
            *known = version.max(*known);
            is_new
        });
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.0.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            version: 0,
            live: HashMap::new(),
            ended: EndedCalls::default(),
            gone: VecDeque::with_capacity(GONE_MAX),
            forgotten: 0,
            starting: HashSet::new(),
        }
    }
}

impl Shown {
    fn has(&self, id: CallId) -> bool {
        self.live.contains_key(&id) || self.ended.has(id)
    }

    fn next_version(&mut self) -> u64 {
        self.version = self.version.saturating_add(1);
        self.version
    }

    fn end(&mut self, call: Option<EndedCall>) {
        let Some(call) = call else { return };
        let expired = self.ended.expire(call.ended_at);
        self.leave(expired);
        let version = self.next_version();
        let gone = self.ended.add(call, version);
        self.leave(gone.into_iter().collect());
    }

    fn leave(&mut self, calls: Vec<CallId>) {
        for value in calls {
            let version = self.next_version();
            if self.gone.len() >= GONE_MAX
                && let Some(oldest) = self.gone.pop_front()
            {
                self.forgotten = oldest.version;
            }
            self.gone.push_back(Versioned { version, value });
        }
    }

    fn live_since(&self, since: u64) -> Vec<LiveCall> {
        let changed = self.live.values().filter(|live| live.version > since);
        let mut changed: Vec<LiveCall> = changed.map(|live| live.value.clone()).collect();
        changed.sort_unstable_by_key(|call| call.id);
        changed
    }

    fn counters(&self, now: At) -> Counters {
        let mut counters = Counters {
            live: self.live.len(),
            failed_last_hour: self.ended.failed_last_hour(now),
            ..Counters::default()
        };
        for live in self.live.values() {
            let count = match live.value.state {
                "offered" => &mut counters.offered,
                "greeting" => &mut counters.greeting,
                "holding" => &mut counters.holding,
                "handing_off" => &mut counters.handing_off,
                _ => &mut counters.conversing,
            };
            *count = count.saturating_add(1);
            let problem = usize::from(live.value.problem.is_some());
            counters.with_problem = counters.with_problem.saturating_add(problem);
        }
        counters
    }
}
