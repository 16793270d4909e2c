//! The caller's audio as the PBX sends it: chunks of any length.
//!
//! Pure: no clock, no I/O, no actor.

use bytes::Bytes;

use super::clip::{SAMPLE, whole_samples};

/// Puts samples together that a chunk's end has cut in two.
#[derive(Debug, Default)]
pub struct WholeSamples {
    half: Option<u8>,
}

impl WholeSamples {
    /// A sample that began in the chunk before, and the whole ones of this chunk.
    pub fn of(&mut self, mut chunk: Bytes) -> (Option<[u8; SAMPLE]>, Bytes) {
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
