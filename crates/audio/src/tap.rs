//! A tap: a copy of a call's audio for one listener, both directions.
//!
//! The shard writes and never waits: it takes the lock only if it is free, and keeps what it could not hand over. Both
//! sides are bounded by two seconds of audio; beyond that the oldest frames are dropped and counted. A leg without a
//! listener pays one branch for each chunk of audio.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::clip::{SAMPLE, bytes_within, duration_of};

/// Samples a second: what 3CX sends and takes.
pub const TAP_RATE: u32 = 8_000;
/// Longest frame. Longer pieces are cut.
const FRAME: Duration = Duration::from_millis(20);
/// Most frames that wait for the listener: two seconds of both directions.
const FRAMES_MAX: usize = 200;
/// Audio of one channel that comes this close to the end of the last one follows it without a gap.
const GAP_MIN: i64 = 1_600;

/// Whose audio a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapChannel {
    /// The caller's, as the PBX sent it.
    Caller,
    /// What the caller hears: announcements, music or the agent, as the PBX took it.
    ToCaller,
}

impl TapChannel {
    /// Both, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Caller, Self::ToCaller];

    fn index(self) -> usize {
        match self {
            Self::Caller => 0,
            Self::ToCaller => 1,
        }
    }
}

/// A piece of audio, at most 20 ms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapFrame {
    /// Whose audio it is.
    pub channel: TapChannel,
    /// Its first sample, counted from the begin of the tap. Both channels have the same clock. A missing number is
    /// audio that was dropped, or time without audio.
    pub position: u32,
    /// Signed 16 bits, little endian, mono, 8 kHz.
    pub pcm: Bytes,
}

/// Why a tap ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapEnd {
    /// The caller had not heard the notice to its end: no frame was given.
    NoticeNotHeard,
    /// The call is over.
    CallEnded,
    /// The caller is with a person, or with an agent outside precall.
    HandedOver,
}

impl TapEnd {
    const ALL: [Self; 3] = [Self::NoticeNotHeard, Self::CallEnded, Self::HandedOver];

    fn number(self) -> u8 {
        match self {
            Self::NoticeNotHeard => 1,
            Self::CallEnded => 2,
            Self::HandedOver => 3,
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Number of the [`TapEnd`]; 0 while there is none. The first one counts.
    end: AtomicU8,
    /// The leg's audio has ended, or the listener is gone: nothing more will come.
    is_closed: AtomicBool,
    /// The listener is gone.
    is_abandoned: AtomicBool,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<TapFrame>,
    dropped: u64,
}

impl Shared {
    fn end(&self, why: TapEnd) {
        let _is_later = self.end.compare_exchange(0, why.number(), Ordering::AcqRel, Ordering::Acquire);
    }
}

/// A tap's two ends, and the handle to end it.
#[must_use]
pub fn tap() -> (TapWriter, TapReader, TapControl) {
    let frames = VecDeque::with_capacity(FRAMES_MAX);
    let shared =
        Arc::new(Shared { waiting: Mutex::new(Waiting { frames, dropped: 0 }), ..Shared::default() });
    let writer = TapWriter {
        shared: Arc::clone(&shared),
        kept: VecDeque::with_capacity(FRAMES_MAX),
        dropped: 0,
        clock: Clock { began: Instant::now(), next: [0; 2] },
    };
    let reader = TapReader { shared: Arc::clone(&shared), dropped: 0 };
    (writer, reader, TapControl(shared))
}

/// The listener's end.
#[derive(Debug)]
pub struct TapReader {
    shared: Arc<Shared>,
    dropped: u64,
}

impl TapReader {
    /// Moves all frames that wait to the end of `frames`. Takes the lock for as long as two pointers are swapped, if
    /// `frames` is empty.
    pub fn take(&mut self, frames: &mut VecDeque<TapFrame>) {
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if frames.is_empty() && frames.capacity() >= FRAMES_MAX {
            std::mem::swap(&mut waiting.frames, frames);
        } else {
            frames.append(&mut waiting.frames);
        }
        self.dropped = waiting.dropped;
    }

    /// Frames dropped so far because the listener was too slow.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Why the tap ended, if it did.
    #[must_use]
    pub fn ended(&self) -> Option<TapEnd> {
        let number = self.shared.end.load(Ordering::Acquire);
        TapEnd::ALL.into_iter().find(|end| end.number() == number)
    }

    /// Whether no more frames will come.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed.load(Ordering::Acquire)
    }

    /// A queue of the right size for [`Self::take`].
    #[must_use]
    pub fn queue() -> VecDeque<TapFrame> {
        VecDeque::with_capacity(FRAMES_MAX)
    }
}

impl Drop for TapReader {
    fn drop(&mut self) {
        self.shared.is_abandoned.store(true, Ordering::Release);
        self.shared.is_closed.store(true, Ordering::Release);
    }
}

/// Ends a tap. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TapControl(Arc<Shared>);

impl TapControl {
    /// Ends the tap. The first reason counts.
    pub fn end(&self, why: TapEnd) {
        self.0.end(why);
        self.0.is_closed.store(true, Ordering::Release);
    }

