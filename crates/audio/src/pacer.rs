//! How many bytes may be written now, so that audio stays a little ahead of the listener. Depends on the clock alone.
//!
//! Pure: no clock, no I/O, no actor.

use std::time::{Duration, Instant};

use crate::clip::{bytes_within, duration_of};

/// Longer gaps are counted.
const COUNTED_GAP: Duration = Duration::from_millis(40);

/// How far ahead of the listener audio is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lead {
    /// The next piece is written at the tick closest to when this much is left.
    pub(crate) min: Duration,
    /// Audio is never further ahead than this.
    pub(crate) max: Duration,
    /// Time between two ticks.
    pub(crate) tick: Duration,
}

/// One leg's clock. Written audio plays without a pause from the first write on, so the time at which the listener runs
/// out of audio is known to the sample. It does not drift, whatever the times of the calls.
#[derive(Clone, Debug)]
pub(crate) struct Pacer {
    lead: Lead,
    /// When the listener has heard everything written. None before the first write.
    runs_out: Option<Instant>,
    gaps: Gaps,
}

/// Times in which the listener had nothing to hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gaps {
    pub(crate) longest: Duration,
    /// Gaps over 40 ms.
    pub(crate) over_40ms: u32,
    /// Pieces written with less than two ticks of audio left.
    pub(crate) late: u32,
}

/// When a written piece is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PieceTiming {
    /// When its first sample is heard.
    pub(crate) starts_at: Instant,
    /// How long there was nothing to hear before it.
    pub(crate) gap: Duration,
}

impl Pacer {
    /// A clock that starts with the first write.
    #[must_use]
    pub(crate) fn new(lead: Lead) -> Self {
        Self { lead, runs_out: None, gaps: Gaps::default() }
    }

    /// Bytes to write now, whole samples; 0 while enough is ahead. Never more than the lead: after a stall the missed
    /// audio follows at normal speed.
    #[must_use]
    pub(crate) fn due(&self, now: Instant) -> usize {
        let ahead = self.ahead(now);
        // Writes at the tick closest to the minimum: writing at every tick below it would send smaller pieces more
        // often.
        if self.runs_out.is_some() && ahead >= self.lead.min.saturating_add(self.lead.tick / 2) {
            return 0;
        }
        self.room(now)
    }

    /// Most bytes that may be written now. A new stream writes them at once, without waiting for a tick.
    #[must_use]
    pub(crate) fn room(&self, now: Instant) -> usize {
        bytes_within(self.lead.max.saturating_sub(self.ahead(now)))
    }

    /// Records that `bytes` bytes were handed to the socket.
    pub(crate) fn wrote(&mut self, now: Instant, bytes: usize) -> PieceTiming {
        let gap = self.runs_out.map_or(Duration::ZERO, |end| now.saturating_duration_since(end));
        if self.runs_out.is_some() && self.ahead(now) < self.lead.tick * 2 {
            self.gaps.late = self.gaps.late.saturating_add(1);
        }
        if gap > COUNTED_GAP {
            self.gaps.over_40ms = self.gaps.over_40ms.saturating_add(1);
        }
        self.gaps.longest = self.gaps.longest.max(gap);
        // After a gap the clock starts again at `now`: the listener cannot catch up.
        let starts_at = self.runs_out.map_or(now, |end| end.max(now));
        self.runs_out = Some(starts_at + duration_of(bytes));
        PieceTiming { starts_at, gap }
    }

    /// How much written audio the listener has not heard yet.
    #[must_use]
    pub(crate) fn ahead(&self, now: Instant) -> Duration {
        self.runs_out.map_or(Duration::ZERO, |end| end.saturating_duration_since(now))
    }

    /// The gaps so far.
    #[must_use]
    pub(crate) fn gaps(&self) -> Gaps {
        self.gaps
    }
}

#[cfg(test)]
mod tests;
