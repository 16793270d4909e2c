//! The caller's audio as the PBX sends it: chunks of any length.

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
mod tests {
    use proptest::prelude::{any, prop};
    use proptest::{prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn no_byte_is_lost_whatever_the_chunks(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..7), 0..20)) {
            let mut whole = WholeSamples::default();
            let mut heard = Vec::new();
            for chunk in &chunks {
                let (joined, rest) = whole.of(Bytes::copy_from_slice(chunk));
                prop_assert_eq!(rest.len() % SAMPLE, 0);
                heard.extend(joined.into_iter().flatten());
                heard.extend_from_slice(&rest);
            }
            let mut said = chunks.concat();
            said.truncate(whole_samples(said.len()));
            prop_assert_eq!(heard, said);
        }
    }
}
