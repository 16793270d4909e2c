//! What waits for the database, on disk: frames in the order in which they came, taken out in that order.
//!
//! Rules over bytes: where the bytes are is [`Segments`]' affair, a directory ([`disk`]) or the memory of a test. No log library was found
//! that fits: those that are kept alive are databases, which keep what was taken out in their free pages (it is personal data) and
//! cannot be run on bytes whose crash is played.
//!
//! A frame is its length and its CRC-32, four bytes each, little-endian, and the payload. A segment is never appended to again
//! once an append to it failed, and never by another start, so that a frame that is torn ends its segment. What was appended
//! without an error is durable; what was appended with one may be there all the same, which does no harm: batches may be written twice.

pub mod batch;
pub mod disk;
pub mod handle;

use std::collections::{BTreeSet, VecDeque};
use std::io;

/// A segment is full when it has so many bytes: one that is taken out whole is deleted whole.
const SEGMENT_BYTES: u64 = 4 * 1024 * 1024;
/// Length and checksum.
const HEAD: usize = 8;
/// No frame of ours is longer; what claims to be is damaged.
const FRAME_MAX: usize = 256 * 1024 * 1024;

/// Where the bytes are: files named by numbers.
pub trait Segments {
    /// What is there, and how long each is, in the order of the numbers.
    ///
    /// # Errors
    /// When it cannot be listed.
    fn list(&mut self) -> io::Result<Vec<(u64, u64)>>;

    /// Some bytes of a segment.
    ///
    /// # Errors
    /// When they cannot be read, or are not there.
    fn read(&mut self, segment: u64, offset: u64, length: usize) -> io::Result<Vec<u8>>;

    /// Adds to the end of a segment, which begins with that. Durable when it returns.
    ///
    /// # Errors
    /// When it may not be durable; a part of it may be there.
    fn append(&mut self, segment: u64, bytes: &[u8]) -> io::Result<()>;

    /// Deletes a segment.
    ///
    /// # Errors
    /// When it is still there.
    fn remove(&mut self, segment: u64) -> io::Result<()>;

    /// Takes a damaged segment out of the way, for people.
    ///
    /// # Errors
    /// When it is still in the way.
    fn set_aside(&mut self, segment: u64) -> io::Result<()>;
}

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// As much waits as may.
    #[error("the spool is full: {bytes} bytes of {max}")]
    Full {
        /// That wait.
        bytes: u64,
        /// That may.
        max: u64,
    },
    /// The disk says no.
    #[error("the spool cannot be written: {0}")]
    Disk(#[from] io::Error),
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    segment: u64,
    offset: u64,
    payload: usize,
}

/// See the file.
#[derive(Debug)]
pub struct Spool<S> {
    segments: S,
    max: u64,
    frames: VecDeque<Frame>,
    bytes: u64,
    /// The one that is appended to, and where it ends.
    open: Option<(u64, u64)>,
    next: u64,
    /// They are kept when they are taken out.
    damaged: BTreeSet<u64>,
}

