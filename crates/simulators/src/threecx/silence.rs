//! When the caller hears nothing at all, and for how long. Pure: times are arguments.
//!
//! No audio is kept. Sound that is written, but is only line noise, counts as silence.

use std::time::{Duration, Instant};

use serde::Serialize;

/// Shorter silences belong to speech and music; they are not kept.
const KEPT: Duration = Duration::from_secs(1);
/// Most silences that are kept of one call.
const MOST_KEPT: usize = 1_000;

/// A time in which the caller heard nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Silence {
    /// Its beginning: RFC 3339 with microseconds.
    pub from: String,
    /// Its length. A silence that goes on is as long as it is now.
    pub ms: u64,
}

/// The silences of one call, from the moment in which the caller can hear until the leg is gone.
#[derive(Debug, Default)]
pub(super) struct Silences {
    /// Until when the caller hears something; before the first sound, since when the caller listens.
    until: Option<Instant>,
    over: Option<Instant>,
    kept: Vec<(Instant, Duration)>,
}

impl Silences {
    /// The caller listens from now on.
    pub fn listen(&mut self, now: Instant) {
        self.until.get_or_insert(now);
    }

    /// Something is heard in this time, which is not before the time that was given last.
    pub fn sound(&mut self, from: Instant, to: Instant) {
        if self.over.is_some() {
            return;
        }
        if let Some(until) = self.until {
            self.note(until, from);
        }
        self.until = Some(self.until.map_or(to, |until| until.max(to)));
    }

    /// The leg is gone.
    pub fn stop(&mut self, now: Instant) {
        if self.over.is_some() {
            return;
        }
        self.over = Some(now);
        if let Some(until) = self.until {
            self.note(until, now);
        }
    }

    /// All that were long, in order. The last one may go on.
    pub fn long_ones(&self, now: Instant) -> Vec<(Instant, Duration)> {
        let running = self.until.filter(|_| self.over.is_none()).map(|until| (until, since(until, now)));
        self.kept.iter().copied().chain(running.filter(|(_, length)| *length >= KEPT)).collect()
    }

    fn note(&mut self, from: Instant, to: Instant) {
        let length = since(from, to);
        if length >= KEPT && self.kept.len() < MOST_KEPT {
            self.kept.push((from, length));
        }
    }
}

fn since(from: Instant, to: Instant) -> Duration {
    to.saturating_duration_since(from)
}
