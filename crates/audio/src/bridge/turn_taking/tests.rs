//! Tests of turn taking.

use super::*;

const S: Duration = Duration::from_secs(1);

fn turn() -> Turn {
    Turn::new(6 * S, 15 * S)
}

#[test]
fn an_agent_that_owes_a_word_is_covered_by_music_and_then_given_up() {
    let now = Instant::now();
    let mut turn = turn();
    turn.agent_owes(now);
    turn.agent_owes(now + 4 * S);
    assert_eq!(turn.patience(now + 5 * S), Patience::Fine);
    assert_eq!(turn.patience(now + 6 * S), Patience::Fill);
    assert_eq!(turn.patience(now + 15 * S), Patience::Stalled, "counted from the first word of the caller");
    turn.nothing_is_owed();
    assert_eq!(turn.patience(now + 60 * S), Patience::Fine);
}

#[test]
fn who_speaks_first_is_what_was_agreed() {
    let now = Instant::now();
    let mut turn = turn();
    turn.opened(Opening::Caller, now);
    assert_eq!(turn.patience(now + 60 * S), Patience::Fine);
    turn.opened(Opening::Agent, now);
    assert_eq!(turn.patience(now + 6 * S), Patience::Fill);
    turn.opened(Opening::Unknown, now);
    assert_eq!(turn.patience(now + 2 * S), Patience::Fine);
    assert_eq!(turn.patience(now + 3 * S), Patience::Fine);
    assert_eq!(turn.patience(now + 60 * S), Patience::Fine, "it waits for the caller");
}

#[test]
fn silences_are_kept_apart_by_whose_turn_it_was() {
    let now = Instant::now();
    let mut turn = turn();
    turn.silent(2 * S);
    turn.agent_owes(now);
    turn.silent(S);
    turn.silent(S);
    turn.sounded();
    turn.silent(S);
    let (agents, callers) = turn.silences();
    assert_eq!(agents, Silence { longest: 2 * S, total: 3 * S });
    assert_eq!(callers, Silence { longest: 2 * S, total: 2 * S });
}
