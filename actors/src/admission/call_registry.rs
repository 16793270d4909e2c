//! Identity of calls: a repeated webhook, in any order, is the same call.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use precall_base::phone_number::CallerNumber;
use precall_call::{At, CallId};
use sha2::{Digest as _, Sha256};

/// A call is remembered for this long: longer than any webhook signature is valid.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(35 * 60);
/// If one of two notices has no PBX id, they are the same call only within this time.
const SAME_CALL_WITHIN: Duration = Duration::from_secs(10);
/// Largest number of ends without a call; beyond it the oldest is forgotten.
const EARLY_ENDS_MAX: usize = 10_000;
/// Room from the start for the calls of a busy PBX: a table that grows later stops all calls for a moment and needs
/// half as much memory again. It takes 1.3 MiB.
const ROOM_FOR_CALLS: usize = 4_096;

/// The identity of a call, as a notice or a leg shows it.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// The PBX.
    pub pbx: String,
    /// The PBX's call id, if it gave one.
    pub threecx_call_id: Option<String>,
    /// The caller.
    pub caller: CallerNumber,
    /// The called number, if given.
    pub called: Option<CallerNumber>,
}

/// Whether a remembered call is still live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CallLiveness {
    /// The call is over.
    Over,
    /// The call is live.
    Live,
}

/// SHA-256 of PBX and call id, cut to 16 bytes. The ids of 35 minutes are remembered, and a PBX may send long ones.
type IdKey = [u8; 16];

#[derive(Debug)]
struct KnownCall {
    id: Option<IdKey>,
    caller: CallerNumber,
    /// Only while the call lives: only live calls are compared by it.
    called: Option<CallerNumber>,
    first_seen: At,
    liveness: CallLiveness,
}

/// The call that a [`Sighting`] belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SightingMatch {
    /// A known call.
    Call(CallId),
    /// A new call whose end was reported earlier.
    EndedBefore,
    /// A new call.
    New,
}

/// All live calls and the calls of the last 35 minutes.
#[derive(Debug)]
pub struct CallRegistry {
    known: HashMap<CallId, KnownCall>,
    by_id: CallsById,
    by_age: VecDeque<(At, CallId)>,
    early_ends: HashMap<IdKey, At>,
    /// The same in order of time, and ends whose call came since.
    early_by_age: VecDeque<(At, IdKey)>,
    /// Live calls by caller, oldest first. Only callers with a number.
    live_of: HashMap<CallerNumber, Vec<CallId>>,
    live: usize,
}

impl KnownCall {
    fn is_live(&self) -> bool {
        self.liveness == CallLiveness::Live
    }
}

/// Calls by the id of the PBX. Nearly every id has one call: a table takes its memory once, where a tree would grow for
/// 35 minutes.
#[derive(Debug)]
struct CallsById {
    first: HashMap<IdKey, CallId>,
    /// Further calls of the same id.
    further: BTreeSet<(IdKey, CallId)>,
}

impl Default for CallsById {
    fn default() -> Self {
        Self { first: HashMap::with_capacity(ROOM_FOR_CALLS), further: BTreeSet::new() }
    }
}

impl CallsById {
    fn insert(&mut self, id: IdKey, call: CallId) {
        let first = *self.first.entry(id).or_insert(call);
        if first != call {
            self.further.insert((id, call));
        }
    }

    fn remove(&mut self, id: IdKey, call: CallId) {
        if self.further.remove(&(id, call)) || self.first.get(&id) != Some(&call) {
            return;
        }
        let next = self.further_of(&id).next();
        match next {
            Some(next) => {
                self.further.remove(&(id, next));
                self.first.insert(id, next);
            }
            None => {
                self.first.remove(&id);
            }
        }
    }

    fn of(&self, id: &IdKey) -> impl Iterator<Item = CallId> {
        self.first.get(id).copied().into_iter().chain(self.further_of(id))
    }

    fn further_of(&self, id: &IdKey) -> impl Iterator<Item = CallId> {
        self.further.range((*id, CallId(0))..=(*id, CallId(u128::MAX))).map(|(_, call)| *call)
    }
}

impl Default for CallRegistry {
    fn default() -> Self {
        let mut by_age = VecDeque::with_capacity(ROOM_FOR_CALLS);
        // Write all of it now: the system gives memory at the first write, and calls would take half an hour for that.
        by_age.resize(ROOM_FOR_CALLS, (At(0), CallId(0)));
        by_age.clear();
        Self {
            known: HashMap::with_capacity(ROOM_FOR_CALLS),
            by_id: CallsById::default(),
            by_age,
            early_ends: HashMap::new(),
            early_by_age: VecDeque::new(),
            live_of: HashMap::new(),
            live: 0,
        }
    }
}

