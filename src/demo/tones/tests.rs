//! Tests of `tones.rs`.

use super::*;

#[test]
fn tones_are_found_in_their_order() {
    let heard = recording(&[(700, 500), (2_000, 1_000), (2_600, 400), (700, 600)]);
    let runs = heard.runs(&[700, 2_000, 2_600]);
    assert_eq!(runs.iter().map(|run| run.hz).collect::<Vec<_>>(), [700, 2_000, 2_600, 700]);
    for (run, (from, to)) in runs.iter().zip([(0, 500), (500, 1_500), (1_500, 1_900), (1_900, 2_500)]) {
        assert!(run.from.abs_diff(from) <= 20 && run.to.abs_diff(to) <= 20, "{run:?}");
    }
}

#[test]
fn neighbours_in_pitch_are_told_apart_and_silence_is_no_tone() {
    let heard = recording(&[(0, 200), (700, 400)]);
    assert_eq!(heard.runs(&[800]), []);
    assert_eq!(heard.last_heard(800, 0, 600), 0);
    assert_eq!(heard.runs(&[700]).len(), 1);
}

#[test]
fn a_gap_is_as_long_as_it_is() {
    let heard = recording(&[(2_600, 500), (0, 80), (700, 500)]);
    assert!(heard.longest_silence(300, 800).abs_diff(80) <= 1);
    assert!(recording(&[(2_600, 500), (700, 500)]).longest_silence(300, 800) <= 1);
}

#[test]
fn it_is_seen_how_long_a_voice_goes_on() {
    let heard = recording(&[(700, 1_100), (0, 900)]);
    assert_eq!(heard.last_heard(700, 1_000, 1_800), 100);
    assert_eq!(heard.last_heard(700, 1_200, 1_800), 0);
}
