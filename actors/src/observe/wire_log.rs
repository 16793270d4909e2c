//! What went over the wire for each call, for fault reports. Bounded: of one call its first and its last messages, of
//! calls that are not live the newest. A live call is never dropped.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use precall_base::clock;
use precall_call::{At, CallId};
use precall_providers::wire_record::{Tap, WireLine};

/// Messages of one call.
const LINES_MAX: usize = 256;
/// Of these the first ones stay: a fault often begins at the beginning.
const FIRST: usize = 64;
/// Memory of one call, in bytes.
const CALL_BYTES_MAX: usize = 64 * 1024;
/// Memory of all calls that are not live, in bytes.
const ENDED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A message, and when it was sent or received; of a request, when it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptLine {
    /// When.
    pub at: At,
    /// The message.
    pub line: WireLine,
}

/// The messages of a call.
#[derive(Clone, Debug, Default)]
pub struct CallWire {
    /// In the order in which they ended.
    pub lines: VecDeque<KeptLine>,
    /// How many were dropped between the first and the last ones.
    pub dropped: u64,
    bytes: usize,
    is_live: bool,
}

impl CallWire {
    fn take(&mut self, line: WireLine) {
        self.bytes = self.bytes.saturating_add(line.bytes());
        let took = i64::try_from(line.took.unwrap_or_default().as_micros()).unwrap_or(i64::MAX);
        let at = At(clock::now().0.saturating_sub(took));
        if !self.is_live {
            // An ended call has no spare room. Few lines are late, so room for one more is enough.
            self.lines.reserve_exact(1);
        }
        self.lines.push_back(KeptLine { at, line });
        while self.lines.len() > LINES_MAX || (self.bytes > CALL_BYTES_MAX && self.lines.len() > 1) {
            let place = FIRST.min(self.lines.len().saturating_sub(1) / 2);
            let Some(gone) = self.lines.remove(place) else { return };
            self.bytes = self.bytes.saturating_sub(gone.line.bytes());
            self.dropped = self.dropped.saturating_add(1);
        }
    }
}

#[derive(Debug, Default)]
struct All {
    calls: HashMap<CallId, CallWire>,
    /// Calls that are not live, the oldest first.
    ended: VecDeque<CallId>,
    ended_bytes: usize,
}

/// The messages of all calls. All threads share it.
#[derive(Debug, Default)]
pub struct WireLog(Mutex<All>);