impl CallRegistry {
    /// Finds the call of this sighting.
    pub fn find(&mut self, sighting: &Sighting, now: At) -> SightingMatch {
        self.forget(now);
        if let Some(call) = self.same_call(sighting, now) {
            return SightingMatch::Call(call);
        }
        let ended = id_key(sighting).is_some_and(|key| self.early_ends.contains_key(&key));
        if ended { SightingMatch::EndedBefore } else { SightingMatch::New }
    }

    /// The call that a notice is about. A notice may leave out the caller.
    pub fn find_for_notice(&mut self, sighting: &Sighting, now: At) -> Option<CallId> {
        self.forget(now);
        match id_key(sighting) {
            Some(key) if !has_number(&sighting.caller) => self
                .calls_with(&key)
                .max_by_key(|(_, known)| (known.liveness, known.first_seen))
                .map(|(call, _)| call),
            _ => self.same_call(sighting, now),
        }
    }

    /// The one call of this caller that came in while a call of the PBX lasted, for a report without an id; none if
    /// none or several fit. The PBX's clock may be [`SAME_CALL_WITHIN`] ahead. A call that came in after `ended` never
    /// fits: it is a later one.
    pub fn find_for_report(
        &mut self,
        caller: &CallerNumber,
        (began, ended): (At, At),
        now: At,
    ) -> Option<CallId> {
        self.forget(now);
        if !has_number(caller) {
            return None;
        }
        let is_late_enough = |at: At| at.plus(SAME_CALL_WITHIN) >= began;
        let recent = self.by_age.iter().rev().take_while(|(at, _)| is_late_enough(*at));
        let mut fitting = recent.filter(|(_, call)| {
            self.known.get(call).is_some_and(|known| {
                let came_in = known.first_seen;
                known.caller == *caller && is_late_enough(came_in) && came_in <= ended
            })
        });
        let first = fitting.next().map(|(_, call)| *call);
        if fitting.next().is_some() { None } else { first }
    }

    /// Adds a new live call and removes an early end of it.
    pub fn admit(&mut self, call: CallId, sighting: Sighting, first_seen: At) {
        if let Some(key) = id_key(&sighting) {
            self.early_ends.remove(&key);
        }
        self.insert(call, sighting, first_seen, CallLiveness::Live);
    }

    /// Adds a call from before the restart.
    pub fn insert(&mut self, call: CallId, sighting: Sighting, first_seen: At, liveness: CallLiveness) {
        let id = id_key(&sighting);
        if let Some(key) = id {
            self.by_id.insert(key, call);
        }
        self.by_age.push_back((first_seen, call));
        self.live = self.live.saturating_add(usize::from(liveness == CallLiveness::Live));
        if liveness == CallLiveness::Live && has_number(&sighting.caller) {
            self.live_of.entry(sighting.caller.clone()).or_default().push(call);
        }
        let Sighting { caller, called, .. } = sighting;
        self.known.insert(call, KnownCall { id, caller, called, first_seen, liveness });
    }

    /// Marks the call as over. It stays known for [`REMEMBERED`].
    pub fn released(&mut self, call: CallId) {
        if let Some(known) = self.known.get_mut(&call) {
            self.live = self.live.saturating_sub(usize::from(known.is_live()));
            known.liveness = CallLiveness::Over;
            known.called = None;
            if let Some(calls) = self.live_of.get_mut(&known.caller) {
                calls.retain(|live| *live != call);
                if calls.is_empty() {
                    self.live_of.remove(&known.caller);
                }
            }
        }
    }

    /// The live calls of this caller, newest first; none for a caller without a public number.
    pub fn live_calls_of(&self, caller: &CallerNumber) -> impl Iterator<Item = CallId> {
        let is_public = matches!(caller, CallerNumber::Public(_));
        self.live_of.get(caller).filter(|_| is_public).into_iter().flatten().rev().copied()
    }

    /// Remembers the end of an unknown call. Returns false if it was remembered already.
    pub fn ended_early(&mut self, pbx: &str, threecx_call_id: &str, at: At) -> bool {
        let key = key_of(pbx, threecx_call_id);
        if self.early_ends.contains_key(&key) {
            return false;
        }
        while self.early_by_age.len() >= EARLY_ENDS_MAX {
            self.forget_early_end();
        }
        self.early_by_age.push_back((at, key));
        self.early_ends.insert(key, at);
        true
    }

