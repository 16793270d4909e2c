//! Audio that is there before it is needed: a greeting, a notice, hold music.
//!
//! Pure: no clock, no I/O, no actor.

use std::time::Duration;

use bytes::Bytes;

/// Bytes of one sample: 16 bits, one channel (3CX facts, section 1.5).
pub const SAMPLE: usize = 2;
/// How long one sample lasts at 8,000 a second, in microseconds.
const SAMPLE_US: u64 = 125;

/// PCM as a leg takes it: signed 16 bits, little endian, mono, 8 kHz, without a header. Cheap to clone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Clip(Bytes);

impl Clip {
    /// Takes raw PCM. Half a sample at the end would turn all that follows into noise: it is left out.
    #[must_use]
    pub fn new(pcm: impl Into<Bytes>) -> Self {
        let mut pcm = pcm.into();
        pcm.truncate(whole_samples(pcm.len()));
        Self(pcm)
    }

    /// From samples.
    #[must_use]
    pub fn from_samples(samples: &[i16]) -> Self {
        Self(samples.iter().flat_map(|sample| sample.to_le_bytes()).collect())
    }

    /// The PCM; whole samples always.
    #[must_use]
    pub fn pcm(&self) -> &Bytes {
        &self.0
    }

    /// How long it sounds.
    #[must_use]
    pub fn duration(&self) -> Duration {
        duration_of(self.0.len())
    }

    /// Whether there is nothing to hear.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Clip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Clip({:?})", self.duration())
    }
}

/// How long so many bytes of PCM sound; half a sample does not.
#[must_use]
pub fn duration_of(bytes: usize) -> Duration {
    let samples = u64::try_from(bytes / SAMPLE).unwrap_or(u64::MAX);
    Duration::from_micros(samples.saturating_mul(SAMPLE_US))
}

/// Bytes of PCM that sound no longer than this.
#[must_use]
pub fn bytes_within(span: Duration) -> usize {
    let samples = span.as_micros() / u128::from(SAMPLE_US);
    usize::try_from(samples).unwrap_or(usize::MAX / SAMPLE).saturating_mul(SAMPLE)
}

/// As many of these bytes as are whole samples.
#[must_use]
pub fn whole_samples(bytes: usize) -> usize {
    bytes - bytes % SAMPLE
}

#[cfg(test)]
mod tests;
