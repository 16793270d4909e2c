//! When a stream that did not open, or was cut, is tried again, and for how long.
//!
//! Pure: no clock, no I/O, no actor.

use std::time::{Duration, Instant};

use crate::leg_events::StreamFailure;

/// Between two tries, doubled each time up to the longest.
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_millis(500);
/// How long a cut stream is tried again.
const REOPENING_WITHIN: Duration = Duration::from_secs(5);
/// A stream that lived shorter is no reason to begin again with patience: a PBX that cuts each one at once would be asked
/// without end.
const LIVED_WELL: Duration = Duration::from_secs(1);

/// Why a request for a stream came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// 404 or 424: no media yet, or no longer.
    NotReady,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// Another status.
    Refused(u16),
    /// No connection, or one that broke before the stream was open.
    Unreachable,
    /// The stream was open so long, and ended.
    Cut(Duration),
}

impl Trouble {
    /// What the PBX's answer means; None when it takes or gives audio.
    #[must_use]
    pub fn of_status(status: u16) -> Option<Self> {
        match status {
            200..=299 => None,
            401 => Some(Self::Unauthorized),
            403 => Some(Self::Forbidden),
            404 | 424 => Some(Self::NotReady),
            other => Some(Self::Refused(other)),
        }
    }
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Try again after this time, with the token in use.
    Again(Duration),
    /// Try again at once, with another token.
    AgainWithNewToken,
    /// There is no sense in it.
    GiveUp(StreamFailure),
}

/// One stream's tries.
#[derive(Clone, Debug)]
pub struct Patience {
    until: Instant,
    wait: Duration,
    was_open: bool,
    token_refused: bool,
}

impl Patience {
    /// Before the stream was ever open. There is one try at least, however late it is.
    #[must_use]
    pub fn opening(until: Instant) -> Self {
        Self { until, wait: FIRST, was_open: false, token_refused: false }
    }

    /// What to do after this trouble.
    pub fn after(&mut self, trouble: Trouble, now: Instant) -> Verdict {
        let (failure, impatient) = match trouble {
            Trouble::Forbidden => return Verdict::GiveUp(StreamFailure::Forbidden),
            Trouble::Unauthorized if self.token_refused => {
                return Verdict::GiveUp(StreamFailure::Unauthorized);
            }
            Trouble::Unauthorized => {
                self.token_refused = true;
                return Verdict::AgainWithNewToken;
            }
            Trouble::Cut(lived) => {
                if !self.was_open || lived >= LIVED_WELL {
                    *self = Self {
                        until: now + REOPENING_WITHIN,
                        wait: Duration::ZERO,
                        was_open: true,
                        token_refused: false,
                    };
                }
                (StreamFailure::CutForGood, false)
            }
            Trouble::NotReady => (StreamFailure::NotReady, false),
            Trouble::Refused(status) => (StreamFailure::Refused(status), false),
            // A warm connection may have gone cold unseen: a fresh one is tried at once, once.
            Trouble::Unreachable => (StreamFailure::Unreachable, !self.was_open && self.wait == FIRST),
        };
        self.token_refused = false;
        if now >= self.until {
            let failure = if self.was_open { StreamFailure::CutForGood } else { failure };
            return Verdict::GiveUp(failure);
        }
        let wait = self.wait;
        self.wait = (wait * 2).clamp(FIRST, LONGEST);
        if impatient {
            return Verdict::Again(Duration::ZERO);
        }
        Verdict::Again(wait.min(self.until.saturating_duration_since(now)))
    }
}

#[cfg(test)]
mod tests;