impl WireLog {
    fn all(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The call is live: its messages stay until it has ended.
    pub(crate) fn began(&self, call: CallId) {
        let mut all = self.all();
        let wire = all.calls.entry(call).or_default();
        let was_live = std::mem::replace(&mut wire.is_live, true);
        if was_live || wire.lines.is_empty() {
            return;
        }
        let bytes = wire.bytes;
        all.ended_bytes = all.ended_bytes.saturating_sub(bytes);
        all.ended.retain(|ended| *ended != call);
    }

    /// Takes a message of a call. A call that is not live may have been dropped before: its late messages are bounded
    /// like those of an ended call.
    pub fn take(&self, call: CallId, line: WireLine) {
        let mut all = self.all();
        let is_unknown = !all.calls.contains_key(&call);
        let wire = all.calls.entry(call).or_default();
        let (before, is_live) = (wire.bytes, wire.is_live);
        wire.take(line);
        let after = wire.bytes;
        if is_unknown {
            all.ended.push_back(call);
        }
        if !is_live {
            all.ended_bytes = all.ended_bytes.saturating_add(after).saturating_sub(before);
            all.forget();
        }
    }

    /// The call is over: its messages stay as long as there is room.
    pub(crate) fn ended(&self, call: CallId) {
        let mut all = self.all();
        let Some(wire) = all.calls.get_mut(&call).filter(|wire| wire.is_live) else { return };
        if wire.lines.is_empty() {
            all.calls.remove(&call);
            return;
        }
        wire.is_live = false;
        wire.lines.shrink_to_fit();
        let bytes = wire.bytes;
        all.ended.push_back(call);
        all.ended_bytes = all.ended_bytes.saturating_add(bytes);
        all.forget();
    }

    /// The messages of a call; none if it had none, or if they were dropped.
    #[must_use]
    pub fn of(&self, call: CallId) -> Option<CallWire> {
        self.all().calls.get(&call).filter(|wire| !wire.lines.is_empty()).cloned()
    }

    /// The tap of a call.
    #[must_use]
    pub fn tap(self: &Arc<Self>, call: CallId) -> Arc<dyn Tap> {
        Arc::new(CallTap { log: Arc::clone(self), call })
    }
}

impl All {
    fn forget(&mut self) {
        while self.ended_bytes > ENDED_BYTES_MAX {
            let Some(oldest) = self.ended.pop_front() else { return };
            if let Some(wire) = self.calls.remove(&oldest) {
                self.ended_bytes = self.ended_bytes.saturating_sub(wire.bytes);
            }
        }
    }
}

struct CallTap {
    log: Arc<WireLog>,
    call: CallId,
}

impl Tap for CallTap {
    fn take(&self, line: WireLine) {
        self.log.take(self.call, line);
    }
}

#[cfg(test)]
mod tests {
    //! Tests of the wire log.
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "a test may stop at what it did not expect"
    )]

    use precall_providers::wire_record::Way;

    use super::*;

    fn line(n: usize, bytes: usize) -> WireLine {
        let line = WireLine::new("3cx", Way::Sent, &format!("line {n}"));
        WireLine { sent: Some("x".repeat(bytes)), ..line }
    }

    #[test]
    fn of_a_long_call_the_first_and_the_last_messages_stay() {
        let log = WireLog::default();
        for n in 0..1_000 {
            log.take(CallId(1), line(n, 10));
        }
        let wire = log.of(CallId(1)).unwrap();
        assert_eq!((wire.lines.len(), wire.dropped), (LINES_MAX, 1_000 - 256));
        let what = |place: usize| wire.lines[place].line.what.clone();
        assert_eq!((what(0), what(63), what(255)), ("line 0".into(), "line 63".into(), "line 999".into()));
    }

    #[test]
    fn memory_is_bounded_and_a_live_call_is_never_dropped() {
        let log = WireLog::default();
        for call in 1..=200 {
            log.began(CallId(call));
            for n in 0..100 {
                log.take(CallId(call), line(n, 1_000));
            }
            assert!(log.of(CallId(call)).unwrap().bytes <= CALL_BYTES_MAX);
            if call > 1 {
                log.ended(CallId(call));
                log.ended(CallId(call));
            }
        }
        assert!(log.of(CallId(1)).is_some(), "it is live");
        assert!(log.of(CallId(2)).is_none() && log.of(CallId(200)).is_some());
        // A late message of an ended call counts as well.
        log.take(CallId(200), line(101, 1_000));
        let all = log.all();
        let kept: usize = all.ended.iter().map(|call| all.calls[call].bytes).sum();
        assert_eq!(kept, all.ended_bytes);
        assert!(kept <= ENDED_BYTES_MAX && all.calls.len() == all.ended.len() + 1);
    }

    #[test]
    fn late_messages_of_dropped_calls_are_bounded() {
        let log = WireLog::default();
        for call in 1..=10_000 {
            log.take(CallId(call), line(1, 1_000));
        }
        let all = log.all();
        assert!(all.ended_bytes <= ENDED_BYTES_MAX && all.calls.len() == all.ended.len());
        assert!(all.calls.contains_key(&CallId(10_000)) && !all.calls.contains_key(&CallId(1)));
    }

    #[test]
    fn a_call_that_is_live_again_is_not_dropped() {
        let log = WireLog::default();
        log.take(CallId(1), line(1, 10));
        log.began(CallId(1));
        log.began(CallId(1));
        log.began(CallId(2));
        for call in 3..=10_000 {
            log.take(CallId(call), line(1, 1_000));
        }
        assert!(log.of(CallId(1)).is_some() && log.of(CallId(2)).is_none());
        log.ended(CallId(1));
        log.ended(CallId(2));
        let all = log.all();
        let kept: usize = all.ended.iter().map(|call| all.calls[call].bytes).sum();
        assert!(kept == all.ended_bytes && all.calls.len() == all.ended.len());
    }

    #[test]
    fn a_late_message_makes_no_room_for_as_many_again() {
        let log = WireLog::default();
        log.began(CallId(1));
        for n in 0..50 {
            log.take(CallId(1), line(n, 10));
        }
        log.ended(CallId(1));
        log.take(CallId(1), line(50, 10));
        let all = log.all();
        let lines = &all.calls[&CallId(1)].lines;
        assert_eq!((lines.len(), lines.capacity()), (51, 51));
    }
}
