//! What the caller has said and the agent has not been sent yet; a clock that never stops, since an agent that hears nothing at
//! all ends the conversation (facts, section 4: `transport_receive_timeout`).
//!
//! Pure: no clock, no I/O, no actor.

use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};

use crate::clip::{bytes_within, duration_of, whole_samples};

/// Older audio is of no use to anybody who talks: it is dropped, and counted.
const LONGEST: Duration = Duration::from_secs(2);
/// How far the PBX may be behind before silence is sent in its stead.
const LATE: Duration = Duration::from_millis(200);
/// How far ahead of the clock audio may be sent that comes in a burst.
const AHEAD: Duration = Duration::from_millis(100);

/// The caller's audio on its way to the agent, PCM as a leg gives it.
#[derive(Debug)]
pub struct CallerAudio {
    waiting: BytesMut,
    /// By this clock; `sent` runs along with it.
    began: Instant,
    sent: Duration,
    dropped: Duration,
}

impl CallerAudio {
    /// A clock that starts now.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { waiting: BytesMut::new(), began: now, sent: Duration::ZERO, dropped: Duration::ZERO }
    }

    /// The caller said this: whole samples. Beyond two seconds the oldest is dropped.
    pub fn hear(&mut self, pcm: &[u8]) {
        self.waiting.extend_from_slice(pcm);
        let over = self.waiting.len().saturating_sub(bytes_within(LONGEST));
        if over > 0 {
            self.waiting.advance(over);
            self.dropped = self.dropped.saturating_add(duration_of(over));
        }
    }

    /// Forgets what waits: nobody listened when it was said.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// What was dropped because it was too old.
    #[must_use]
    pub fn dropped(&self) -> Duration {
        self.dropped
    }

    /// Appends what the agent is to be sent now: what the caller said, and silence once the PBX is late.
    pub fn take_due(&mut self, now: Instant, piece: &mut BytesMut) {
        let clock = now.saturating_duration_since(self.began);
        let room = bytes_within((clock + AHEAD).saturating_sub(self.sent));
        let said = whole_samples(room.min(self.waiting.len()));
        piece.extend_from_slice(self.waiting.get(..said).unwrap_or_default());
        self.waiting.advance(said);
        self.sent += duration_of(said);
        // Always as far behind as the PBX may be: what it says next is not sent on top of a silence for the same time.
        let late = clock.saturating_sub(self.sent).saturating_sub(LATE);
        let silence = bytes_within(late.min(LONGEST));
        if silence > 0 {
            piece.resize(piece.len().saturating_add(silence), 0);
            // What is older than any silence that is sent for it is over.
            self.sent = clock.saturating_sub(LATE);
        }
    }
}

#[cfg(test)]
mod tests;
