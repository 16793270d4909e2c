//! One utterance of the agent: cut into pieces, sent at its pace, measured by what the caller has heard. Pure.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::act::{Pace, StallAt};
use super::ear::ms;
use super::format::AgentAudio;

/// One utterance.
#[derive(Debug)]
pub(super) struct Utterance {
    pub event_id: u64,
    format: AgentAudio,
    /// A tenth of a second, which is repeated.
    cycle: Bytes,
    total: u64,
    sent: u64,
    pace: Pace,
    paced_from: Instant,
    pieces_sent: u64,
    stall: Option<StallAt>,
    stalled_until: Option<Instant>,
    began: Instant,
    /// When the caller will have heard everything that was sent.
    end: Instant,
}

impl Utterance {
    pub fn new(event_id: u64, format: AgentAudio, hz: u32, length_ms: u64, pace: Pace, now: Instant) -> Self {
        Self {
            event_id,
            format,
            cycle: format.cycle(hz),
            total: format.samples(length_ms),
            sent: 0,
            pace,
            paced_from: now,
            pieces_sent: 0,
            stall: None,
            stalled_until: None,
            began: now,
            end: now,
        }
    }

    pub(crate) fn stalling(mut self, stall: Option<StallAt>) -> Self {
        self.stall = stall;
        self
    }

    /// The next piece, when it is due.
    pub fn due(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.is_sent() || self.is_stalled(now) {
            return None;
        }
        if let Some(rounds) =
            ms(now.saturating_duration_since(self.paced_from)).checked_div(self.pace.every_ms)
            && self.pieces_sent >= rounds.saturating_add(1).saturating_mul(self.pace.pieces)
        {
            return None;
        }
        let piece = self.piece(now);
        if self.stall.is_some_and(|stall| ms(self.format.time(self.sent)) >= stall.at_ms) {
            let pause = self.stall.take().map_or(0, |stall| stall.ms);
            self.stalled_until = now.checked_add(Duration::from_millis(pause));
        }
        Some(piece)
    }

    /// The next piece, due or not; empty when there is none.
    pub fn piece(&mut self, now: Instant) -> Vec<u8> {
        let left = self.total.saturating_sub(self.sent);
        let samples = self.format.samples(self.pace.piece_ms).max(1).min(left);
        let piece = self.sound(samples);
        self.sent = self.sent.saturating_add(samples);
        self.pieces_sent = self.pieces_sent.saturating_add(1);
        self.end = self.end.max(now).checked_add(self.format.time(samples)).unwrap_or(now);
        piece
    }

    /// The next samples of the tone, this many.
    fn sound(&self, samples: u64) -> Vec<u8> {
        let width = self.format.width();
        let cycle = u64::try_from(self.cycle.len()).unwrap_or(u64::MAX).max(1);
        let mut from = usize::try_from(self.sent.saturating_mul(width) % cycle).unwrap_or(0);
        let count = usize::try_from(samples.saturating_mul(width)).unwrap_or(0);
        let mut sound = Vec::with_capacity(count);
        while sound.len() < count {
            let rest = self.cycle.get(from..).unwrap_or_default();
            let part = rest.get(..count.saturating_sub(sound.len())).unwrap_or(rest);
            if part.is_empty() {
                break;
            }
            sound.extend_from_slice(part);
            from = 0;
        }
        sound
    }

    fn is_stalled(&mut self, now: Instant) -> bool {
        let Some(until) = self.stalled_until else { return false };
        if now < until {
            return true;
        }
        self.stalled_until = None;
        self.paced_from = until;
        self.pieces_sent = 0;
        false
    }

    pub(crate) fn is_sent(&self) -> bool {
        self.sent >= self.total
    }

    /// Whether the caller has heard all of it.
    pub(crate) fn is_played(&self, now: Instant) -> bool {
        self.is_sent() && now >= self.end
    }

    pub fn began(&self) -> Instant {
        self.began
    }

    /// How long it is.
    pub fn length(&self) -> Duration {
        self.format.time(self.total)
    }

    /// How much was sent.
    pub fn sent(&self) -> Duration {
        self.format.time(self.sent)
    }

    /// How much of it the caller has heard.
    pub fn heard(&self, now: Instant) -> Duration {
        self.sent().saturating_sub(self.end.saturating_duration_since(now))
    }
}
