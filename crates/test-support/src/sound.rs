//! What a caller heard, to be compared with what was played.
//!
//! Silent samples are left out on both sides. A busy machine adds silences, and the tests check only that no sound is
//! missing, doubled or out of order. The simulated PBX measures how long silences are.

use std::path::Path;

use precall::demo::tones::Recording;

/// What a telephone line carries.
const RATE_HZ: u32 = 8_000;
const SAMPLES_PER_MS: usize = 8;

/// Samples of 8 kHz, without those that are exactly silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound(Vec<i16>);

impl Sound {
    /// Signed 16 bits, little endian, mono, 8 kHz.
    pub fn of(pcm: &[u8]) -> Self {
        let (samples, _) = pcm.as_chunks::<2>();
        Self(samples.iter().map(|sample| i16::from_le_bytes(*sample)).filter(|s| *s != 0).collect())
    }

    /// A WAV file of the simulated PBX.
    pub fn of_wav(wav: &[u8]) -> Self {
        Self::of(wav.get(44..).unwrap_or_default())
    }

    /// A recording that is unlike everything else: written to `path`, and as a caller will hear it.
    pub fn record(path: &Path, ms: u32) -> Self {
        let mut noise = 1_u32;
        let mut samples = Vec::new();
        for _ in 0..ms * 8 {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let sample = i16::try_from(noise >> 19).unwrap() + 300;
            samples.push(sample);
        }
        write_wav(path, RATE_HZ, samples.iter().copied());
        Self(samples)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its first part.
    pub fn start(&self, ms: usize) -> Self {
        Self(self.0[..self.0.len().min(ms * SAMPLES_PER_MS)].to_vec())
    }

    /// Its last part.
    pub fn end(&self, ms: usize) -> Self {
        Self(self.0[self.0.len().saturating_sub(ms * SAMPLES_PER_MS)..].to_vec())
    }

    /// One after the other.
    pub fn then(self, next: &Self) -> Self {
        Self(self.0.into_iter().chain(next.0.iter().copied()).collect())
    }

    /// Where `part` begins for the first time; all of it must be there.
    pub fn find(&self, part: &Self) -> Option<usize> {
        assert!(!part.is_empty(), "nothing to look for");
        self.0.windows(part.0.len()).position(|heard| heard == part.0)
    }

    pub fn contains(&self, part: &Self) -> bool {
        self.find(part).is_some()
    }

    /// How often `part` is in it.
    pub fn count(&self, part: &Self) -> usize {
        assert!(!part.is_empty(), "nothing to look for");
        self.0.windows(part.0.len()).filter(|heard| *heard == part.0).count()
    }
}

/// How many milliseconds of a WAV file of the simulated PBX are a tone of this frequency.
pub fn tone_ms(wav: &[u8], hz: u32) -> usize {
    usize::try_from(Recording::of_wav(wav).tone_ms(hz)).unwrap()
}

/// Four seconds of a tone that no other caller has.
pub fn write_sample(path: &Path, n: u32) {
    write_wav(path, RATE_HZ, (0..32_000).map(|i| i16::try_from((i * (n + 7)) % 8_000).unwrap()));
}

/// Writes a WAV file of 16 bits, mono.
pub fn write_wav(path: &Path, rate: u32, samples: impl IntoIterator<Item = i16>) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for sample in samples {
        writer.write_sample(sample).unwrap();
    }
    writer.finalize().unwrap();
}
