//! A piece of sound that is ready to be played into a live leg, and shared by every call that plays it.

use std::time::Duration;

use bytes::Bytes;

/// Samples of signed 16 bit, little endian, one channel, 8,000 a second: what a 3CX leg takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip(Bytes);

impl Clip {
    /// Takes bytes as they are; an odd one at the end is half a sample and is cut.
    #[must_use]
    pub fn from_pcm(mut pcm: Bytes) -> Self {
        pcm.truncate(pcm.len() & !1);
        Self(pcm)
    }

    /// The bytes.
    #[must_use]
    pub fn pcm(&self) -> &Bytes {
        &self.0
    }

    /// How long it plays, to the microsecond.
    #[must_use]
    pub fn duration(&self) -> Duration {
        const MICROS_PER_SAMPLE: u64 = 125;
        let samples = u64::try_from(self.0.len() / 2).unwrap_or(u64::MAX);
        Duration::from_micros(samples.saturating_mul(MICROS_PER_SAMPLE))
    }

    /// Whether there is nothing to play.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
