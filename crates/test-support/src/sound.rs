//! What a caller heard, so that it can be compared with what there was to hear.
//!
//! Silences are left out on both sides: on a busy machine a caller hears one more of them, and what matters is that nothing
//! of the sound is missing, doubled or out of order. How long silences were is measured by the simulated PBX.

use std::path::Path;

const RATE: usize = 8_000;

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
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(path, spec).unwrap();
        let mut noise = 1_u32;
        let mut samples = Vec::new();
        for _ in 0..ms * 8 {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let sample = i16::try_from(noise >> 19).unwrap() + 300;
            writer.write_sample(sample).unwrap();
            samples.push(sample);
        }
        writer.finalize().unwrap();
        Self(samples)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its first part.
    pub fn start(&self, ms: usize) -> Self {
        Self(self.0[..self.0.len().min(ms * RATE / 1_000)].to_vec())
    }

    /// Its last part.
    pub fn end(&self, ms: usize) -> Self {
        Self(self.0[self.0.len().saturating_sub(ms * RATE / 1_000)..].to_vec())
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

/// How many milliseconds of a WAV file of the simulated PBX are a tone of this frequency, by pieces of 20 ms.
pub fn tone_ms(wav: &[u8], hz: u32) -> usize {
    const PIECE: u32 = 160;
    let (samples, _) = wav.get(44..).unwrap_or_default().as_chunks::<2>();
    let samples: Vec<f64> = samples.iter().map(|s| f64::from(i16::from_le_bytes(*s))).collect();
    let turn = std::f64::consts::TAU * f64::from(hz) / 8_000.0;
    let is_tone = |piece: &&[f64]| {
        let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
        for (n, sample) in (0..PIECE).zip(*piece) {
            re += sample * (turn * f64::from(n)).cos();
            im += sample * (turn * f64::from(n)).sin();
            all += sample * sample;
        }
        all > 0.0 && 2.0 * (re * re + im * im) / f64::from(PIECE) > 0.8 * all
    };
    samples.chunks_exact(160).filter(is_tone).count() * 20
}

/// Four seconds of a tone that no other caller has.
pub fn write_sample(path: &Path, n: u32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for i in 0..32_000_u32 {
        let value = (i * (n + 7)) % 8_000;
        writer.write_sample(i16::try_from(value).unwrap()).unwrap();
    }
    writer.finalize().unwrap();
}
