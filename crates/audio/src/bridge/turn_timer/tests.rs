//! Tests of turn times and of the time to stop.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use super::*;

const MS: Duration = Duration::from_millis(1);

/// A caller who speaks for half a second, in pieces of 20 ms. Returns when the last one arrived.
fn speak(timer: &mut TurnTimer, from: Instant) -> Instant {
    let mut now = from;
    for _ in 0..25 {
        now += 20 * MS;
        timer.caller_spoke(20 * MS, now);
    }
    now
}

#[test]
fn a_turn_is_split_into_our_share_and_the_providers() {
    let mut timer = TurnTimer::default();
    let said = speak(&mut timer, Instant::now());
    timer.all_sent(said + 40 * MS);
    // Silence goes on being sent; it does not move the last word.
    timer.all_sent(said + 100 * MS);
    timer.agent_audio(false, said + 840 * MS);
    timer.agent_audio(false, said + 860 * MS);
    let turn = timer.written(said + 855 * MS).unwrap();
    assert_eq!(turn, TurnTime { provider: 800 * MS, ours: 55 * MS });
    assert_eq!(timer.written(said + 900 * MS), None, "a turn ends once");
}

#[test]
fn noise_silence_and_late_words_are_no_turns() {
    let start = Instant::now();
    let mut timer = TurnTimer::default();
    timer.agent_audio(false, start);
    assert_eq!(timer.written(start + MS), None, "the agent began");
    timer.caller_spoke(60 * MS, start);
    timer.agent_audio(false, start + 500 * MS);
    assert_eq!(timer.written(start + 510 * MS), None, "a click");
    let said = speak(&mut timer, start);
    timer.agent_audio(false, said + Duration::from_secs(21));
    assert_eq!(timer.written(said + Duration::from_secs(22)), None, "the agent began anew");
}

#[test]
fn words_that_are_still_here_when_the_answer_comes_are_our_share() {
    let mut timer = TurnTimer::default();
    let said = speak(&mut timer, Instant::now());
    timer.agent_audio(false, said + 100 * MS);
    let turn = timer.written(said + 120 * MS).unwrap();
    assert_eq!(turn, TurnTime { provider: Duration::ZERO, ours: 120 * MS });
}

#[test]
fn an_interrupted_agent_stops_when_the_written_audio_is_played() {
    let now = Instant::now();
    let mut timer = TurnTimer::default();
    assert_eq!(timer.stops(now, 80 * MS), None);
    timer.interrupted(now);
    timer.interrupted(now + 5 * MS);
    assert_eq!(timer.stops(now + 10 * MS, 80 * MS), Some(90 * MS));
    assert_eq!(timer.stops(now + 20 * MS, 80 * MS), None);
}

#[test]
fn an_interrupted_answer_that_nobody_heard_is_no_turn() {
    let mut timer = TurnTimer::default();
    let said = speak(&mut timer, Instant::now());
    timer.all_sent(said);
    timer.agent_audio(false, said + 300 * MS);
    timer.interrupted(said + 310 * MS);
    assert_eq!(timer.written(said + 320 * MS), None);
}

#[test]
fn pieces_of_one_answer_are_one_turn_however_loud_the_caller_is() {
    let mut timer = TurnTimer::default();
    let said = speak(&mut timer, Instant::now());
    timer.agent_audio(false, said);
    assert!(timer.written(said).is_some());
    let meanwhile = speak(&mut timer, said);
    timer.agent_audio(true, meanwhile);
    assert_eq!(timer.written(meanwhile), None, "the agent goes on");
    let later = speak(&mut timer, meanwhile);
    timer.agent_audio(false, later);
    assert!(timer.written(later).is_some(), "the agent was silent in between");
}
