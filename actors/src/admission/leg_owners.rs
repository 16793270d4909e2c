//! Which leg at the PBX belongs to which call. Pure: a call has one leg at a time that it is heard on; legs of the same call that
//! overlap wait their turn.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use precall_call::{At, CallId};
use precall_providers::threecx::address::LegAddress;

/// A leg that appears so long after the last one of its call was removed is another call: the PBX's ids start again when it
/// restarts (3CX facts, section 5, rows 6 and 11).
const GRACE: Duration = Duration::from_secs(2);

/// How far a leg is, as the call is events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LegState {
    /// Not answered.
    Ringing,
    /// Answered.
    Connected,
}

/// What a call is to be events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallLegEvent {
    /// The leg it is heard on rings.
    Ringing(CallId, LegAddress),
    /// The leg it is heard on is connected.
    Connected(CallId, LegAddress),
    /// The leg it was heard on is gone.
    Gone(CallId),
}

#[derive(Debug)]
struct CallLegs {
    /// In order of appearance; the first is the one it is heard on.
    legs: Vec<(LegAddress, LegState)>,
    /// When the last of them went.
    gone_at: Option<At>,
}

/// See the file. Memory: the live calls that had a leg, and their legs.
#[derive(Debug, Default)]
pub struct LegOwners {
    call_of: HashMap<LegAddress, CallId>,
    calls: HashMap<CallId, CallLegs>,
    /// Legs whose call is over, or was refused: until they are gone, what is heard of them begins no new call.
    left_over: HashSet<LegAddress>,
}

impl LegOwners {
    /// Whose leg this is.
    #[must_use]
    pub fn call_of(&self, leg: &LegAddress) -> Option<CallId> {
        self.call_of.get(leg).copied()
    }

    /// Whether the leg's call is over or was refused, and only the leg is still there.
    #[must_use]
    pub fn is_left_over(&self, leg: &LegAddress) -> bool {
        self.left_over.contains(leg)
    }

    /// The leg a call is heard on.
    #[must_use]
    pub fn of_call(&self, call: CallId) -> Option<&LegAddress> {
        self.calls.get(&call)?.legs.first().map(|(leg, _)| leg)
    }

    /// Whether a leg that appears now may still be this call's: it never had one, has one, or lost it a moment ago.
    #[must_use]
    pub fn may_join(&self, call: CallId, now: At) -> bool {
        let gone_at = self.calls.get(&call).and_then(|call_legs| call_legs.gone_at);
        gone_at.is_none_or(|gone_at| now.since(gone_at) <= GRACE)
    }

    /// A leg of this call was seen: what the call has to hear, if it is news.
    pub fn seen(&mut self, call: CallId, leg: &LegAddress, state: LegState) -> Option<CallLegEvent> {
        self.call_of.insert(leg.clone(), call);
        let call_legs =
            self.calls.entry(call).or_insert_with(|| CallLegs { legs: Vec::new(), gone_at: None });
        call_legs.gone_at = None;
        let index = call_legs.legs.iter().position(|(known, _)| known == leg);
        let is_news = match index.and_then(|i| call_legs.legs.get_mut(i)) {
            Some((_, known)) if *known >= state => false,
            Some((_, known)) => {
                *known = state;
                true
            }
            None => {
                call_legs.legs.push((leg.clone(), state));
                true
            }
        };
        let is_current = call_legs.legs.first().is_some_and(|(first, _)| first == leg);
        (is_news && is_current).then(|| call_leg_event(call, leg.clone(), state))
    }

    /// A leg is gone: what its call has to hear, in order. Another leg of the same call takes over.
    pub fn gone(&mut self, leg: &LegAddress, now: At) -> Vec<CallLegEvent> {
        self.left_over.remove(leg);
        let Some(call) = self.call_of.remove(leg) else { return Vec::new() };
        let Some(call_legs) = self.calls.get_mut(&call) else { return Vec::new() };
        let is_current = call_legs.legs.first().is_some_and(|(first, _)| first == leg);
        call_legs.legs.retain(|(known, _)| known != leg);
        let next = call_legs.legs.first().cloned();
        if next.is_none() {
            call_legs.gone_at = Some(now);
        }
        if !is_current {
            return Vec::new();
        }
        let mut events = vec![CallLegEvent::Gone(call)];
        events.extend(next.map(|(leg, state)| call_leg_event(call, leg, state)));
        events
    }

    /// Nobody takes this leg: until it is gone, what is heard of it begins no call.
    pub fn mark_left_over(&mut self, leg: &LegAddress) {
        self.left_over.insert(leg.clone());
    }

    /// The call is over; legs that are still there are nobody's until they are gone.
    pub fn forget(&mut self, call: CallId) {
        for (leg, _) in self.calls.remove(&call).map(|call_legs| call_legs.legs).unwrap_or_default() {
            self.call_of.remove(&leg);
            self.left_over.insert(leg);
        }
    }
}

fn call_leg_event(call: CallId, leg: LegAddress, state: LegState) -> CallLegEvent {
    match state {
        LegState::Ringing => CallLegEvent::Ringing(call, leg),
        LegState::Connected => CallLegEvent::Connected(call, leg),
    }
}

#[cfg(test)]
mod tests;
