//! The spool: batches that wait for the database, on disk, as frames in first-in first-out order.
//!
//! This file holds the rules; [`Segments`] holds the bytes: a directory ([`disk`]), or the memory of a test. No
//! maintained log library fits: they are databases, which keep removed data (here personal data) in free pages, and
//! they cannot run on bytes that a test crashes.
//!
//! A frame is its length and its CRC-32, four bytes each, little-endian, and the payload. After a failed append precall
//! opens a new segment, and so does every new start: a torn frame is always the last of its segment. A successful
//! append is durable. A failed append may have stored the frame all the same. That does no harm: batches may be written
//! twice.
//!
//! Pure: no clock, no I/O, no actor.

pub mod acknowledged;
pub mod batch;
pub mod disk;
pub mod handle;
pub mod room;

use std::collections::{BTreeSet, VecDeque};
use std::io;

/// A segment of this size is full. A segment is deleted as a whole, when all its frames are in the database.
const SEGMENT_BYTES: u64 = 4 * 1024 * 1024;
/// Bytes of length and checksum.
const HEAD: usize = 8;
/// Maximum payload of a frame. A longer one is damaged.
const FRAME_MAX: usize = 256 * 1024 * 1024;

/// Storage of the spool: numbered files.
pub trait Segments {
    /// All segments with their lengths, in the order of their numbers.
    ///
    /// # Errors
    /// When the storage cannot be listed.
    fn list(&mut self) -> io::Result<Vec<(u64, u64)>>;

    /// Reads bytes of a segment.
    ///
    /// # Errors
    /// When the bytes cannot be read or do not exist.
    fn read(&mut self, segment: u64, offset: u64, length: usize) -> io::Result<Vec<u8>>;

    /// Appends to a segment; the first append creates it. Durable when it returns.
    ///
    /// # Errors
    /// When the bytes may not be durable. A part of them may be stored.
    fn append(&mut self, segment: u64, bytes: &[u8]) -> io::Result<()>;

    /// Deletes a segment.
    ///
    /// # Errors
    /// When the segment still exists.
    fn remove(&mut self, segment: u64) -> io::Result<()>;

    /// Renames a damaged segment, so that an operator can look at it.
    ///
    /// # Errors
    /// When the segment could not be renamed.
    fn set_aside(&mut self, segment: u64) -> io::Result<()>;
}

/// Why an append failed.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The spool has reached its limit.
    #[error("SPOOL_MAX_MB is used up ({bytes} bytes of {max}): repair the database, or raise SPOOL_MAX_MB")]
    Full {
        /// Bytes in the spool.
        bytes: u64,
        /// The limit.
        max: u64,
    },
    /// The disk refused the write.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    segment: u64,
    offset: u64,
    payload: usize,
}

/// A first-in first-out queue of frames on disk. See the module.
#[derive(Debug)]
pub struct Spool<S> {
    segments: S,
    max: u64,
    frames: VecDeque<Frame>,
    bytes: u64,
    /// The segment that appends go to, and its end.
    open: Option<(u64, u64)>,
    next: u64,
    /// Segments that are kept for an operator instead of deleted.
    damaged: BTreeSet<u64>,
}

impl<S: Segments> Spool<S> {
    /// Opens the spool with the frames that it holds. `max` limits its bytes.
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
        // A crash can leave zeros at the end, or half of the last frame. Anything else is damage.
        let is_last = payload == rest.saturating_sub(HEAD);
        let zeros = payload == 0 && self.segments.read(segment, offset, rest)?.iter().all(|byte| *byte == 0);
        Ok(if is_last || zeros { Found::Torn } else { Found::Damaged })
    }

    fn payload(&mut self, frame: Frame) -> io::Result<Vec<u8>> {
        self.segments.read(frame.segment, frame.offset.saturating_add(HEAD as u64), frame.payload)
    }

    /// Appends a frame. It is durable when this returns without an error.
    ///
    /// # Errors
    /// When the frame may not be durable. Append it again or write it elsewhere.
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
        // Taken, and put back after success: after an error the end of the segment is unknown.
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
                // Half a frame is useless, and the disk may need its space.
                let _ = self.segments.remove(segment);
            }
            return Err(error.into());
        }
        self.frames.push_back(Frame { segment, offset, payload: payload.len() });
        self.bytes = after;
        self.open = Some((segment, offset.saturating_add(added)));
        Ok(())
    }

    /// Reads frames in order without removing them: after the first `skip` frames, up to `bytes` in total, but at least
    /// one. Skips damaged frames and keeps their segments.
    ///
    /// # Errors
    /// When a frame cannot be read.
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

    /// Drops a frame that cannot be used, and keeps its segment for an operator.
    ///
    /// # Errors
    /// When the segment could not be renamed.
    fn pass_over(&mut self, index: usize) -> io::Result<()> {
        if let Some(frame) = self.frames.remove(index) {
            self.damaged.insert(frame.segment);
            self.bytes = self.bytes.saturating_sub(size_of(frame));
        }
        self.take_out(0)
    }

    /// Removes the first `count` frames: they are in the database.
    ///
    /// # Errors
    /// When an empty segment could not be deleted.
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

    /// Whether the spool is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Number of waiting frames.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.frames.len()
    }

    /// Bytes of the waiting frames.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The storage.
    pub fn segments(&mut self) -> &mut S {
        &mut self.segments
    }
}

enum Found {
    Whole(Frame),
    /// A torn frame: nothing follows in the segment.
    Torn,
    /// A damaged frame: the next frame, if any, cannot be found.
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
