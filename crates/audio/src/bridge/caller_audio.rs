//! Audio from the caller that the agent has not received yet. Its clock never stops: the provider ends a conversation
//! whose agent receives no audio at all (facts, section 4: `transport_receive_timeout`).
//!
//! Pure: no clock, no I/O, no actor.

use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};

use crate::clip::{bytes_within, duration_of, whole_samples};

/// Older audio is useless in a conversation: it is dropped and counted.
const LONGEST: Duration = Duration::from_secs(2);
/// Silence is sent when the PBX is behind by more than this.
const LATE: Duration = Duration::from_millis(200);
/// Audio that arrives in a burst may be sent this far ahead of the clock.
const AHEAD: Duration = Duration::from_millis(100);

/// The caller's audio on its way to the agent, 8 kHz PCM.
#[derive(Debug)]
pub(crate) struct CallerAudio {
    waiting: BytesMut,
    /// Start of the clock; `sent` follows it.
    began: Instant,
    sent: Duration,
    dropped: Duration,
}

impl CallerAudio {
    /// A clock that starts now.
    #[must_use]
    pub(crate) fn new(now: Instant) -> Self {
        Self { waiting: BytesMut::new(), began: now, sent: Duration::ZERO, dropped: Duration::ZERO }
    }

    /// Appends whole samples. Beyond two seconds the oldest audio is dropped.
    pub(crate) fn push(&mut self, pcm: &[u8]) {
        self.waiting.extend_from_slice(pcm);
        let over = self.waiting.len().saturating_sub(bytes_within(LONGEST));
        if over > 0 {
            self.waiting.advance(over);
            self.dropped = self.dropped.saturating_add(duration_of(over));
        }
    }

    /// Length of the audio dropped because it was too old.
    #[must_use]
    pub(crate) fn dropped(&self) -> Duration {
        self.dropped
    }

    /// Whether all that the caller said was taken.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Appends the audio to send now: the caller's, and silence when the PBX is late.
    pub(crate) fn take_due(&mut self, now: Instant, piece: &mut BytesMut) {
        let clock = now.saturating_duration_since(self.began);
        let room = bytes_within((clock + AHEAD).saturating_sub(self.sent));
        let said = whole_samples(room.min(self.waiting.len()));
        piece.extend_from_slice(self.waiting.get(..said).unwrap_or_default());
        self.waiting.advance(said);
        self.sent += duration_of(said);
        // Silence stays `LATE` behind the clock, so that late audio of the PBX still fits in after it.
        let late = clock.saturating_sub(self.sent).saturating_sub(LATE);
        let silence = bytes_within(late.min(LONGEST));
        if silence > 0 {
            piece.resize(piece.len().saturating_add(silence), 0);
            // Time before the silence is over, also when more than `LONGEST` was missing.
            self.sent = clock.saturating_sub(LATE);
        }
    }
}

#[cfg(test)]
mod tests;
