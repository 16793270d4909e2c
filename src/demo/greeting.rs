//! A recorded greeting whose samples are known, so that what a caller heard can be compared with it.

use std::f64::consts::TAU;
use std::path::{Path, PathBuf};

use super::DemoError;

const SAMPLE_RATE: u32 = 8_000;
const SECONDS: u32 = 2;
/// Its own tone, which nothing else in the demo has.
const TONE_HZ: f64 = 620.0;

/// See the file.
pub(super) struct Greeting {
    file: PathBuf,
    samples: Vec<u8>,
}

impl Greeting {
    /// Writes the recording into `folder`, as a telephone would play it.
    pub(super) fn write(folder: &Path) -> Result<Self, DemoError> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: SAMPLE_RATE,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let failed = |error: hound::Error| DemoError::Io(std::io::Error::other(error));
        let file = folder.join("greeting.wav");
        let mut writer = hound::WavWriter::create(&file, spec).map_err(failed)?;
        let mut samples = Vec::new();
        for n in 0..SAMPLE_RATE * SECONDS {
            let t = f64::from(n) / f64::from(SAMPLE_RATE);
            #[allow(clippy::cast_possible_truncation)] // Within 10,000 either way, by construction.
            let sample = ((t * TAU * TONE_HZ).sin() * (1.0 - 0.3 * t) * 10_000.0) as i16;
            writer.write_sample(sample).map_err(failed)?;
            samples.extend_from_slice(&sample.to_le_bytes());
        }
        writer.finalize().map_err(failed)?;
        Ok(Self { file, samples })
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Signed 16 bits, little endian, mono, 8 kHz.
    pub(super) fn samples(&self) -> &[u8] {
        &self.samples
    }
}