    /// Whether the listener is gone. One who is there may still wait for the reason after the audio has ended.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.0.is_abandoned.load(Ordering::Acquire)
    }
}

/// The shard's end. It never waits, and copies no audio.
#[derive(Debug)]
pub struct TapWriter {
    shared: Arc<Shared>,
    /// What could not be handed over because the listener held the lock.
    kept: VecDeque<TapFrame>,
    /// Frames dropped from `kept` since the last hand-over.
    dropped: u64,
    clock: Clock,
}

#[derive(Debug)]
struct Clock {
    began: Instant,
    /// The sample after the last one, of each channel.
    next: [i64; 2],
}

impl Clock {
    /// The position of audio that begins `at`. Audio that comes in bursts stays without gaps.
    fn place(&mut self, channel: TapChannel, at: Instant, samples: usize) -> u32 {
        let since = at.saturating_duration_since(self.began).as_micros() / 125;
        let now = i64::try_from(since).unwrap_or(i64::MAX);
        let Some(next) = self.next.get_mut(channel.index()) else { return 0 };
        if now.saturating_sub(*next) > GAP_MIN || *next == 0 {
            *next = now.max(*next);
        }
        let position = *next;
        *next = position.saturating_add(i64::try_from(samples).unwrap_or(i64::MAX));
        u32::try_from(position).unwrap_or(u32::MAX)
    }
}

impl TapWriter {
    /// Writes audio that begins `at`, whole samples. Returns whether the listener is still there.
    pub fn write(&mut self, channel: TapChannel, at: Instant, pcm: &Bytes) -> bool {
        if self.shared.is_closed.load(Ordering::Acquire) {
            return false;
        }
        let mut rest = pcm.clone();
        // Of more than fits only the end is kept.
        let most = bytes_within(FRAME).saturating_mul(FRAMES_MAX / 2);
        let mut at = at;
        if rest.len() > most {
            let over = rest.split_to(rest.len() - most);
            at += duration_of(over.len());
        }
        while !rest.is_empty() {
            let pcm = rest.split_to(rest.len().min(bytes_within(FRAME)));
            let position = self.clock.place(channel, at, pcm.len() / SAMPLE);
            at += duration_of(pcm.len());
            self.push(TapFrame { channel, position, pcm });
        }
        self.hand_over();
        true
    }

    fn push(&mut self, frame: TapFrame) {
        if self.kept.len() >= FRAMES_MAX {
            self.kept.pop_front();
            self.dropped = self.dropped.saturating_add(1);
        }
        self.kept.push_back(frame);
    }

    /// Gives the listener what is kept, unless it holds the lock at this moment.
    fn hand_over(&mut self) {
        let mut waiting = match self.shared.waiting.try_lock() {
            Ok(waiting) => waiting,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let mut dropped = std::mem::take(&mut self.dropped);
        for frame in self.kept.drain(..) {
            if waiting.frames.len() >= FRAMES_MAX {
                waiting.frames.pop_front();
                dropped = dropped.saturating_add(1);
            }
            waiting.frames.push_back(frame);
        }
        waiting.dropped = waiting.dropped.saturating_add(dropped);
    }

    /// Refuses the tap: the caller has not heard the notice.
    pub(crate) fn refuse(self) {
        self.shared.end(TapEnd::NoticeNotHeard);
    }
}

impl Drop for TapWriter {
    fn drop(&mut self) {
        self.hand_over();
        self.shared.is_closed.store(true, Ordering::Release);
    }
}

/// The taps of one leg.
#[derive(Debug, Default)]
pub(crate) struct Taps {
    is_on: Cell<bool>,
    writers: RefCell<Vec<TapWriter>>,
}

impl Taps {
    /// Adds a listener.
    pub(crate) fn add(&self, writer: TapWriter) {
        self.writers.borrow_mut().push(writer);
        self.is_on.set(true);
    }

    /// Whether somebody listens: all that a leg without a listener asks.
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.get()
    }

    /// Writes audio to all listeners, and forgets those that are gone.
    pub(crate) fn write(&self, channel: TapChannel, at: Instant, pcm: &Bytes) {
        let mut writers = self.writers.borrow_mut();
        writers.retain_mut(|writer| writer.write(channel, at, pcm));
        self.is_on.set(!writers.is_empty());
    }

    /// Ends all taps: the leg's audio has ended.
    pub(crate) fn close(&self) {
        self.is_on.set(false);
        self.writers.borrow_mut().clear();
    }
}

#[cfg(test)]
mod tests;
