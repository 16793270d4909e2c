//! Tests of sample framing.

use proptest::prelude::{any, prop};
use proptest::{prop_assert_eq, proptest};

use super::*;

proptest! {
    #[test]
    fn no_byte_is_lost_with_chunks_of_any_length(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..7), 0..20),
    ) {
        let mut framing = SampleFraming::default();
        let mut heard = Vec::new();
        for chunk in &chunks {
            let (joined, rest) = framing.push(chunk);
            prop_assert_eq!(rest.len() % SAMPLE, 0);
            heard.extend(joined.into_iter().flatten());
            heard.extend_from_slice(rest);
        }
        let mut said = chunks.concat();
        said.truncate(whole_samples(said.len()));
        prop_assert_eq!(heard, said);
    }
}
