//! Samples as numbers and as the bytes of a clip: what decoding and making sound have in common.

use bytes::Bytes;

use crate::clip::Clip;

/// What a telephone takes, in samples a second.
pub(super) const RATE: u32 = 8_000;
/// A clip whose loudest sample stays below this is silence to a caller (60 dB below full scale).
const AUDIBLE: u16 = 33;

/// The clip of samples between -1 and 1. Louder ones are not cut off: then the whole clip is made quieter, as much as it
/// needs. Otherwise the level is left as it was recorded.
pub(super) fn clip_of(samples: &[f32]) -> Clip {
    let peak = samples.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    let gain = if peak.is_finite() && peak > 1.0 { 1.0 / peak } else { 1.0 };
    let pcm: Bytes = samples.iter().flat_map(|sample| quantised(sample * gain).to_le_bytes()).collect();
    Clip::new(pcm)
}

/// Whether a caller would hear anything.
pub(super) fn is_silent(clip: &Clip) -> bool {
    !clip.pcm().chunks_exact(2).any(|pair| match pair {
        [low, high] => i16::from_le_bytes([*low, *high]).unsigned_abs() >= AUDIBLE,
        _ => false,
    })
}

#[allow(clippy::cast_possible_truncation)] // `as` saturates, and what is no number becomes 0.
fn quantised(sample: f32) -> i16 {
    (sample * 32_767.0).round() as i16
}

#[cfg(test)]
pub(super) mod listening {
    //! What tests hear in a clip.
    #![allow(
        clippy::cast_precision_loss,
        clippy::indexing_slicing,
        reason = "a test counts few samples, in pairs"
    )]
    use std::f64::consts::TAU;

    use crate::clip::Clip;

    /// The samples, between -1 and 1.
    pub fn samples(clip: &Clip) -> Vec<f64> {
        let pairs = clip.pcm().chunks_exact(2);
        pairs.map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0).collect()
    }

    /// The amplitude of one frequency, by Goertzel's way of asking.
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
    pub fn level_db(samples: &[f64]) -> f64 {
        let power = samples.iter().map(|sample| sample * sample).sum::<f64>() / samples.len() as f64;
        10.0 * power.log10()
    }
}
