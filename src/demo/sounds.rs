//! The recordings of the demo: greeting and hold music. Each is a tone that nothing else has, so that a check can
//! recognise it in what a caller heard.

use std::f64::consts::TAU;
use std::path::{Path, PathBuf};

use super::DemoError;

const SAMPLE_RATE: u32 = 8_000;
const GREETING_SECONDS: u32 = 2;
const HOLD_SECONDS: u32 = 5;
/// Voices of the simulated provider lie between 300 and 1,490 Hz.
pub(super) const GREETING_HZ: u32 = 2_000;
pub(super) const HOLD_HZ: u32 = 2_600;

/// See the file.
pub(super) struct Sounds {
    greeting: PathBuf,
    hold: PathBuf,
    samples: Vec<u8>,
}

impl Sounds {
    /// Writes the recordings into `folder`, as a telephone would play them.
    pub(super) fn write(folder: &Path) -> Result<Self, DemoError> {
        let (greeting, hold) = (folder.join("greeting.wav"), folder.join("hold.wav"));
        // It fades, so that every part is different.
        let samples = write(&greeting, GREETING_SECONDS, GREETING_HZ, |t| 1.0 - 0.3 * t)?;
        write(&hold, HOLD_SECONDS, HOLD_HZ, |_| 0.6)?;
        Ok(Self { greeting, hold, samples })
    }

    pub(super) fn greeting(&self) -> &Path {
        &self.greeting
    }

    pub(super) fn hold(&self) -> &Path {
        &self.hold
    }

    /// The greeting: signed 16 bits, little endian, mono, 8 kHz.
    pub(super) fn greeting_samples(&self) -> &[u8] {
        &self.samples
    }
}

fn write(file: &Path, seconds: u32, hz: u32, loudness: impl Fn(f64) -> f64) -> Result<Vec<u8>, DemoError> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: SAMPLE_RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let failed = |error: hound::Error| DemoError::Io(std::io::Error::other(error));
    let mut writer = hound::WavWriter::create(file, spec).map_err(failed)?;
    let mut samples = Vec::new();
    for n in 0..SAMPLE_RATE * seconds {
        let t = f64::from(n) / f64::from(SAMPLE_RATE);
        #[allow(clippy::cast_possible_truncation)] // Within 10,000 either way, by construction.
        let sample = ((t * TAU * f64::from(hz)).sin() * loudness(t) * 10_000.0) as i16;
        writer.write_sample(sample).map_err(failed)?;
        samples.extend_from_slice(&sample.to_le_bytes());
    }
    writer.finalize().map_err(failed)?;
    Ok(samples)
}
