//! Pings of the agent and what came back. Pure.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::ear::ms;

/// Most pings that may wait for their pong; the oldest are given up.
const MOST_WAITING: usize = 100;

/// What became of the pings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PingFigures {
    /// Pings sent.
    pub sent: u64,
    /// Pongs that named one of them.
    pub answered: u64,
    /// The last round trip.
    pub last_rtt_us: Option<u64>,
    /// The longest round trip.
    pub longest_rtt_us: Option<u64>,
    /// How long the oldest ping without a pong has been waiting.
    pub unanswered_ms: Option<u64>,
}

/// The pings of one conversation.
#[derive(Debug)]
pub(super) struct Pings {
    every: Duration,
    next: Instant,
    waiting: VecDeque<(u64, Instant)>,
    figures: PingFigures,
}

impl Pings {
    /// The first is due at once.
    pub fn new(every: Duration, now: Instant) -> Self {
        Self { every, next: now, waiting: VecDeque::new(), figures: PingFigures::default() }
    }

    /// The event id of the ping that is due, and how long the last round trip took in milliseconds.
    pub fn due(&mut self, now: Instant) -> Option<(u64, Option<u64>)> {
        if now < self.next {
            return None;
        }
        self.next = now.checked_add(self.every).unwrap_or(now);
        self.figures.sent = self.figures.sent.saturating_add(1);
        if self.waiting.len() >= MOST_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back((self.figures.sent, now));
        Some((self.figures.sent, self.figures.last_rtt_us.map(|us| us / 1_000)))
    }

    /// A pong arrives; false when no ping of this id waits for one.
    pub fn pong(&mut self, event_id: i64, now: Instant) -> bool {
        let at = self.waiting.iter().position(|(id, _)| i64::try_from(*id) == Ok(event_id));
        let Some((_, sent)) = at.and_then(|at| self.waiting.remove(at)) else { return false };
        let rtt = u64::try_from(now.saturating_duration_since(sent).as_micros()).unwrap_or(u64::MAX);
        self.figures.answered = self.figures.answered.saturating_add(1);
        self.figures.last_rtt_us = Some(rtt);
        self.figures.longest_rtt_us = self.figures.longest_rtt_us.max(Some(rtt));
        true
    }

    pub fn figures(&self, now: Instant) -> PingFigures {
        let oldest = self.waiting.front().map(|(_, sent)| ms(now.saturating_duration_since(*sent)));
        PingFigures { unanswered_ms: oldest, ..self.figures.clone() }
    }
}
