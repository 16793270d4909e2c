//! The playout model, with times as arguments.

use std::time::{Duration, Instant};

use super::super::ear::{Ear, wav};
use super::tone;

fn ear() -> (Ear, Instant) {
    let mut ear = Ear::new(Duration::from_secs(10), Duration::from_secs(2));
    ear.open();
    (ear, Instant::now())
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Twenty milliseconds of sound.
fn frame() -> Vec<u8> {
    tone(160, 5_000)
}

#[test]
fn an_even_flow_has_no_gap_and_a_steady_lead() {
    let (mut ear, t0) = ear();
    for n in 0..50 {
        ear.hear(t0 + ms(n * 20), &frame());
    }
    let figures = ear.figures(t0 + ms(1_000));
    assert_eq!((figures.gaps_ms, figures.underruns), (vec![], 0));
    assert_eq!((figures.max_lead_ms, figures.heard_ms, figures.bytes_received), (20, 1_000, 16_000));
}

#[test]
fn a_pause_that_outlasts_the_lead_is_a_gap_of_what_it_outlasts() {
    let (mut ear, t0) = ear();
    for _ in 0..5 {
        ear.hear(t0, &frame());
    }
    // 100 ms are there; the next frame comes after 160.
    ear.hear(t0 + ms(160), &frame());
    let figures = ear.figures(t0 + ms(170));
    assert_eq!((figures.gaps_ms, figures.longest_gap_ms, figures.underruns), (vec![60], 60, 1));
    assert_eq!(figures.max_lead_ms, 100);
    // Silence is in what the caller heard: 100 ms of sound, 60 of nothing, 10 of sound.
    let heard = ear.sound(t0 + ms(170));
    assert_eq!(heard.len(), 170 * 16);
    assert!(heard[1_600..2_560].iter().all(|byte| *byte == 0));
    assert_eq!(heard[2_560..], tone(80, 5_000));
}

#[test]
fn forty_milliseconds_are_not_noticed() {
    let (mut ear, t0) = ear();
    ear.hear(t0, &frame());
    ear.hear(t0 + ms(60), &frame());
    let figures = ear.figures(t0 + ms(60));
    assert_eq!((figures.gaps_ms, figures.underruns), (vec![], 1));
}

#[test]
fn a_gap_that_goes_on_is_seen_while_it_does() {
    let (mut ear, t0) = ear();
    ear.hear(t0, &frame());
    assert!(ear.figures(t0 + ms(50)).gaps_ms.is_empty());
    assert_eq!(ear.figures(t0 + ms(520)).gaps_ms, [500]);
    ear.hang_up(t0 + ms(220));
    assert_eq!(ear.figures(t0 + ms(9_000)).gaps_ms, [200]);
}

#[test]
fn between_two_streams_there_is_a_break_and_no_gap() {
    let (mut ear, t0) = ear();
    ear.hear(t0, &frame());
    ear.close(t0 + ms(25));
    ear.open();
    ear.hear(t0 + ms(320), &frame());
    let figures = ear.figures(t0 + ms(330));
    assert_eq!((figures.gaps_ms, figures.breaks_ms, figures.longest_gap_ms), (vec![], vec![300], 300));
}

#[test]
fn what_was_not_played_at_the_hang_up_was_not_heard() {
    let (mut ear, t0) = ear();
    ear.hear(t0, &tone(8_000, 5_000));
    ear.hang_up(t0 + ms(250));
    assert_eq!(ear.sound(t0 + ms(9_000)).len(), 250 * 16);
    ear.hear(t0 + ms(260), &frame());
    let figures = ear.figures(t0 + ms(9_000));
    assert_eq!((figures.heard_ms, figures.bytes_received, figures.gaps_ms), (250, 16_000, vec![]));
}

#[test]
fn what_is_sent_too_far_ahead_is_lost() {
    let (mut ear, t0) = ear();
    ear.hear(t0, &tone(8_000, 5_000));
    ear.hear(t0, &tone(8_000, 5_000));
    ear.hear(t0, &frame());
    let figures = ear.figures(t0);
    assert_eq!((figures.overflow_bytes, figures.max_lead_ms), (320, 2_000));
}

#[test]
fn the_first_sound_is_the_first_one_that_is_heard() {
    let (mut ear, t0) = ear();
    ear.discard_first(ms(30));
    ear.hear(t0, &tone(160, 5_000));
    ear.hear(t0 + ms(20), &tone(160, 10));
    ear.hear(t0 + ms(40), &tone(160, 5_000));
    assert_eq!(ear.first_sound(t0 + ms(39)), None);
    let sound = ear.first_sound(t0 + ms(40)).unwrap();
    assert_eq!((sound.heard_at, sound.arrived_at), (t0 + ms(40), t0 + ms(40)));
    // 60 ms were played, the caller heard the last 30.
    assert_eq!(ear.sound(t0 + ms(60)).len(), 30 * 16);
    assert_eq!(ear.figures(t0 + ms(60)).heard_ms, 30);
}

#[test]
fn odd_pieces_make_whole_samples() {
    let (mut ear, t0) = ear();
    let sound: Vec<u8> = (0..160_i16).flat_map(i16::to_le_bytes).collect();
    for piece in [&sound[..1], &sound[1..8], &sound[8..8], &sound[8..11], &sound[11..]] {
        ear.hear(t0, piece);
    }
    assert_eq!(ear.sound(t0 + ms(20)), sound);
}

#[test]
fn what_is_kept_is_bounded_and_what_is_measured_is_not() {
    let mut ear = Ear::new(ms(100), Duration::from_secs(2));
    let t0 = Instant::now();
    ear.open();
    for n in 0..50 {
        ear.hear(t0 + ms(n * 20), &frame());
    }
    assert_eq!((ear.size(), ear.figures(t0 + ms(1_000)).heard_ms), (1_600, 1_000));
    ear.forget();
    assert_eq!((ear.sound(t0 + ms(1_000)), ear.figures(t0 + ms(1_000)).heard_ms), (&[][..], 1_000));
}

#[test]
fn the_file_is_one_that_others_read() {
    let file = wav(&tone(80, -3));
    let reader = hound::WavReader::new(file.as_slice()).unwrap();
    let spec = reader.spec();
    assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 8_000, 16));
    let samples: Vec<i16> = reader.into_samples().map(Result::unwrap).collect();
    assert_eq!(samples, [-3; 80]);
}

