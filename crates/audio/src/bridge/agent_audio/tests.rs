//! Tests of the agent's audio.

use super::*;

fn pcm(value: u8, bytes: usize) -> Bytes {
    Bytes::from(vec![value; bytes])
}

#[test]
fn audio_is_played_in_order_in_pieces_of_any_size() {
    let mut audio = AgentAudio::default();
    audio.push(1, pcm(1, 100));
    audio.push(1, pcm(2, 60));
    audio.push(2, pcm(3, 41));
    assert_eq!(audio.piece(40), pcm(1, 40));
    let across = audio.piece(101);
    assert_eq!(across.as_ref(), [vec![1; 60], vec![2; 40]].concat());
    assert_eq!(audio.piece(1_000).as_ref(), [vec![2; 20], vec![3; 40]].concat(), "whole samples only");
    assert_eq!(audio.piece(1_000).len(), 0);
}

#[test]
fn an_interruption_drops_queued_and_late_audio() {
    let mut audio = AgentAudio::default();
    audio.push(3, pcm(1, 100));
    audio.interrupt(3);
    assert!(audio.is_empty());
    audio.push(3, pcm(1, 100));
    audio.push(2, pcm(1, 100));
    assert!(audio.is_empty(), "late audio of the interrupted answer");
    audio.interrupt(1);
    audio.push(4, pcm(4, 10));
    assert_eq!(audio.piece(10), pcm(4, 10));
}

#[test]
fn audio_given_back_is_played_first() {
    let mut audio = AgentAudio::default();
    audio.push(1, pcm(1, 40));
    let piece = audio.piece(20);
    audio.give_back(piece.slice(4..));
    assert_eq!(audio.waiting(), duration_of(36));
    assert_eq!(audio.piece(36), pcm(1, 36));
}

#[test]
fn at_most_two_minutes_are_queued() {
    let mut audio = AgentAudio::default();
    for event in 0..130 {
        audio.push(event, pcm(1, 16_000));
    }
    assert_eq!(audio.waiting(), LONGEST);
    assert_eq!(audio.dropped(), Duration::from_secs(10));
}
