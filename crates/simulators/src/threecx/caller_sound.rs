//! The caller's sound in one GET stream: 20 ms pieces in chunks of all sizes, odd sizes too, as the real PBX sends
//! them (facts page, section 1.5).

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::ending::Ending;

const SAMPLES_PER_SECOND: u32 = 8_000;
const BYTES_PER_SECOND: u64 = 16_000;
const PIECE: u64 = 320;
const PIECE_TIME: Duration = Duration::from_millis(20);
/// Chunks that may wait for a client that reads slowly; later ones are lost.
const MOST_WAITING: usize = 256;
/// Half the height of the tone.
const LOUDNESS: i32 = 6_000;
const LOUDEST_TONE: u32 = 3_400;
/// Most bytes of another leg that wait to be sent: five seconds.
const MOST_FED: usize = 80_000;

/// What a caller says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaks {
    /// Nothing at all: digital silence.
    Silence,
    /// A steady tone of this many Hz, at most 3,400.
    Tone(u32),
}

impl Default for Speaks {
    fn default() -> Self {
        Self::Tone(440)
    }
}

impl Speaks {
    /// Two seconds of it; the second repeats the first, so that any cut of a second can be taken from it.
    pub(super) fn sound(self) -> Bytes {
        let hz = match self {
            Self::Silence => return Bytes::from(vec![0; 32_000]),
            Self::Tone(hz) => hz.clamp(1, LOUDEST_TONE),
        };
        let sample = |n: u32| {
            // A triangle: as recognisable as a sine, and it needs no fractions.
            let phase = i32::try_from(n.wrapping_mul(hz) % SAMPLES_PER_SECOND).unwrap_or(0);
            let height = if phase < 4_000 { phase - 2_000 } else { 6_000 - phase };
            i16::try_from(height * LOUDNESS / 2_000).unwrap_or(0).to_le_bytes()
        };
        let second: Vec<u8> = (0..SAMPLES_PER_SECOND).flat_map(sample).collect();
        Bytes::from([second.as_slice(), second.as_slice()].concat())
    }
}

/// What became of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listener {
    There,
    Left,
}

/// One GET stream.
#[derive(Debug)]
pub(super) struct CallerSound {
    chunks: mpsc::Sender<io::Result<Bytes>>,
    sound: Bytes,
    /// What another leg of the call plays; none where the sound repeats.
    live: Option<VecDeque<u8>>,
    began: Instant,
    /// Bytes sent, or lost to a reader that is too slow.
    sent: u64,
    dice: u64,
}

impl CallerSound {
    /// A stream that begins now, and what its client reads.
    pub fn begin(sound: Bytes, seed: u64, now: Instant) -> (Self, mpsc::Receiver<io::Result<Bytes>>) {
        let (chunks, reader) = mpsc::channel(MOST_WAITING);
        let dice = seed.wrapping_mul(2).wrapping_add(1);
        (Self { chunks, sound, live: None, began: now, sent: 0, dice }, reader)
    }

    /// The same, with what [`Self::feed`] brings in place of a sound; silence where it brings nothing.
    pub fn relay(seed: u64, now: Instant) -> (Self, mpsc::Receiver<io::Result<Bytes>>) {
        let (stream, reader) = Self::begin(Bytes::new(), seed, now);
        (Self { live: Some(VecDeque::new()), ..stream }, reader)
    }

    /// Another leg plays this. What waits for too long is lost.
    pub fn feed(&mut self, piece: &[u8]) {
        let Some(live) = &mut self.live else { return };
        live.extend(piece);
        let over = live.len().saturating_sub(MOST_FED);
        live.drain(..over.next_multiple_of(2).min(live.len()));
    }

    /// Sends what is due by now.
    pub fn tick(&mut self, now: Instant) -> Listener {
        let pieces = now.saturating_duration_since(self.began).as_millis() / PIECE_TIME.as_millis();
        let due = u64::try_from(pieces).unwrap_or(u64::MAX).saturating_add(1).saturating_mul(PIECE);
        let held = self.roll() % (PIECE / 2);
        let Some(mut ready) = due.saturating_sub(held).checked_sub(self.sent) else { return Listener::There };
        if ready > BYTES_PER_SECOND {
            // The simulator was delayed; sound older than a second is lost.
            self.sent = self.sent.saturating_add(ready - BYTES_PER_SECOND);
            ready = BYTES_PER_SECOND;
        }
        if self.roll().is_multiple_of(4) && ready > 2 {
            let first = self.roll() % (ready - 1) + 1;
            if self.send(first) == Listener::Left {
                return Listener::Left;
            }
            ready -= first;
        }
        self.send(ready)
    }

    /// Sends no sound for now; the sound of this time is lost.
    pub fn stall(&mut self, now: Instant) -> Listener {
        self.sent = super::ear::bytes(now.saturating_duration_since(self.began));
        if self.chunks.is_closed() { Listener::Left } else { Listener::There }
    }

    /// Ends it.
    pub fn end(self, ending: Ending) {
        match ending {
            Ending::Clean | Ending::Replaced => {}
            Ending::Reset => {
                // A full queue means that the client does not read; it will find the end all the same.
                let _full = self.chunks.try_send(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
            }
        }
    }

    fn send(&mut self, count: u64) -> Listener {
        if let Some(live) = &mut self.live {
            let wanted = usize::try_from(count).unwrap_or(0);
            let mut piece: Vec<u8> = live.drain(..wanted.min(live.len())).collect();
            piece.resize(wanted, 0);
            self.sent = self.sent.saturating_add(count);
            return self.hand_over(Bytes::from(piece));
        }
        let from = usize::try_from(self.sent % BYTES_PER_SECOND).unwrap_or(0);
        let to = from.saturating_add(usize::try_from(count).unwrap_or(0)).min(self.sound.len());
        self.sent = self.sent.saturating_add(count);
        if from == to {
            return Listener::There;
        }
        self.hand_over(self.sound.slice(from..to))
    }

    fn hand_over(&self, chunk: Bytes) -> Listener {
        if chunk.is_empty() {
            return Listener::There;
        }
        match self.chunks.try_send(Ok(chunk)) {
            Ok(()) | Err(TrySendError::Full(_)) => Listener::There,
            Err(TrySendError::Closed(_)) => Listener::Left,
        }
    }

    /// Numbers that look random and are the same in every run.
    fn roll(&mut self) -> u64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.dice >> 33
    }
}
