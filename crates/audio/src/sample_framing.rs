//! Splits a byte stream of 16-bit PCM into whole samples: the PBX sends the caller's audio in chunks of any length.
//!
//! Pure: no clock, no I/O, no actor.

use crate::clip::{SAMPLE, whole_samples};

/// Joins samples that were cut in two by the end of a chunk.
#[derive(Debug, Default)]
pub(crate) struct SampleFraming {
    half: Option<u8>,
}

impl SampleFraming {
    /// Returns the sample that began in the chunk before, if any, and the whole samples of this chunk.
    pub(crate) fn push<'a>(&mut self, mut chunk: &'a [u8]) -> (Option<[u8; SAMPLE]>, &'a [u8]) {
        let joined = match (self.half, chunk.first()) {
            (Some(half), Some(other)) => {
                let sample = [half, *other];
                self.half = None;
                chunk = chunk.get(1..).unwrap_or_default();
                Some(sample)
            }
            (Some(_) | None, Some(_) | None) => None,
        };
        let (whole, rest) = chunk.split_at(whole_samples(chunk.len()));
        self.half = rest.first().copied().or(self.half);
        (joined, whole)
    }
}

#[cfg(test)]
mod tests;
