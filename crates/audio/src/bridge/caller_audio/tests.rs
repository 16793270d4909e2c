//! Tests of the caller's audio.

use super::*;

const MS: Duration = Duration::from_millis(1);

fn due(audio: &mut CallerAudio, now: Instant) -> Vec<u8> {
    let mut piece = BytesMut::new();
    audio.take_due(now, &mut piece);
    piece.to_vec()
}

#[test]
fn caller_audio_is_sent_as_it_arrives() {
    let began = Instant::now();
    let mut audio = CallerAudio::new(began);
    let mut sent = 0;
    for tick in 1..=50_u32 {
        for _ in 0..3 {
            audio.push(&[7; 320]);
        }
        let piece = due(&mut audio, began + 60 * MS * tick);
        assert!(piece.iter().all(|byte| *byte == 7), "no silence between words");
        sent += piece.len();
    }
    assert_eq!(sent, 50 * 960);
}

#[test]
fn silence_is_sent_when_the_pbx_sends_nothing() {
    let began = Instant::now();
    let mut audio = CallerAudio::new(began);
    let mut sent = 0;
    for tick in 1..=100_u32 {
        let piece = due(&mut audio, began + 60 * MS * tick);
        assert!(piece.iter().all(|byte| *byte == 0));
        sent += piece.len();
    }
    let missing = 6_000 * MS - duration_of(sent);
    assert!(missing <= LATE, "{missing:?} behind after six seconds");
}

#[test]
fn a_burst_is_spread_and_old_audio_is_dropped() {
    let began = Instant::now();
    let mut audio = CallerAudio::new(began);
    audio.push(&vec![1; bytes_within(3_000 * MS)]);
    assert_eq!(audio.dropped(), 1_000 * MS);
    assert_eq!(due(&mut audio, began).len(), bytes_within(AHEAD));
    assert_eq!(due(&mut audio, began + 60 * MS).len(), 960);
}
