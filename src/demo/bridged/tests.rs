//! Tests of `bridged.rs`.
#![allow(clippy::unwrap_used)] // A failed test is a failed test.

use super::super::tones::recording;
use super::*;

const AGENT: u32 = 700;

fn said(began_after_ms: u64, length_ms: u64, interrupted_after_ms: Option<u64>) -> Said {
    Said {
        event_id: 1,
        text: String::new(),
        began_after_ms,
        length_ms,
        sent_ms: length_ms,
        interrupted_after_ms,
        heard_ms: None,
    }
}

/// A call whose recording and conversation begin at the same time.
fn judged(parts: &[(u32, u32)], between: Between, said: Vec<Said>) -> Bridged {
    judged_while(&Stalls::default(), parts, between, said)
}

fn judged_while(stalls: &Stalls, parts: &[(u32, u32)], between: Between, said: Vec<Said>) -> Bridged {
    let began = Timestamp::from_millisecond(1_000_000).ok();
    let talk = Conversed { hz: Some(AGENT), opened_at: began, said, violations: 0, heard_ms: 200 };
    let call =
        Listened { name: "call".to_owned(), recording: recording(parts), began, talks: vec![talk], between };
    Bridged::of(&[call], Judge::Timing, stalls)
}

#[test]
fn greeting_music_and_agent_in_their_order_are_right() {
    let heard = [(900, 400), (GREETING_HZ, 800), (HOLD_HZ, 600), (AGENT, 900)];
    let bridged = judged(&heard, Between::Music, Vec::new());
    assert_eq!((bridged.problems.as_slice(), bridged.in_order, bridged.held), ([].as_slice(), 1, 1));
    let heard = [(GREETING_HZ, 800), (AGENT, 900)];
    assert!(judged(&heard, Between::Nothing, Vec::new()).is_good());
    assert!(!judged(&heard, Between::Music, Vec::new()).is_good(), "music is missing");
}

#[test]
fn another_order_is_wrong() {
    for heard in [
        [(HOLD_HZ, 800), (GREETING_HZ, 600), (AGENT, 900)].as_slice(),
        &[(GREETING_HZ, 800), (AGENT, 600), (HOLD_HZ, 300), (AGENT, 600)],
        &[(GREETING_HZ, 800), (HOLD_HZ, 600)],
        &[(AGENT, 800), (GREETING_HZ, 600), (HOLD_HZ, 600)],
    ] {
        assert!(!judged(heard, Between::Either, Vec::new()).is_good(), "{heard:?}");
    }
}

#[test]
fn a_gap_before_the_agent_counts_where_timing_does() {
    let heard = [(GREETING_HZ, 800), (HOLD_HZ, 600), (0, 80), (AGENT, 900)];
    let bridged = judged(&heard, Between::Music, Vec::new());
    assert!(bridged.longest_gap_ms.abs_diff(80) <= 1, "{bridged:?}");
    assert_eq!((bridged.in_order, bridged.problems.len()), (1, 1));
}

#[test]
fn a_gap_while_the_machine_was_late_is_the_machines() {
    let heard = [(GREETING_HZ, 800), (HOLD_HZ, 600), (0, 80), (AGENT, 900)];
    // The recording begins at second 1000 and the gap is 1400 ms later.
    let late = |ended_ms: i64| {
        let mut stalls = Stalls::default();
        stalls.beat(std::time::Duration::from_millis(90), At(ended_ms * 1_000));
        stalls
    };
    let of_machine = judged_while(&late(1_001_450), &heard, Between::Music, Vec::new());
    assert!(of_machine.is_good() && of_machine.of_machine.len() == 1, "{of_machine:?}");
    assert!(of_machine.to_string().contains("while the machine was late: call: 80 ms"), "{of_machine}");
    let ours = judged_while(&late(1_000_500), &heard, Between::Music, Vec::new());
    assert!(!ours.is_good() && ours.of_machine.is_empty(), "{ours:?}");
    // The machine excuses no order.
    let order = [(HOLD_HZ, 800), (GREETING_HZ, 600), (AGENT, 900)];
    assert!(!judged_while(&late(1_001_450), &order, Between::Either, Vec::new()).is_good());
}

#[test]
fn an_interrupted_agent_must_be_silent_in_time() {
    for (goes_on, is_good) in [(100, true), (300, false)] {
        let heard = [(GREETING_HZ, 800), (AGENT, 700 + goes_on), (0, 1_200), (AGENT, 300)];
        let bridged = judged(&heard, Between::Nothing, vec![said(800, 5_000, Some(1_500))]);
        assert_eq!(bridged.is_good(), is_good, "{bridged:?}");
        assert!(bridged.longest_silenced_ms.abs_diff(u64::from(goes_on)) <= 20, "{bridged:?}");
    }
}

#[test]
fn a_late_answer_must_be_filled() {
    let said = || vec![said(800, 600, None), said(5_000, 600, None)];
    let filled = [(GREETING_HZ, 800), (AGENT, 600), (0, 2_000), (HOLD_HZ, 1_600), (AGENT, 600)];
    let bridged = judged(&filled, Between::Nothing, said());
    assert!(bridged.is_good() && bridged.filled == 1, "{bridged:?}");
    let silent = [(GREETING_HZ, 800), (AGENT, 600), (0, 3_600), (AGENT, 600)];
    assert!(!judged(&silent, Between::Nothing, said()).is_good());
}
