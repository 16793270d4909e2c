//! Conversion of samples to a clip, shared by the decoder and the bundled sounds.

use bytes::Bytes;

use crate::clip::Clip;

/// Sample rate of a clip, in samples a second.
pub(super) const RATE: u32 = 8_000;
/// A clip whose loudest sample is below this is silent (60 dB below full scale).
const AUDIBLE: u16 = 33;

/// Makes a clip of samples between -1 and 1. If one is louder, the whole clip is scaled down so that nothing clips;
/// otherwise the level stays as it is.
pub(super) fn clip_of(samples: &[f32]) -> Clip {
    let peak = samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    let gain = if peak.is_finite() && peak > 1.0 { 1.0 / peak } else { 1.0 };
    let pcm: Bytes = samples.iter().flat_map(|sample| to_i16(sample * gain).to_le_bytes()).collect();
    Clip::new(pcm)
}

/// Whether a caller would hear nothing.
pub(super) fn is_silent(clip: &Clip) -> bool {
    !clip.pcm().chunks_exact(2).any(|pair| match pair {
        [low, high] => i16::from_le_bytes([*low, *high]).unsigned_abs() >= AUDIBLE,
        _ => false,
    })
}

/// From a sample between -1 and 1.
#[allow(clippy::cast_possible_truncation)] // `as` saturates, and NaN becomes 0.
pub(super) fn to_i16(sample: f32) -> i16 {
    (sample * 32_767.0).round() as i16
}

#[cfg(test)]
pub(super) mod listening {
    //! Measures a clip, for tests.
    #![allow(
        clippy::cast_precision_loss,
        clippy::indexing_slicing,
        reason = "tests use few samples, in pairs"
    )]
    use std::f64::consts::TAU;

    use crate::clip::Clip;

    /// The samples, between -1 and 1.
    pub fn samples(clip: &Clip) -> Vec<f64> {
        let pairs = clip.pcm().chunks_exact(2);
        pairs.map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0).collect()
    }

    /// The amplitude of one frequency, by correlation with sine and cosine.
    pub fn amplitude(samples: &[f64], hz: f64) -> f64 {
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in samples.iter().enumerate() {
            let angle = TAU * hz * n as f64 / 8_000.0;
            re += sample * angle.cos();
            im += sample * angle.sin();
        }
        2.0 * re.hypot(im) / samples.len() as f64
    }

    /// The level against full scale, in decibels.
    pub(crate) fn level_db(samples: &[f64]) -> f64 {
        let power = samples.iter().map(|sample| sample * sample).sum::<f64>() / samples.len() as f64;
        10.0 * power.log10()
    }
}
