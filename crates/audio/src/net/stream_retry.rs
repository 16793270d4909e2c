//! When a stream that did not open, or was cut, is tried again, and for how long.

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
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// The moments, in milliseconds from now, at which a request is sent while all of them end like this.
    fn tries(patience: &mut Patience, began: Instant, trouble: Trouble) -> (Vec<u128>, StreamFailure) {
        let mut now = began;
        let mut at = Vec::new();
        loop {
            match patience.after(trouble, now) {
                Verdict::Again(wait) => now += wait,
                Verdict::AgainWithNewToken => {}
                Verdict::GiveUp(failure) => return (at, failure),
            }
            at.push((now - began).as_millis());
        }
    }

    #[test]
    fn not_ready_is_asked_again_for_ten_seconds() {
        let now = Instant::now();
        let (at, failure) = tries(&mut Patience::opening(now + 10_000 * MS), now, Trouble::NotReady);
        assert_eq!(at.iter().take(6).copied().collect::<Vec<_>>(), [50, 150, 350, 750, 1250, 1750]);
        assert_eq!(at.last(), Some(&10_000));
        assert_eq!(failure, StreamFailure::NotReady);
    }

    #[test]
    fn a_cut_stream_is_opened_at_once_and_then_by_the_schedule_for_five_seconds() {
        let now = Instant::now();
        let mut patience = Patience::opening(now);
        assert_eq!(patience.after(Trouble::Cut(90_000 * MS), now), Verdict::Again(Duration::ZERO));
        let (at, failure) = tries(&mut patience, now, Trouble::NotReady);
        assert_eq!(at.iter().take(5).copied().collect::<Vec<_>>(), [50, 150, 350, 750, 1250]);
        assert_eq!((at.last(), failure), (Some(&5_000), StreamFailure::CutForGood));
    }

    #[test]
    fn a_pbx_that_cuts_each_stream_at_once_is_not_asked_more_often() {
        let now = Instant::now();
        let (at, failure) = tries(&mut Patience::opening(now + 10_000 * MS), now, Trouble::Cut(10 * MS));
        assert_eq!(at.iter().take(4).copied().collect::<Vec<_>>(), [0, 50, 150, 350]);
        assert_eq!((at.last(), failure), (Some(&5_000), StreamFailure::CutForGood));
    }

    #[test]
    fn a_stream_that_lived_well_earns_new_patience() {
        let now = Instant::now();
        let mut patience = Patience::opening(now);
        for minute in 1..9 {
            let later = now + 60_000 * MS * minute;
            assert_eq!(patience.after(Trouble::Cut(LIVED_WELL), later), Verdict::Again(Duration::ZERO));
        }
    }

    #[test]
    fn a_refused_token_is_replaced_once_and_403_is_final() {
        let now = Instant::now();
        let mut patience = Patience::opening(now + 10_000 * MS);
        assert_eq!(patience.after(Trouble::Unauthorized, now), Verdict::AgainWithNewToken);
        assert_eq!(patience.after(Trouble::NotReady, now), Verdict::Again(FIRST));
        assert_eq!(patience.after(Trouble::Unauthorized, now), Verdict::AgainWithNewToken);
        let refused = Verdict::GiveUp(StreamFailure::Unauthorized);
        assert_eq!(patience.after(Trouble::Unauthorized, now), refused);
        assert_eq!(patience.after(Trouble::Forbidden, now), Verdict::GiveUp(StreamFailure::Forbidden));
    }

    #[test]
    fn a_connection_gone_cold_is_replaced_at_once_but_only_once() {
        let now = Instant::now();
        let mut patience = Patience::opening(now + 10_000 * MS);
        assert_eq!(patience.after(Trouble::Unreachable, now), Verdict::Again(Duration::ZERO));
        assert_eq!(patience.after(Trouble::Unreachable, now), Verdict::Again(FIRST * 2));
    }

    #[test]
    fn each_status_has_one_meaning() {
        assert_eq!([200, 202, 204].map(Trouble::of_status), [None; 3]);
        assert_eq!([404, 424].map(Trouble::of_status), [Some(Trouble::NotReady); 2]);
        assert_eq!(Trouble::of_status(401), Some(Trouble::Unauthorized));
        assert_eq!(Trouble::of_status(403), Some(Trouble::Forbidden));
        assert_eq!(Trouble::of_status(503), Some(Trouble::Refused(503)));
    }
}