impl<S: Segments> Spool<S> {
    /// What is there. At most `max` bytes will wait.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(segments: S, max: u64) -> io::Result<Self> {
        let mut spool = Self {
            segments,
            max,
            frames: VecDeque::new(),
            bytes: 0,
            open: None,
            next: 1,
            damaged: BTreeSet::new(),
        };
        for (segment, length) in spool.segments.list()? {
            spool.scan(segment, length)?;
            spool.next = segment.saturating_add(1);
        }
        Ok(spool)
    }

    fn scan(&mut self, segment: u64, length: u64) -> io::Result<()> {
        let (mut offset, mut is_damaged) = (0_u64, false);
        while let Some(left) = length.checked_sub(offset).filter(|left| *left > 0) {
            let frame = match self.frame_at(segment, offset, left)? {
                Found::Whole(frame) => frame,
                Found::Torn => break,
                Found::Damaged => {
                    is_damaged = true;
                    break;
                }
            };
            offset = end_of(frame);
            self.frames.push_back(frame);
        }
        self.bytes = self.bytes.saturating_add(offset);
        if is_damaged {
            self.damaged.insert(segment);
        }
        if offset == 0 {
            self.dispose_of(segment)?;
        }
        Ok(())
    }

    fn frame_at(&mut self, segment: u64, offset: u64, left: u64) -> io::Result<Found> {
        let rest = usize::try_from(left).unwrap_or(usize::MAX);
        if rest < HEAD {
            return Ok(Found::Torn);
        }
        let head = self.segments.read(segment, offset, HEAD)?;
        let Some((payload, sum)) = parts(&head) else { return Ok(Found::Torn) };
        if payload > rest.saturating_sub(HEAD) {
            return Ok(Found::Torn);
        }
        if payload > 0 && payload <= FRAME_MAX {
            let frame = Frame { segment, offset, payload };
            if checksum(&self.payload(frame)?) == sum {
                return Ok(Found::Whole(frame));
            }
        }
        // A crash can leave zeros behind, or the last frame half written. Anything else was whole once.
        let is_last = payload == rest.saturating_sub(HEAD);
        let zeros = payload == 0 && self.segments.read(segment, offset, rest)?.iter().all(|byte| *byte == 0);
        Ok(if is_last || zeros { Found::Torn } else { Found::Damaged })
    }

    fn payload(&mut self, frame: Frame) -> io::Result<Vec<u8>> {
        self.segments.read(frame.segment, frame.offset.saturating_add(HEAD as u64), frame.payload)
    }

    /// Adds a frame behind all others. It is durable when this returns without an error.
    ///
    /// # Errors
    /// When it may not be, in which case it must be appended again or written elsewhere.
    pub fn append(&mut self, payload: &[u8]) -> Result<(), AppendError> {
        let added = (HEAD as u64).saturating_add(payload.len() as u64);
        let length = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= FRAME_MAX);
        let after = self.bytes.saturating_add(added);
        let Some(length) = length.filter(|_| after <= self.max) else {
            return Err(AppendError::Full { bytes: self.bytes, max: self.max });
        };
        let mut frame = Vec::with_capacity(payload.len().saturating_add(HEAD));
        frame.extend_from_slice(&length.to_le_bytes());
        frame.extend_from_slice(&checksum(payload).to_le_bytes());
        frame.extend_from_slice(payload);
        // Taken out until it worked: after an error nobody knows where the segment ends.
        let (segment, offset) = match self.open.take() {
            Some((segment, offset)) if offset < SEGMENT_BYTES => (segment, offset),
            Some(_) | None => {
                let segment = self.next;
                self.next = segment.saturating_add(1);
                (segment, 0)
            }
        };
        if let Err(error) = self.segments.append(segment, &frame) {
            if offset == 0 {
                // Half a frame is worth nothing, and its room may be what is missing.
                let _ = self.segments.remove(segment);
            }
            return Err(error.into());
        }
        self.frames.push_back(Frame { segment, offset, payload: payload.len() });
        self.bytes = after;
        self.open = Some((segment, offset.saturating_add(added)));
        Ok(())
    }

    /// Frames in their order, not taken out: after the first `skip`, as many as have `bytes` together, and at least one if there is one. Damaged
    /// ones are passed over, and their segments kept.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn peek(&mut self, skip: usize, bytes: usize) -> io::Result<Vec<Vec<u8>>> {
        let (mut found, mut size) = (Vec::new(), 0_usize);
        while let Some(frame) = self.frames.get(skip.saturating_add(found.len())).copied() {
            if !found.is_empty() && size.saturating_add(frame.payload) > bytes {
                break;
            }
            let head = self.segments.read(frame.segment, frame.offset, HEAD)?;
            let payload = self.payload(frame)?;
            if parts(&head) == Some((frame.payload, checksum(&payload))) {
                size = size.saturating_add(payload.len());
                found.push(payload);
            } else {
                self.pass_over(skip.saturating_add(found.len()))?;
            }
        }
        Ok(found)
    }

    /// A frame that cannot be used does not wait any more, and its segment is kept for people.
    ///
    /// # Errors
    /// When the segment could not be taken out of the way.
    pub fn pass_over(&mut self, index: usize) -> io::Result<()> {
        if let Some(frame) = self.frames.remove(index) {
            self.damaged.insert(frame.segment);
            self.bytes = self.bytes.saturating_sub(size_of(frame));
        }
        self.take_out(0)
    }

    /// The first `count` frames are in the database.
    ///
    /// # Errors
    /// When a segment that is no longer needed could not be deleted.
    pub fn take_out(&mut self, count: usize) -> io::Result<()> {
        let mut done = BTreeSet::new();
        for frame in self.frames.drain(..count.min(self.frames.len())) {
            done.insert(frame.segment);
            self.bytes = self.bytes.saturating_sub(size_of(frame));
        }
        done.extend(self.damaged.iter().copied());
        let first = self.frames.front().map(|frame| frame.segment);
        for segment in done.into_iter().filter(|segment| first.is_none_or(|first| *segment < first)) {
            if self.open.is_some_and(|(open, _)| open == segment) {
                self.open = None;
            }
            self.dispose_of(segment)?;
        }
        Ok(())
    }

    fn dispose_of(&mut self, segment: u64) -> io::Result<()> {
        if self.damaged.remove(&segment) {
            self.segments.set_aside(segment)
        } else {
            self.segments.remove(segment)
        }
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Frames that wait.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.frames.len()
    }

    /// Bytes that wait.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where the bytes are.
    pub fn segments(&mut self) -> &mut S {
        &mut self.segments
    }
}

enum Found {
    Whole(Frame),
    /// Nothing follows.
    Torn,
    /// Something may follow, and cannot be found.
    Damaged,
}

fn size_of(frame: Frame) -> u64 {
    (HEAD as u64).saturating_add(frame.payload as u64)
}

fn end_of(frame: Frame) -> u64 {
    frame.offset.saturating_add(size_of(frame))
}

fn parts(head: &[u8]) -> Option<(usize, u32)> {
    let (length, sum) = head.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    Some((length, u32::from_le_bytes(*sum.first_chunk::<4>()?)))
}

fn checksum(payload: &[u8]) -> u32 {
    crc32fast::hash(payload)
}

#[cfg(test)]
mod tests;
