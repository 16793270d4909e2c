//! Circuit breaker for clones: after repeated provider failures callers get the fallback voice at once.
//! Pure: no clock, no I/O, no actor.

use std::time::Duration;

use precall_call::At;

/// Consecutive failures that open it.
const FAILURES: u32 = 5;
/// How long it stays open at first, and at most. Each failed trial doubles the pause.
const PAUSE_FIRST: Duration = Duration::from_secs(15);
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// Whether a clone may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// It may start.
    Pass,
    /// The breaker is open.
    Blocked,
}

/// Closed, or open until a time; then one trial request decides.
#[derive(Debug, Default)]
pub(crate) struct CircuitBreaker {
    failures: u32,
    open: Option<OpenState>,
}

#[derive(Clone, Copy, Debug)]
struct OpenState {
    until: At,
    pause: Duration,
    /// A trial request is running.
    probing: bool,
}

impl CircuitBreaker {
    /// Whether a request may start now. After the pause one trial may, and its result decides.
    pub(crate) fn try_pass(&mut self, now: At) -> Gate {
        match &mut self.open {
            None => Gate::Pass,
            Some(open) if open.until <= now && !open.probing => {
                open.probing = true;
                Gate::Pass
            }
            Some(_) => Gate::Blocked,
        }
    }

    /// The provider answered as it should, or refused for a reason on our side.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The provider failed.
    pub fn failed(&mut self, now: At) {
        self.failures = self.failures.saturating_add(1);
        let pause = match self.open {
            // Requests that started before the breaker opened say nothing new.
            Some(open) if !open.probing => return,
            Some(open) => open.pause.saturating_mul(2).min(PAUSE_MAX),
            None if self.failures >= FAILURES => PAUSE_FIRST,
            None => return,
        };
        self.open = Some(OpenState { until: now.plus(pause), pause, probing: false });
    }

    /// A trial ended without a result that says anything about the provider.
    pub(crate) fn inconclusive(&mut self) {
        if let Some(open) = &mut self.open {
            open.probing = false;
        }
    }

    /// Whether the breaker is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }
}

#[cfg(test)]
mod tests;
