//! The outcomes of the last minutes, shared by all who know one. Health reads them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use precall_base::clock;
use precall_call::{Call, CallId, Event};

use crate::observe::call_outcomes;
use crate::observe::outcomes::{Area, HealthProblem, Outcomes};

/// Shared [`Outcomes`].
#[derive(Debug, Default)]
pub struct SharedOutcomes(Mutex<Outcomes>);

impl SharedOutcomes {
    /// Counts the outcomes of a call's event. `before` is none at the offer.
    pub(crate) fn observe(&self, call: CallId, before: Option<&Call>, event: &Event, after: &Call) {
        call_outcomes::observe(&mut self.lock(), call, before, event, after);
    }

    /// Keeps the words of a failed handoff whose event follows.
    pub(crate) fn handoff_reason(&self, call: CallId, words: &str) {
        self.lock().reason(Area::Handoff, call, words);
    }

    /// Keeps the words of a failed greeting whose event follows.
    pub(crate) fn greeting_reason(&self, call: CallId, words: &str) {
        self.lock().reason(Area::Greeting, call, words);
    }

    /// Keeps the words of a failed clone whose event follows.
    pub(crate) fn clone_reason(&self, call: CallId, words: &str) {
        self.lock().reason(Area::Clone, call, words);
    }

    /// Counts a success.
    pub fn succeeded(&self, area: Area, call: Option<CallId>) {
        self.lock().succeeded(area, call, clock::now());
    }

    /// Counts a failure.
    pub fn failed(&self, area: Area, call: Option<CallId>, words: &str) {
        self.lock().failed(area, call, words, clock::now());
    }

    /// Takes the result of a probe of ElevenLabs; the words of a bad one.
    pub(crate) fn probed(&self, result: Result<(), &str>) {
        self.lock().probed(result, clock::now());
    }

    /// What is degraded now.
    #[must_use]
    pub fn problems(&self) -> Vec<HealthProblem> {
        self.lock().problems(clock::now())
    }

    fn lock(&self) -> MutexGuard<'_, Outcomes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
