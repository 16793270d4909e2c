//! Speech is told from silence, noise and clicks.

use super::*;

/// 20 ms of a square wave with this level.
fn piece(level: i16) -> Vec<u8> {
    (0..160).flat_map(|i| (if i % 2 == 0 { level } else { -level }).to_le_bytes()).collect()
}

#[test]
fn silence_and_line_noise_are_no_speech() {
    let mut speech = CallerSpeech::default();
    for _ in 0..500 {
        assert!(!speech.push(&piece(0)) && !speech.push(&piece(120)) && !speech.push(&[]));
    }
}

#[test]
fn speech_counts_from_400_ms_in_all() {
    let mut speech = CallerSpeech::default();
    for _ in 0..19 {
        assert!(!speech.push(&piece(3_000)) && !speech.push(&piece(10)));
    }
    assert!(speech.push(&piece(3_000)));
    assert!(CallerSpeech::default().push(&piece(i16::MIN.saturating_add(1)).repeat(20)));
}
