//! How much may be written now: audio a little ahead of the listener, by the clock and nothing else.
//!
//! Pure: no clock, no I/O, no actor.

use std::time::{Duration, Instant};

use super::clip::{bytes_within, duration_of};

/// A gap that is reported one by one.
const NOTICEABLE: Duration = Duration::from_millis(40);

/// How far ahead of the listener audio is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lead {
    /// Written again at the tick that is nearest to this being left.
    pub min: Duration,
    /// Never more than this.
    pub max: Duration,
    /// How often somebody asks.
    pub tick: Duration,
}

/// One leg's clock. What was written plays from the first write on without a pause, so the moment at which the listener
/// runs out of it is known to the sample; there is no drift, whenever somebody asks.
#[derive(Clone, Debug)]
pub struct Pace {
    lead: Lead,
    /// When the listener has heard all that was written. None before the first write.
    runs_out: Option<Instant>,
    gaps: Gaps,
}

/// What the listener missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// The longest time with nothing to hear.
    pub longest: Duration,
    /// Those over 40 ms.
    pub over_40ms: u32,
    /// Pieces written with less than two ticks of audio left.
    pub late: u32,
}

/// When a written piece is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Playing {
    /// Its first sample.
    pub from: Instant,
    /// How long there was nothing to hear before it.
    pub gap: Duration,
}

impl Pace {
    /// A clock that starts with the first write.
    #[must_use]
    pub fn new(lead: Lead) -> Self {
        Self { lead, runs_out: None, gaps: Gaps::default() }
    }

    /// Bytes to write now, whole samples, 0 while enough is ahead. After a stall it is not more than the lead: what was
    /// missed comes later, and never faster.
    #[must_use]
    pub fn due(&self, now: Instant) -> usize {
        let ahead = self.ahead(now);
        // At the tick nearest to the minimum: waiting for the one after it would write smaller pieces more often.
        if self.runs_out.is_some() && ahead >= self.lead.min.saturating_add(self.lead.tick / 2) {
            return 0;
        }
        self.room(now)
    }

    /// Bytes that may be written at most: the first ones of a stream, that it begins at once.
    #[must_use]
    pub fn room(&self, now: Instant) -> usize {
        bytes_within(self.lead.max.saturating_sub(self.ahead(now)))
    }

    /// Bytes were handed to the socket.
    pub fn wrote(&mut self, now: Instant, bytes: usize) -> Playing {
        let gap = self.runs_out.map_or(Duration::ZERO, |end| now.saturating_duration_since(end));
        if self.runs_out.is_some() && self.ahead(now) < self.lead.tick * 2 {
            self.gaps.late = self.gaps.late.saturating_add(1);
        }
        if gap > NOTICEABLE {
            self.gaps.over_40ms = self.gaps.over_40ms.saturating_add(1);
        }
        self.gaps.longest = self.gaps.longest.max(gap);
        // After a gap the clock starts anew here: the listener cannot catch up.
        let from = self.runs_out.map_or(now, |end| end.max(now));
        self.runs_out = Some(from + duration_of(bytes));
        Playing { from, gap }
    }

    /// How much the listener still has.
    #[must_use]
    pub fn ahead(&self, now: Instant) -> Duration {
        self.runs_out.map_or(Duration::ZERO, |end| end.saturating_duration_since(now))
    }

    /// What the listener missed so far.
    #[must_use]
    pub fn gaps(&self) -> Gaps {
        self.gaps
    }
}

#[cfg(test)]
mod tests;
