//! Whether the body of an answer makes progress. A body that stops or trickles must not use up the whole deadline of
//! its exchange.
//!
//! Pure: no clock, no I/O, no actor.

use std::time::{Duration, Instant};

/// Within this time a body has to bring [`PROGRESS_BYTES`], or its end.
pub const PROGRESS_WITHIN: Duration = Duration::from_secs(5);
/// A sixteenth of what one telephone call needs in that time.
pub const PROGRESS_BYTES: usize = 5_000;

/// The progress of one body.
#[derive(Clone, Copy, Debug)]
pub struct BodyProgress {
    since: Instant,
    bytes: usize,
}

impl BodyProgress {
    /// Of a body that begins now.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { since: now, bytes: 0 }
    }

    /// Until when the next bytes, or the end, have to come.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.since + PROGRESS_WITHIN
    }

    /// Bytes were received.
    pub fn received(&mut self, bytes: usize, now: Instant) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes >= PROGRESS_BYTES {
            *self = Self::new(now);
        }
    }
}

#[cfg(test)]
mod tests;
