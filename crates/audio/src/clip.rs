//! Prepared audio: a greeting, a notice, hold music.
//!
//! Pure: no clock, no I/O, no actor.

use std::time::Duration;

use bytes::Bytes;

/// Bytes per sample: 16 bits, one channel (3CX facts, section 1.5).
pub(crate) const SAMPLE: usize = 2;
/// Length of a sample at 8 kHz, in microseconds.
const SAMPLE_US: u64 = 125;

/// PCM as the PBX takes it: signed 16 bits, little endian, mono, 8 kHz, no header. Cheap to clone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Clip(Bytes);

impl Clip {
    /// From raw PCM. Half a sample at the end is cut off: it would turn all following audio into noise.
    #[must_use]
    pub fn new(pcm: impl Into<Bytes>) -> Self {
        let mut pcm = pcm.into();
        pcm.truncate(whole_samples(pcm.len()));
        Self(pcm)
    }

    /// From samples, for tests.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn from_samples(samples: &[i16]) -> Self {
        Self(samples.iter().flat_map(|sample| sample.to_le_bytes()).collect())
    }

    /// The PCM, always whole samples.
    #[must_use]
    pub fn pcm(&self) -> &Bytes {
        &self.0
    }

    /// Playing time.
    #[must_use]
    pub fn duration(&self) -> Duration {
        duration_of(self.0.len())
    }

    /// Whether it has no samples.
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

/// Playing time of this many bytes of PCM; half a sample counts as none.
#[must_use]
pub(crate) fn duration_of(bytes: usize) -> Duration {
    let samples = u64::try_from(bytes / SAMPLE).unwrap_or(u64::MAX);
    Duration::from_micros(samples.saturating_mul(SAMPLE_US))
}

/// Most bytes of PCM, whole samples, that play no longer than this.
#[must_use]
pub(crate) fn bytes_within(span: Duration) -> usize {
    let samples = span.as_micros() / u128::from(SAMPLE_US);
    usize::try_from(samples).unwrap_or(usize::MAX / SAMPLE).saturating_mul(SAMPLE)
}

/// Rounds down to whole samples.
#[must_use]
pub(crate) fn whole_samples(bytes: usize) -> usize {
    bytes - bytes % SAMPLE
}

#[cfg(test)]
mod tests;
