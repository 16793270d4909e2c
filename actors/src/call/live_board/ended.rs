//! Calls that ended a moment ago: the board keeps them for five minutes, and counts the failed ones of an hour.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use precall_call::{At, Call, CallId, ConversationId, Purpose, Release, Route};

use super::shown::{Parties, voice_names};

/// How long an ended call stays.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(300);
/// Most ended calls. Beyond it the oldest goes, calls that went well first.
pub(super) const ENDED_MAX: usize = 500;
/// Minutes of the count of failed calls.
const MINUTES: usize = 60;
const MICROS_OF_MINUTE: i64 = 60_000_000;

/// A call that ended a moment ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedCall {
    /// precall's id.
    pub id: CallId,
    /// Who called whom.
    pub parties: Arc<Parties>,
    /// How greeting and handoff reached the caller.
    pub route: Route,
    /// `awaited`, `cloned` or `fallback`.
    pub voice: &'static str,
    /// Why there was no cloned voice.
    pub voice_missing: Option<&'static str>,
    /// Handoff attempts that began.
    pub attempts: u8,
    /// The agent's conversation, if there was one.
    pub conversation: Option<ConversationId>,
    /// When the call came in.
    pub offered_at: At,
    /// When it ended.
    pub ended_at: At,
    /// Why, whose fault it was, and what the caller was told.
    pub release: Release,
    /// Whether no conversation with an agent took place: `status` of the call is `failed`.
    pub failed: bool,
}

impl EndedCall {
    /// The call, if it has ended.
    pub(super) fn of(id: CallId, parties: Arc<Parties>, call: &Call) -> Option<Self> {
        let release = call.release()?;
        let (voice, voice_missing) = voice_names(call);
        Some(Self {
            id,
            parties,
            route: call.policy.route,
            voice,
            voice_missing,
            attempts: call.latest_attempt(),
            conversation: call.conversation(Purpose::Agent).and_then(|agent| agent.id.clone()),
            offered_at: call.instants.offered,
            ended_at: call.instants.released.unwrap_or(call.at),
            release,
            failed: !call.had_agent(),
        })
    }
}

/// A value, and the version of the board at which it changed last.
#[derive(Clone, Debug)]
pub(super) struct Versioned<T> {
    pub(super) version: u64,
    pub(super) value: T,
}

/// The calls that ended in the last minutes, in the order in which they ended.
#[derive(Debug, Default)]
pub(super) struct EndedCalls {
    calls: VecDeque<Versioned<EndedCall>>,
    failures: Failures,
}

impl EndedCalls {
    /// Adds a call. Returns the call that has to go for it.
    pub(super) fn add(&mut self, call: EndedCall, version: u64) -> Option<CallId> {
        if call.failed {
            self.failures.add(call.ended_at);
        }
        self.calls.push_back(Versioned { version, value: call });
        if self.calls.len() <= ENDED_MAX {
            return None;
        }
        let went_well = self.calls.iter().position(|ended| !ended.value.failed);
        self.calls.remove(went_well.unwrap_or(0)).map(|gone| gone.value.id)
    }

    /// Whether the call is here.
    pub(super) fn has(&self, id: CallId) -> bool {
        self.calls.iter().any(|ended| ended.value.id == id)
    }

    /// Takes what became known after the end, if the call is still here. False if nothing is new.
    pub(super) fn renew(&mut self, id: CallId, call: &Call, version: u64) -> bool {
        let Some(known) = self.calls.iter_mut().rev().find(|ended| ended.value.id == id) else {
            return false;
        };
        let Some(now) = EndedCall::of(id, Arc::clone(&known.value.parties), call) else { return false };
        if known.value == now {
            return false;
        }
        if known.value.failed && !now.failed {
            self.failures.take_back(known.value.ended_at);
        }
        *known = Versioned { version, value: now };
        true
    }

    /// Removes the calls whose time is over. Returns their ids.
    pub(super) fn expire(&mut self, now: At) -> Vec<CallId> {
        let mut gone = Vec::new();
        while self.calls.front().is_some_and(|oldest| now.since(oldest.value.ended_at) >= KEPT_FOR) {
            gone.extend(self.calls.pop_front().map(|oldest| oldest.value.id));
        }
        gone
    }

    /// The calls, the earliest end first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Versioned<EndedCall>> {
        self.calls.iter()
    }

    /// Calls without an agent that ended in the last hour, as far as this process has seen them.
    pub(super) fn failed_last_hour(&self, now: At) -> u64 {
        self.failures.last_hour(now)
    }
}

/// Failed calls by minute, for an hour.
#[derive(Debug)]
struct Failures([(i64, u64); MINUTES]);

impl Default for Failures {
    fn default() -> Self {
        Self([(0, 0); MINUTES])
    }
}

impl Failures {
    fn add(&mut self, at: At) {
        let minute = minute_of(at);
        let Some(place) = self.place(minute) else { return };
        if place.0 != minute {
            *place = (minute, 0);
        }
        place.1 = place.1.saturating_add(1);
    }

    fn take_back(&mut self, at: At) {
        let minute = minute_of(at);
        if let Some(place) = self.place(minute).filter(|place| place.0 == minute) {
            place.1 = place.1.saturating_sub(1);
        }
    }

    fn last_hour(&self, now: At) -> u64 {
        let now = minute_of(now);
        let minutes = i64::try_from(MINUTES).unwrap_or(i64::MAX);
        let recent = self.0.iter().filter(|(minute, _)| now.saturating_sub(*minute) < minutes);
        recent.map(|(_, count)| count).sum()
    }

    fn place(&mut self, minute: i64) -> Option<&mut (i64, u64)> {
        let place = usize::try_from(minute).ok()?.checked_rem(MINUTES)?;
        self.0.get_mut(place)
    }
}

fn minute_of(at: At) -> i64 {
    at.0.div_euclid(MICROS_OF_MINUTE)
}
