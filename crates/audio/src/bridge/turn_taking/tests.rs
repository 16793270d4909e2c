//! Tests of turn-taking.

use super::*;

const S: Duration = Duration::from_secs(1);

fn turn() -> TurnTaking {
    TurnTaking::new(6 * S, 8 * S, 15 * S)
}

#[test]
fn a_silent_agent_is_covered_by_music_and_then_given_up() {
    let now = Instant::now();
    let mut turn = turn();
    turn.expect_agent(now);
    turn.expect_agent(now + 4 * S);
    assert_eq!(turn.action(now + 5 * S), SilenceAction::Wait);
    assert_eq!(turn.action(now + 6 * S), SilenceAction::PlayMusic);
    assert_eq!(turn.action(now + 15 * S), SilenceAction::GiveUp, "counted from the first word of the caller");
    turn.expect_nothing();
    assert_eq!(turn.action(now + 60 * S), SilenceAction::Wait);
}

#[test]
fn the_first_speaker_decides_whether_the_agent_must_speak() {
    let now = Instant::now();
    let mut turn = turn();
    turn.start(FirstSpeaker::Caller, now);
    assert_eq!(turn.action(now + 60 * S), SilenceAction::Wait);
    turn.start(FirstSpeaker::Agent, now);
    assert_eq!(turn.action(now + 6 * S), SilenceAction::PlayMusic);
    assert_eq!(
        turn.action(now + 8 * S),
        SilenceAction::GiveUp,
        "the first word must come sooner than later ones"
    );
    turn.start(FirstSpeaker::Unknown, now);
    assert_eq!(turn.action(now + 2 * S), SilenceAction::Wait);
    assert_eq!(turn.action(now + 3 * S), SilenceAction::StopMusic, "perhaps it waits for the caller");
    assert_eq!(turn.action(now + 14 * S), SilenceAction::StopMusic);
    assert_eq!(turn.action(now + 15 * S), SilenceAction::GiveUp, "nobody spoke, so the agent is dead");
}

#[test]
fn a_caller_who_speaks_first_gives_the_agent_the_time_of_an_answer() {
    let now = Instant::now();
    let mut turn = turn();
    turn.start(FirstSpeaker::Unknown, now);
    turn.expect_agent(now + 12 * S);
    assert_eq!(turn.action(now + 15 * S), SilenceAction::Wait);
    assert_eq!(turn.action(now + 18 * S), SilenceAction::PlayMusic);
    assert_eq!(turn.action(now + 27 * S), SilenceAction::GiveUp);
}

#[test]
fn silences_are_counted_apart_for_agent_and_caller() {
    let now = Instant::now();
    let mut turn = turn();
    turn.add_silence(2 * S);
    turn.expect_agent(now);
    turn.add_silence(S);
    turn.add_silence(S);
    turn.end_silence();
    turn.add_silence(S);
    let (agents, callers) = turn.silences();
    assert_eq!(agents, Silence { longest: 2 * S, total: 3 * S });
    assert_eq!(callers, Silence { longest: 2 * S, total: 2 * S });
}