#[test]
fn a_silence_lasts_from_the_last_sound_to_the_next_whatever_is_written() {
    let (mut ear, t0) = ear();
    let silences = |ear: &Ear, now| ear.silences(t0 + ms(now));
    ear.listen(t0);
    assert_eq!(silences(&ear, 900), [], "short ones belong to speech");
    assert_eq!(silences(&ear, 1_500), [(t0, ms(1_500))], "it goes on");
    // Line noise is no sound.
    ear.hear(t0 + ms(1_500), &tone(160, 20));
    ear.hear(t0 + ms(1_700), &frame());
    ear.hear(t0 + ms(1_720), &frame());
    assert_eq!(silences(&ear, 1_750), [(t0, ms(1_700))]);
    // Two frames are heard until 1,740; what is there half a second later ends no long silence.
    ear.hear(t0 + ms(2_240), &frame());
    assert_eq!(silences(&ear, 2_300).len(), 1);
    ear.hang_up(t0 + ms(4_000));
    assert_eq!(silences(&ear, 9_000), [(t0, ms(1_700)), (t0 + ms(2_260), ms(1_740))]);
}

#[test]
fn a_silence_within_a_piece_of_sound_is_found() {
    let (mut ear, t0) = ear();
    ear.listen(t0);
    ear.hear(t0, &[tone(1_600, 5_000), tone(9_600, 0), tone(1_600, 5_000)].concat());
    assert_eq!(ear.silences(t0 + ms(1_600)), [(t0 + ms(200), ms(1_200))]);
}
