//! Tests of the bundled sounds.
#![allow(clippy::indexing_slicing, reason = "a test may stop at what it did not expect")]

use std::time::Duration;

use super::super::pcm::listening::{amplitude, level_db, samples};
use super::{apology, greeting, hold};

#[test]
fn each_sound_has_its_length_and_the_level_of_speech() {
    let lengths = [(greeting(), 700), (hold(), 8_000), (apology(), 1_400)];
    for (clip, millis) in lengths {
        assert_eq!(clip.duration(), Duration::from_millis(millis));
        let heard = samples(&clip);
        assert!((level_db(&heard) + 18.0).abs() < 0.2, "{millis}: {} dB", level_db(&heard));
        let peak = heard.iter().fold(0.0_f64, |peak, sample| peak.max(sample.abs()));
        assert!(peak < 0.9, "{millis}: {peak}");
    }
}

#[test]
fn the_greeting_rises_and_the_apology_falls() {
    let louder = |part: &[f64], this: f64, than: f64| amplitude(part, this) > 3.0 * amplitude(part, than);
    let heard = samples(&greeting());
    assert!(louder(&heard[..1_600], 523.25, 783.99) && louder(&heard[3_000..], 783.99, 523.25));
    let heard = samples(&apology());
    assert!(louder(&heard[..2_400], 659.26, 523.25));
    assert!(louder(&heard[3_400..5_400], 523.25, 392.0));
    assert!(louder(&heard[7_000..], 392.0, 523.25));
}

#[test]
fn the_loop_has_no_click_and_no_gap() {
    let heard = samples(&hold());
    let steepest = heard.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f64::max);
    let seam = (heard[0] - heard[heard.len() - 1]).abs();
    assert!(seam <= steepest, "a click: {seam} against {steepest}");
    // The last notes still ring when the loop starts again.
    let beginning = &heard[..4_000];
    assert!(amplitude(beginning, 329.63) > 0.03, "{}", amplitude(beginning, 329.63));
    // The seam is as loud as the rest.
    let around: Vec<f64> = heard[heard.len() - 800..].iter().chain(&heard[..800]).copied().collect();
    assert!(level_db(&around) > -26.0, "{}", level_db(&around));
    for part in heard.chunks(800) {
        assert!(level_db(part) > -30.0, "a gap: {}", level_db(part));
    }
}

#[test]
fn greeting_and_apology_begin_and_end_in_silence() {
    for clip in [greeting(), apology()] {
        let heard = samples(&clip);
        assert!(heard[0].abs() < 0.001 && heard[heard.len() - 1].abs() < 0.001);
    }
}