    /// Whether this call is live or still remembered.
    #[must_use]
    pub fn knows(&self, call: CallId) -> bool {
        self.known.contains_key(&call)
    }

    /// Whether this call is live.
    #[must_use]
    pub fn is_live(&self, call: CallId) -> bool {
        self.known.get(&call).is_some_and(KnownCall::is_live)
    }

    /// Whether a later call is the same call at the PBX: an engine that was cut off took it first, and the engine that
    /// took over knew nothing of that.
    #[must_use]
    pub fn was_taken_again(&self, call: CallId) -> bool {
        let Some(first) = self.known.get(&call) else { return false };
        let mut of_id = first.id.iter().flat_map(|key| self.calls_with(key));
        of_id.any(|(_, later)| later.caller == first.caller && later.first_seen > first.first_seen)
    }

    /// The caller, as first seen.
    #[must_use]
    pub fn caller(&self, call: CallId) -> Option<&CallerNumber> {
        self.known.get(&call).map(|known| &known.caller)
    }

    /// Number of live calls.
    #[must_use]
    pub fn live(&self) -> usize {
        self.live
    }

    fn calls_with(&self, id: &IdKey) -> impl Iterator<Item = (CallId, &KnownCall)> {
        self.by_id.of(id).filter_map(|call| Some((call, self.known.get(&call)?)))
    }

    fn same_call(&self, sighting: &Sighting, now: At) -> Option<CallId> {
        if let Some(key) = id_key(sighting) {
            let same = self.calls_with(&key).filter(|(_, known)| known.caller == sighting.caller);
            if let Some((call, _)) = same.max_by_key(|(_, known)| known.first_seen) {
                return Some(call);
            }
        }
        self.same_without_id(sighting, now)
    }

    /// One side has no id: the numbers must match, the times must be close, and only one call may fit.
    fn same_without_id(&self, sighting: &Sighting, now: At) -> Option<CallId> {
        let fits = |known: &KnownCall| {
            let one_has_no_id = known.id.is_none() || sighting.threecx_call_id.is_none();
            let called_agrees = match (&known.called, &sighting.called) {
                (Some(a), Some(b)) => a == b,
                (None, _) | (_, None) => true,
            };
            one_has_no_id && called_agrees && now.since(known.first_seen) <= SAME_CALL_WITHIN
        };
        let mut fitting = self
            .live_of
            .get(&sighting.caller)
            .into_iter()
            .flatten()
            .filter(|call| self.known.get(call).is_some_and(fits));
        let first = fitting.next().copied();
        if fitting.next().is_some() { None } else { first }
    }

    fn forget(&mut self, now: At) {
        while let Some((at, call)) = self.by_age.front().copied() {
            if now.since(at) <= REMEMBERED {
                break;
            }
            self.by_age.pop_front();
            let Some(known) = self.known.get(&call) else { continue };
            if known.is_live() {
                // A live call is never forgotten: check it again later.
                self.by_age.push_back((now, call));
                continue;
            }
            if let Some(key) = known.id {
                self.by_id.remove(key, call);
            }
            self.known.remove(&call);
        }
        while self.early_by_age.front().is_some_and(|(at, _)| now.since(*at) > REMEMBERED) {
            self.forget_early_end();
        }
    }

    /// Forgets the oldest end, unless the same id has ended again since.
    fn forget_early_end(&mut self) {
        if let Some((at, key)) = self.early_by_age.pop_front()
            && self.early_ends.get(&key) == Some(&at)
        {
            self.early_ends.remove(&key);
        }
    }
}

/// Whether the caller can be told from others.
fn has_number(caller: &CallerNumber) -> bool {
    matches!(caller, CallerNumber::Public(_) | CallerNumber::Internal(_))
}

fn id_key(sighting: &Sighting) -> Option<IdKey> {
    sighting.threecx_call_id.as_ref().map(|id| key_of(&sighting.pbx, id))
}

fn key_of(pbx: &str, threecx_call_id: &str) -> IdKey {
    let mut digest = Sha256::new();
    // The length separates the two texts.
    digest.update(pbx.len().to_be_bytes());
    digest.update(pbx);
    digest.update(threecx_call_id);
    let mut key = IdKey::default();
    key.iter_mut().zip(digest.finalize()).for_each(|(byte, digested)| *byte = digested);
    key
}

#[cfg(test)]
mod tests;
