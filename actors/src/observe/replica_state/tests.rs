//! Tests of the replica's state.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use super::*;

const START: At = At(1_700_000_000_000_000);

fn at(seconds: u64) -> At {
    START.plus(Duration::from_secs(seconds))
}

fn position(of: i64, position: i64) -> WalPosition {
    WalPosition { of: (of, "precall".to_owned()), position: Some(position) }
}

/// The primary wrote so much, and the replica has so much of it.
fn look(state: &mut ReplicaState, seconds: u64, written: i64, replayed: i64) -> Option<News> {
    state.look(Some(position(1, written)), Ok(position(1, replayed)), at(seconds))
}

#[test]
fn a_replica_is_read_from_while_it_lacks_ten_seconds_at_most() {
    let mut state = ReplicaState::default();
    assert!(!state.is_used(), "nobody has looked at it");
    assert_eq!(look(&mut state, 0, 100, 50), Some(News::Used));
    assert_eq!(look(&mut state, 2, 200, 150), None);
    // It stands still. The 200 bytes were there 10 s ago, and then 11.
    assert_eq!(look(&mut state, 12, 300, 150), None);
    assert!(state.is_used());
    assert_eq!(look(&mut state, 13, 300, 150), Some(News::NotUsed("the replica is 11 s behind".to_owned())));
    assert_eq!(look(&mut state, 20, 300, 150), None);
    let (since, words) = state.problem().unwrap();
    assert_eq!((since, words.contains("18 s behind"), state.is_used()), (at(13), true, false));
    assert_eq!(look(&mut state, 22, 300, 299), Some(News::Used), "the last byte is 10 s old");
    assert_eq!(state.problem(), None);
    assert_eq!(look(&mut state, 23, 300, 300), None);
}

#[test]
fn without_new_data_a_replica_is_never_behind() {
    let mut state = ReplicaState::default();
    look(&mut state, 0, 100, 100);
    assert_eq!(look(&mut state, 3_600, 100, 100), None);
    assert!(state.is_used());
}

#[test]
fn while_the_database_is_away_a_replica_that_has_everything_is_read_from() {
    let mut state = ReplicaState::default();
    look(&mut state, 0, 100, 100);
    assert_eq!(state.look(None, Ok(position(1, 100)), at(60)), None);
    assert!(state.is_used());
    // At the start nobody knows whose replica it is.
    let mut fresh = ReplicaState::default();
    assert_eq!(fresh.look(None, Ok(position(1, 100)), at(0)), None);
    assert!(!fresh.is_used());
}

#[test]
fn what_is_no_replica_of_this_database_is_not_read_from() {
    let of_another = (2, "precall".to_owned());
    let named_otherwise = (1, "other".to_owned());
    for of in [of_another, named_otherwise] {
        let mut state = ReplicaState::default();
        let seen = WalPosition { of, position: Some(500) };
        let news = state.look(Some(position(1, 100)), Ok(seen), at(0));
        assert!(matches!(news, Some(News::NotUsed(words)) if words.contains("another database")));
        assert!(!state.is_used());
    }
    let mut state = ReplicaState::default();
    let primary = WalPosition { position: None, ..position(1, 0) };
    let news = state.look(Some(position(1, 100)), Ok(primary), at(0));
    assert!(matches!(news, Some(News::NotUsed(words)) if words.contains("no streaming replica")));
}

#[test]
fn a_replica_that_does_not_answer_is_not_read_from_until_it_does() {
    let mut state = ReplicaState::default();
    look(&mut state, 0, 100, 100);
    let away = || Err("the database cannot be reached: connection refused".to_owned());
    let news = state.look(Some(position(1, 200)), away(), at(2));
    assert!(matches!(news, Some(News::NotUsed(_))));
    assert_eq!(state.look(Some(position(1, 200)), away(), at(4)), None, "it is said once");
    assert_eq!(look(&mut state, 6, 300, 300), Some(News::Used));
}

#[test]
fn a_replica_that_stands_still_for_long_needs_no_more_memory() {
    let mut state = ReplicaState::default();
    for step in 0..10_000_u32 {
        look(&mut state, u64::from(step) * 2, i64::from(step), -1);
    }
    assert_eq!(state.lacking.len(), LACKING_MAX);
}
