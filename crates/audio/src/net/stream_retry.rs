//! When a stream that did not open or was cut is tried again, and for how long.
//!
//! Pure: no clock, no I/O, no actor.

use std::time::{Duration, Instant};

use crate::leg_events::StreamFailure;

/// Wait between two attempts: doubled each time, up to `WAIT_MAX`.
const WAIT_MIN: Duration = Duration::from_millis(50);
const WAIT_MAX: Duration = Duration::from_millis(500);
/// How long precall tries to reopen a stream that was cut.
const REOPENING_WITHIN: Duration = Duration::from_secs(5);
/// Only a stream that was open for this long restarts `REOPENING_WITHIN`. Otherwise a PBX that cuts every stream at
/// once would be retried without end.
const LIVED_WELL: Duration = Duration::from_secs(1);
/// Two stalls of the stream to the caller within this time, and the audio is lost: the operating system of a frozen PBX
/// still takes a new connection and a few seconds of audio, so a reopened stream proves nothing.
const STALLED_AGAIN_WITHIN: Duration = Duration::from_secs(30);

/// Why one request for a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttemptError {
    /// 404 or 424: the leg has no media yet, or no longer.
    NotReady,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// Another status.
    Refused(u16),
    /// No connection, or one that broke before the stream was open.
    Unreachable,
    /// The stream was open for this long, then ended.
    Cut(Duration),
    /// The stream to the caller was open for this long, then the PBX took no more audio.
    Stalled(Duration),
    /// The stream from the caller is open, and nothing was received for too long. Whether 3CX may be silent there is
    /// not known, so this never ends the audio.
    Silent,
}

impl AttemptError {
    /// The meaning of the PBX's status; None for a success.
    #[must_use]
    pub(crate) fn of_status(status: u16) -> Option<Self> {
        match status {
            200..=299 => None,
            401 => Some(Self::Unauthorized),
            403 => Some(Self::Forbidden),
            404 | 424 => Some(Self::NotReady),
            other => Some(Self::Refused(other)),
        }
    }
}

/// What to do after an [`AttemptError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryDecision {
    /// Try again after this time with the current token.
    RetryAfter(Duration),
    /// Try again at once with a new token.
    RetryWithNewToken,
    /// Do not try again.
    GiveUp(StreamFailure),
}

/// Retry state of one stream.
#[derive(Clone, Debug)]
pub(crate) struct StreamRetry {
    until: Instant,
    wait: Duration,
    was_open: bool,
    token_refused: bool,
    /// The stream stalled, and another one was not open for long since.
    has_stalled: bool,
    /// The last stream was silent.
    was_silent: bool,
}

impl StreamRetry {
    /// For a stream that was never open. Allows one attempt even after `until`.
    #[must_use]
    pub(crate) fn opening(until: Instant) -> Self {
        Self {
            until,
            wait: WAIT_MIN,
            was_open: false,
            token_refused: false,
            has_stalled: false,
            was_silent: false,
        }
    }

    /// Decides what to do after this error.
    pub(crate) fn after(&mut self, error: AttemptError, now: Instant) -> RetryDecision {
        let (failure, at_once) = match error {
            AttemptError::Forbidden => return RetryDecision::GiveUp(StreamFailure::Forbidden),
            AttemptError::Unauthorized if self.token_refused => {
                return RetryDecision::GiveUp(StreamFailure::Unauthorized);
            }
            AttemptError::Unauthorized => {
                self.token_refused = true;
                return RetryDecision::RetryWithNewToken;
            }
            AttemptError::Cut(lived) => {
                if !self.was_open || lived >= LIVED_WELL {
                    self.reopen(now);
                }
                (StreamFailure::CutForGood, false)
            }
            AttemptError::Stalled(lived) if self.has_stalled && lived < STALLED_AGAIN_WITHIN => {
                return RetryDecision::GiveUp(StreamFailure::CutForGood);
            }
            AttemptError::Stalled(_) => {
                self.reopen(now);
                self.has_stalled = true;
                (StreamFailure::CutForGood, false)
            }
            AttemptError::Silent => {
                self.reopen(now);
                self.was_silent = true;
                (StreamFailure::CutForGood, false)
            }
            AttemptError::NotReady => (StreamFailure::NotReady, false),
            AttemptError::Refused(status) => (StreamFailure::Refused(status), false),
            // A warm connection may have died unnoticed, so a new one is tried at once, one time.
            AttemptError::Unreachable => {
                (StreamFailure::Unreachable, !self.was_open && self.wait == WAIT_MIN)
            }
        };
        self.token_refused = false;
        if now >= self.until && self.was_silent {
            self.until = now + REOPENING_WITHIN;
        }
        if now >= self.until {
            let failure = if self.was_open { StreamFailure::CutForGood } else { failure };
            return RetryDecision::GiveUp(failure);
        }
        let wait = self.wait;
        self.wait = (wait * 2).clamp(WAIT_MIN, WAIT_MAX);
        if at_once {
            return RetryDecision::RetryAfter(Duration::ZERO);
        }
        RetryDecision::RetryAfter(wait.min(self.until.saturating_duration_since(now)))
    }

    /// An open stream has ended: the time to open it again begins.
    fn reopen(&mut self, now: Instant) {
        *self = Self {
            wait: Duration::ZERO,
            was_open: true,
            has_stalled: self.has_stalled,
            ..Self::opening(now + REOPENING_WITHIN)
        };
    }
}

#[cfg(test)]
mod tests;
