//! A provider that fails is left alone for a while, so that callers have the fallback voice at once instead of after the longest wait. Pure:
//! the clock is an argument.

use std::time::Duration;

use precall_call::At;

/// So many failures in a row open it.
const FAILURES: u32 = 5;
/// How long the provider is left alone at first, and at most: each trial that fails doubles it.
const PAUSE_FIRST: Duration = Duration::from_secs(15);
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// Whether something may be asked of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It may.
    Pass,
    /// Not now.
    Shut,
}

/// See the file.
#[derive(Debug, Default)]
pub struct Breaker {
    failures: u32,
    shut: Option<Shut>,
}

#[derive(Clone, Copy, Debug)]
struct Shut {
    until: At,
    pause: Duration,
    /// One request is under way that finds out.
    trying: bool,
}

impl Breaker {
    /// Whether a request may be made now. After the pause one may, and its outcome decides.
    pub fn ask(&mut self, now: At) -> Gate {
        match &mut self.shut {
            None => Gate::Pass,
            Some(shut) if shut.until <= now && !shut.trying => {
                shut.trying = true;
                Gate::Pass
            }
            Some(_) => Gate::Shut,
        }
    }

    /// The provider did what it should, or refused for a reason of ours.
    pub fn answered(&mut self) {
        *self = Self::default();
    }

    /// It did not.
    pub fn failed(&mut self, now: At) {
        self.failures = self.failures.saturating_add(1);
        let pause = match self.shut {
            // What was under way before it was shut says nothing new.
            Some(shut) if !shut.trying => return,
            Some(shut) => shut.pause.saturating_mul(2).min(PAUSE_MAX),
            None if self.failures >= FAILURES => PAUSE_FIRST,
            None => return,
        };
        self.shut = Some(Shut { until: now.plus(pause), pause, trying: false });
    }

    /// What was tried came to nothing, and says nothing of the provider.
    pub fn not_tried(&mut self) {
        if let Some(shut) = &mut self.shut {
            shut.trying = false;
        }
    }

    /// Whether the provider is being left alone.
    #[must_use]
    pub fn is_shut(&self) -> bool {
        self.shut.is_some()
    }
}

#[cfg(test)]
mod tests;
