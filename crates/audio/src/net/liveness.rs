//! When a peer that says nothing is asked whether it lives, and when it counts as dead. Only what is received counts.
//!
//! Pure: no clock, no I/O, no actor.

use std::time::{Duration, Instant};

/// A peer that was silent for this long is asked: a WebSocket ping, which a living server must answer (RFC 6455).
pub(crate) const ASK_AFTER: Duration = Duration::from_secs(2);
/// Time between two questions.
pub(crate) const ASK_EVERY: Duration = Duration::from_secs(1);
/// A peer that answers pings and was silent for this long is dead.
pub(crate) const DEAD_AFTER: Duration = Duration::from_secs(5);
/// The same for a peer that never answered a ping. Something in between may swallow them, so only the peer's own
/// rhythm is left to judge by.
pub(crate) const DEAD_WITHOUT_ANSWERS_AFTER: Duration = Duration::from_secs(20);
/// No verdict sooner after the first question: if precall itself was suspended, the peer was not silent, only unasked.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// What to do about a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing before this moment.
    WaitUntil(Instant),
    /// Ask it now.
    Ask,
    /// It is dead: it said nothing for this long.
    Dead(Duration),
}

/// How long one peer has been silent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Liveness {
    heard: Instant,
    /// The questions since then: the first and the last.
    asked: Option<(Instant, Instant)>,
    answers_pings: bool,
}

impl Liveness {
    pub(crate) fn new(now: Instant) -> Self {
        Self { heard: now, asked: None, answers_pings: false }
    }

    /// Something was received at this time.
    pub(crate) fn heard(&mut self, at: Instant) {
        if at > self.heard {
            self.heard = at;
            self.asked = None;
        }
    }

    /// The peer answered a ping.
    pub(crate) fn answered_ping(&mut self) {
        self.answers_pings = true;
    }

    /// When it counts as dead if it stays silent; none before it was asked.
    fn dead_at(&self) -> Option<Instant> {
        let (first, _) = self.asked?;
        let dead_after = if self.answers_pings { DEAD_AFTER } else { DEAD_WITHOUT_ANSWERS_AFTER };
        Some((self.heard + dead_after).max(first + ANSWER_WITHIN))
    }

    /// Call [`Self::asked`] after `Ask`.
    pub(crate) fn verdict(&self, now: Instant) -> Verdict {
        let (Some((_, last)), Some(dead_at)) = (self.asked, self.dead_at()) else {
            let ask_at = self.heard + ASK_AFTER;
            return if now >= ask_at { Verdict::Ask } else { Verdict::WaitUntil(ask_at) };
        };
        if now >= dead_at {
            return Verdict::Dead(now.saturating_duration_since(self.heard));
        }
        let ask_at = last + ASK_EVERY;
        if now >= ask_at { Verdict::Ask } else { Verdict::WaitUntil(ask_at.min(dead_at)) }
    }

    /// The peer was asked.
    pub(crate) fn asked(&mut self, now: Instant) {
        let first = self.asked.map_or(now, |(first, _)| first);
        self.asked = Some((first, now));
    }
}

#[cfg(test)]
mod tests;
