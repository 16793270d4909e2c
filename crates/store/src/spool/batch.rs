//! A batch as a frame of the spool: JSON, with the generation of the start that acknowledged it.
//!
//! Pure: no clock, no I/O, no actor.

use std::io;

use serde::{Deserialize, Serialize};

use super::{Segments, Spool};
use crate::events::raw::RawBatch;
use crate::events::rows::{Batch, Entry, RowWrite};

/// The version that precall writes. Frames of another version are refused.
const VERSION: u8 = 1;

#[derive(Serialize)]
struct Written<'a> {
    v: u8,
    generation: u64,
    entries: &'a [Entry],
    rows: &'a [RowWrite],
}

#[derive(Deserialize)]
struct Read<E, R> {
    generation: u64,
    entries: Vec<E>,
    rows: Vec<R>,
}

/// Why a frame is not a batch.
#[derive(Debug, thiserror::Error)]
pub enum NotABatch {
    /// Another version of precall wrote it.
    #[error("it has version {0}, and this precall reads version {VERSION}")]
    Version(u8),
    /// It is not JSON, or not a batch.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// Encodes a batch as a frame, with the generation of the start that acknowledged it.
///
/// # Errors
/// When a value of the batch has no JSON form.
pub fn to_frame(batch: &Batch, generation: u64) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Written { v: VERSION, generation, entries: &batch.entries, rows: &batch.rows })
}

/// A batch that frames are joined into.
pub(crate) trait Content: Sized {
    /// Decodes a frame: the generation of the start that acknowledged it, and the batch.
    fn of(frame: &[u8]) -> Result<(u64, Self), NotABatch>;
    /// Appends a later batch.
    fn join(&mut self, later: Self);
}

impl Content for Batch {
    fn of(frame: &[u8]) -> Result<(u64, Self), NotABatch> {
        let Read { generation, entries, rows } = read(frame)?;
        Ok((generation, Self { entries, rows }))
    }

    fn join(&mut self, later: Self) {
        self.extend(later);
    }
}

impl Content for RawBatch {
    fn of(frame: &[u8]) -> Result<(u64, Self), NotABatch> {
        let Read { generation, entries, rows } = read(frame)?;
        Ok((generation, Self { entries, rows }))
    }

    fn join(&mut self, later: Self) {
        self.entries.extend(later.entries);
        self.rows.extend(later.rows);
    }
}

/// Decodes a frame of this version.
fn read<'a, T: Deserialize<'a>>(frame: &'a [u8]) -> Result<T, NotABatch> {
    #[derive(Deserialize)]
    struct Versioned {
        v: u8,
    }
    // The version is the first field, so that a frame need not be read twice.
    let is_ours = frame.starts_with(format!("{{\"v\":{VERSION},").as_bytes());
    if !is_ours {
        let Versioned { v } = serde_json::from_slice(frame)?;
        if v != VERSION {
            return Err(NotABatch::Version(v));
        }
    }
    Ok(serde_json::from_slice(frame)?)
}

/// Frames that precall writes to the database together.
#[derive(Debug)]
pub struct Together<B = Batch> {
    /// The generation of the start that acknowledged them.
    pub generation: u64,
    /// Their content.
    pub batch: B,
    /// Number of frames.
    pub frames: usize,
    /// Skipped frames before them, which are not batches.
    pub passed_over: Vec<NotABatch>,
}

/// Maximum bytes of frames that precall writes together.
const TOGETHER_BYTES: usize = 512 * 1024;

/// The frames after the first `skip`; `None` at the end.
///
/// # Errors
/// When a frame cannot be read.
pub fn peek<S: Segments>(spool: &mut Spool<S>, skip: usize) -> io::Result<Option<Together>> {
    peek_up_to(spool, skip, TOGETHER_BYTES)
}

/// The frames after the first `skip`, about `bytes` of them; `None` at the end.
///
/// # Errors
/// When a frame cannot be read.
pub(crate) fn peek_up_to<S: Segments, B: Content>(
    spool: &mut Spool<S>,
    skip: usize,
    bytes: usize,
) -> io::Result<Option<Together<B>>> {
    let mut passed_over = Vec::new();
    loop {
        let mut together: Option<Together<B>> = None;
        let mut unusable = None;
        for frame in spool.peek(skip, bytes)? {
            match (B::of(&frame), &mut together) {
                (Ok((generation, batch)), None) => {
                    together = Some(Together { generation, batch, frames: 1, passed_over: Vec::new() });
                }
                (Ok((generation, batch)), Some(together)) if generation == together.generation => {
                    together.batch.join(batch);
                    together.frames = together.frames.saturating_add(1);
                }
                (Ok(_), Some(_)) => break,
                (Err(error), _) => {
                    unusable = Some(error);
                    break;
                }
            }
        }
        match (together, unusable) {
            (Some(together), _) => return Ok(Some(Together { passed_over, ..together })),
            (None, Some(error)) => {
                spool.pass_over(skip)?;
                passed_over.push(error);
            }
            (None, None) => return Ok(None),
        }
    }
}

#[cfg(test)]
mod tests;
