//! Tests of the file resampler.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a test may stop at what it did not expect"
)]
use std::f32::consts::TAU;

use super::super::pcm::clip_of;
use super::super::pcm::listening::{amplitude, samples};
use super::FileResampler;

fn tone(rate: u32, hz: f32, frames: u16) -> Vec<f32> {
    (0..frames).map(|n| 0.5 * (TAU * hz * f32::from(n) / rate as f32).sin()).collect()
}

fn converted(rate: u32, input: &[f32], piece: usize) -> Vec<f32> {
    let mut resampler = FileResampler::new(rate, 8_000).unwrap();
    for piece in input.chunks(piece) {
        resampler.push(piece).unwrap();
    }
    resampler.finish().unwrap()
}

#[test]
fn a_tone_keeps_its_frequency_level_and_timing() {
    for rate in [4_000_u32, 8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 44_101] {
        let input = tone(rate, 440.0, 30_000);
        let output = converted(rate, &input, 1_152);
        assert_eq!(output.len(), usize::try_from(240_000_000_u64.div_ceil(u64::from(rate))).unwrap());
        let heard = samples(&clip_of(&output));
        // The filter rings at both ends, so only the middle is compared.
        let middle = &heard[heard.len() / 4..heard.len() * 3 / 4];
        assert!((amplitude(middle, 440.0) - 0.5).abs() < 0.01, "{rate}: {}", amplitude(middle, 440.0));
        // No delay: the tone matches one generated at 8 kHz, to half a sample.
        let direct = tone(8_000, 440.0, 4_000);
        let apart = (500..900).map(|n| (output[n] - direct[n]).abs()).fold(0.0, f32::max);
        assert!(apart < 0.1, "{rate}: {apart}");
    }
}

#[test]
fn frequencies_above_4_khz_are_removed_without_aliasing() {
    let output = converted(48_000, &tone(48_000, 5_000.0, 48_000), 4_800);
    let heard = samples(&clip_of(&output));
    let middle = &heard[2_000..6_000];
    assert!(amplitude(middle, 3_000.0) < 0.001, "the mirror image of 5 kHz");
    assert!(middle.iter().all(|sample| sample.abs() < 0.001));
    let kept = converted(48_000, &tone(48_000, 3_400.0, 48_000), 4_800);
    assert!(amplitude(&samples(&clip_of(&kept))[2_000..6_000], 3_400.0) > 0.49, "the top of the band");
}

#[test]
fn the_size_of_the_pieces_does_not_matter() {
    let input = tone(44_100, 700.0, 20_000);
    let whole = converted(44_100, &input, 20_000);
    for piece in [1, 7, 4_095, 4_410, 9_999] {
        assert_eq!(converted(44_100, &input, piece), whole, "{piece}");
    }
    assert_eq!(converted(44_100, &[], 1), Vec::<f32>::new());
    assert_eq!(converted(44_100, &[0.1], 1).len(), 1);
}

#[test]
fn an_unsupported_rate_is_refused() {
    for rate in [0, 1, 1_999, 768_001, u32::MAX] {
        assert!(FileResampler::new(rate, 8_000).is_err(), "{rate}");
    }
    // A filter for them would take 80 MB.
    for rate in [655_357, 767_999] {
        assert!(FileResampler::new(rate, 8_000).is_err(), "{rate}");
    }
    // Old and odd rates that recordings have, and the highest.
    for rate in
        [2_000, 5_512, 7_350, 11_127, 18_900, 22_254, 37_800, 44_056, 44_101, 47_952, 192_000, 768_000]
    {
        assert!(FileResampler::new(rate, 8_000).is_ok(), "{rate}");
    }
}
