//! Audio from the agent that the caller has not heard yet.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::clip::{bytes_within, duration_of, whole_samples};

/// Most audio that waits. The provider sends whole answers faster than real time (facts, section 4), so a bound as
/// short as the caller's would cut sentences. No answer in a conversation is this long.
const LONGEST: Duration = Duration::from_secs(120);

/// A queue of 8 kHz PCM in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct AgentAudio {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    /// Audio up to this event is dropped: the caller interrupted it.
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
    /// Appends audio of an event, unless that event was interrupted. Beyond two minutes the oldest audio is dropped.
    pub(crate) fn push(&mut self, event: i64, pcm: Bytes) {
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

    /// The caller interrupted the agent: drops the queue and all later audio up to this event.
    pub(crate) fn interrupt(&mut self, event: i64) {
        self.interrupted = Some(self.interrupted.map_or(event, |before| before.max(event)));
        self.clear();
    }

    /// Whether the caller interrupted this event.
    #[must_use]
    pub(crate) fn is_interrupted(&self, event: i64) -> bool {
        self.interrupted.is_some_and(|interrupted| event <= interrupted)
    }

    /// Drops the queue.
    pub(crate) fn clear(&mut self) {
        self.chunks.clear();
        self.bytes = 0;
    }

    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Length of the queued audio.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> Duration {
        duration_of(self.bytes)
    }

    /// Length of the audio dropped because too much was waiting.
    #[must_use]
    pub(crate) fn dropped(&self) -> Duration {
        self.dropped
    }

    /// The next piece, at most this many bytes. A piece within one chunk is a slice; only a joined piece is copied.
    #[must_use]
    pub(crate) fn piece(&mut self, at_most: usize) -> Bytes {
        let wanted = whole_samples(at_most).min(whole_samples(self.bytes));
        let first = self.next_run(wanted);
        if first.len() == wanted {
            return first;
        }
        self.join.reserve(wanted);
        self.join.extend_from_slice(&first);
        while self.join.len() < wanted {
            let next = self.next_run(wanted - self.join.len());
            if next.is_empty() {
                break;
            }
            self.join.extend_from_slice(&next);
        }
        self.join.split().freeze()
    }

    /// Puts back the unsent rest of a piece: it is played first, unless the caller interrupted it meanwhile.
    pub(crate) fn give_back(&mut self, pcm: Bytes) {
        let event = self.chunks.front().map(|chunk| chunk.event);
        let event = event.or(self.interrupted.map(|interrupted| interrupted.saturating_add(1))).unwrap_or(0);
        self.bytes = self.bytes.saturating_add(pcm.len());
        self.chunks.push_front(Chunk { event, pcm });
    }

    fn next_run(&mut self, at_most: usize) -> Bytes {
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
