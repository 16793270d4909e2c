//! What the agent has said and the caller has not heard yet.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::clip::{bytes_within, duration_of, whole_samples};

/// How much of it is kept. The provider sends whole answers faster than they are heard (facts, section 4), so a bound as short
/// as the other way's would cut sentences; no answer of a conversation is this long.
const LONGEST: Duration = Duration::from_secs(120);

/// A queue of PCM as a leg takes it, in the order in which it came.
#[derive(Debug, Default)]
pub struct AgentAudio {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    /// Nothing up to this event is heard any more.
    interrupted: Option<i64>,
    dropped: Duration,
    join: BytesMut,
}

#[derive(Debug)]
struct Chunk {
    event: i64,
    pcm: Bytes,
}

impl AgentAudio {
    /// The provider sent audio of this event. Late pieces of an interrupted one are dropped; beyond two minutes the oldest go.
    pub fn say(&mut self, event: i64, pcm: Bytes) {
        if self.is_interrupted(event) || pcm.is_empty() {
            return;
        }
        self.bytes = self.bytes.saturating_add(pcm.len());
        self.chunks.push_back(Chunk { event, pcm });
        while self.bytes > bytes_within(LONGEST) {
            let Some(oldest) = self.chunks.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(oldest.pcm.len());
            self.dropped = self.dropped.saturating_add(duration_of(oldest.pcm.len()));
        }
    }

    /// The caller spoke: nothing of what was said up to this event is heard any more.
    pub fn interrupt(&mut self, event: i64) {
        self.interrupted = Some(self.interrupted.map_or(event, |before| before.max(event)));
        self.clear();
    }

    /// Whether audio of this event comes too late.
    #[must_use]
    pub fn is_interrupted(&self, event: i64) -> bool {
        self.interrupted.is_some_and(|interrupted| event <= interrupted)
    }

    /// Forgets what is waiting.
    pub fn clear(&mut self) {
        self.chunks.clear();
        self.bytes = 0;
    }

    /// Whether nothing is waiting.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// How long what is waiting sounds.
    #[must_use]
    pub fn waiting(&self) -> Duration {
        duration_of(self.bytes)
    }

    /// What was dropped because too much was waiting.
    #[must_use]
    pub fn dropped(&self) -> Duration {
        self.dropped
    }

    /// The next piece, at most so many bytes. Within one chunk it is a slice of it; only a join is copied.
    #[must_use]
    pub fn piece(&mut self, at_most: usize) -> Bytes {
        let wanted = whole_samples(at_most).min(whole_samples(self.bytes));
        let first = self.run(wanted);
        if first.len() == wanted {
            return first;
        }
        self.join.reserve(wanted);
        self.join.extend_from_slice(&first);
        while self.join.len() < wanted {
            let next = self.run(wanted - self.join.len());
            if next.is_empty() {
                break;
            }
            self.join.extend_from_slice(&next);
        }
        self.join.split().freeze()
    }

    /// What no connection took is heard first when there is one again, unless the caller interrupted it meanwhile.
    pub fn give_back(&mut self, pcm: Bytes) {
        let event = self.chunks.front().map(|chunk| chunk.event);
        let event = event.or(self.interrupted.map(|interrupted| interrupted.saturating_add(1))).unwrap_or(0);
        self.bytes = self.bytes.saturating_add(pcm.len());
        self.chunks.push_front(Chunk { event, pcm });
    }

    fn run(&mut self, at_most: usize) -> Bytes {
        let Some(chunk) = self.chunks.front_mut() else { return Bytes::new() };
        let taken = chunk.pcm.split_to(at_most.min(chunk.pcm.len()));
        self.bytes = self.bytes.saturating_sub(taken.len());
        if chunk.pcm.is_empty() {
            self.chunks.pop_front();
        }
        taken
    }
}

#[cfg(test)]
mod tests;
