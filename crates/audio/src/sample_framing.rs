//! Splits a byte stream of 16-bit PCM into whole samples: the PBX sends the caller's audio in chunks of any length.
//!
//! Pure: no clock, no I/O, no actor.

use bytes::Bytes;

use crate::clip::{SAMPLE, whole_samples};

/// Joins samples that were cut in two by the end of a chunk.
#[derive(Debug, Default)]
pub(crate) struct SampleFraming {
    half: Option<u8>,
}

impl SampleFraming {
    /// Returns the sample that began in the chunk before, if any, and the whole samples of this chunk.
    pub(crate) fn push(&mut self, mut chunk: Bytes) -> (Option<[u8; SAMPLE]>, Bytes) {
        let joined = match (self.half, chunk.first()) {
            (Some(half), Some(other)) => {
                let sample = [half, *other];
                self.half = None;
                let _ = chunk.split_to(1);
                Some(sample)
            }
            (Some(_) | None, Some(_) | None) => None,
        };
        let rest = chunk.split_off(whole_samples(chunk.len()));
        self.half = rest.first().copied().or(self.half);
        (joined, chunk)
    }
}

#[cfg(test)]
mod tests;
