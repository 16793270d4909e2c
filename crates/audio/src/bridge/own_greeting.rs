//! The first words of an agent that continues a conversation and cannot be kept from greeting: the agent does not allow
//! the override `agent.first_message`. The caller was greeted before, so these words are not played.
//!
//! The provider sends a greeting at once and faster than real time, so it is over when no audio comes for a while.
//!
//! Pure: no clock, no I/O, no actor.

use std::time::{Duration, Instant};

/// A greeting is over when no audio came for this long.
const PAUSE: Duration = Duration::from_millis(1_500);
/// An agent that sent no audio for this long has no greeting of its own.
const ABSENT: Duration = Duration::from_secs(3);

/// The greeting that is not played.
#[derive(Debug)]
pub(crate) struct OwnGreeting {
    began: Instant,
    last_audio: Option<Instant>,
}

impl OwnGreeting {
    /// The session began now.
    pub(crate) fn new(now: Instant) -> Self {
        Self { began: now, last_audio: None }
    }

    /// A piece of it arrived.
    pub(crate) fn on_audio(&mut self, now: Instant) {
        self.last_audio = Some(now);
    }

    /// Whether what comes from now on is an answer.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        match self.last_audio {
            Some(last) => now.saturating_duration_since(last) >= PAUSE,
            None => now.saturating_duration_since(self.began) >= ABSENT,
        }
    }
}

#[cfg(test)]
mod tests;
