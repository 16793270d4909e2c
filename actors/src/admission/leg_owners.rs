//! Which call each leg at the PBX belongs to. A call uses one leg at a time; further legs of the same call wait.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use precall_call::{At, CallId};
use precall_providers::threecx::address::LegAddress;

/// A leg that appears later than this after its call lost its last leg is another call: the PBX reuses ids after a
/// restart (3CX facts, section 5, rows 6 and 11).
const GRACE: Duration = Duration::from_secs(2);

/// State of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LegState {
    /// Not answered.
    Ringing,
    /// Answered.
    Connected,
}

/// A change of the leg that a call uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallLegEvent {
    /// The leg rings.
    Ringing(CallId, LegAddress),
    /// The leg is connected.
    Connected(CallId, LegAddress),
    /// The leg is gone.
    Gone(CallId),
}

#[derive(Debug)]
struct CallLegs {
    /// In order of appearance; the call uses the first.
    legs: Vec<(LegAddress, LegState)>,
    /// When the last leg was removed.
    gone_at: Option<At>,
}

/// The legs of live calls.
#[derive(Debug, Default)]
pub(crate) struct LegOwners {
    call_of: HashMap<LegAddress, CallId>,
    calls: HashMap<CallId, CallLegs>,
    /// Legs whose call is over or was refused. Until they are gone, their events start no new call.
    left_over: HashSet<LegAddress>,
}

impl LegOwners {
    /// The call of this leg.
    #[must_use]
    pub fn call_of(&self, leg: &LegAddress) -> Option<CallId> {
        self.call_of.get(leg).copied()
    }

    /// Whether the leg's call is over or was refused while the leg still exists.
    #[must_use]
    pub(crate) fn is_left_over(&self, leg: &LegAddress) -> bool {
        self.left_over.contains(leg)
    }

    /// The leg that a call uses.
    #[must_use]
    pub fn of_call(&self, call: CallId) -> Option<&LegAddress> {
        self.calls.get(&call)?.legs.first().map(|(leg, _)| leg)
    }

    /// Whether a new leg may belong to this call: the call never had a leg, has one, or lost it within `GRACE`.
    #[must_use]
    pub(crate) fn may_join(&self, call: CallId, now: At) -> bool {
        let gone_at = self.calls.get(&call).and_then(|call_legs| call_legs.gone_at);
        gone_at.is_none_or(|gone_at| now.since(gone_at) <= GRACE)
    }

    /// Records a leg of this call. Returns the change for the call, if any.
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

    /// Removes a leg. Returns the changes for its call, in order. The call's next leg takes over.
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

    /// The leg has no call. Until it is gone, its events start no new call.
    pub(crate) fn mark_left_over(&mut self, leg: &LegAddress) {
        self.left_over.insert(leg.clone());
    }

    /// Lets the next event of a left-over leg start a new call: its call was over before it heard of the leg. Returns
    /// whether the leg still exists.
    pub(crate) fn let_start_a_call(&mut self, leg: &LegAddress) -> bool {
        self.left_over.remove(leg)
    }

    /// Removes a call that is over. The leg that it used is left over until it is gone. Returns the legs that waited
    /// behind that one: nobody has done anything with them.
    #[must_use]
    pub fn forget(&mut self, call: CallId) -> Vec<LegAddress> {
        let mut legs =
            self.calls.remove(&call).map(|call_legs| call_legs.legs).unwrap_or_default().into_iter();
        if let Some((used, _)) = legs.next() {
            self.call_of.remove(&used);
            self.left_over.insert(used);
        }
        let waiting: Vec<_> = legs.map(|(leg, _)| leg).collect();
        for leg in &waiting {
            self.call_of.remove(leg);
        }
        waiting
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
