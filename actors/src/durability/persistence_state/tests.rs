//! Tests of persistence state.

use super::*;

fn acting(spool_max: Option<u64>) -> PersistenceState {
    let state = PersistenceState::new(spool_max);
    state.leadership.set(EngineRole::Acting(1));
    state.leadership.lock_confirmed(clock::now());
    state.set_reached(1);
    state
}

#[test]
fn without_the_database_calls_are_accepted_while_the_spool_has_room() {
    let state = acting(Some(800));
    assert!(state.can_keep());
    state.not_answered();
    assert!(state.can_keep_call(), "goes to the spool");
    state.spool.set_waiting(Waiting { frames: 1, bytes: 700 });
    assert!(state.can_keep());
    state.spool.set_waiting(Waiting { frames: 1, bytes: 701 });
    assert!(!state.can_keep_call(), "the rest is for live calls");
    assert!(state.can_keep(), "and for reports, which are refused last");
    state.spool.set_waiting(Waiting { frames: 1, bytes: 800 });
    assert!(!state.can_keep());
    state.spool.set_waiting(Waiting::default());
    state.spool.set_failing(true);
    assert!(!state.can_keep());
    state.answered();
    assert!(state.can_keep(), "the database is sufficient");
    state.set_queued(QUEUE_MAX - 1);
    assert!(state.can_keep() && !state.can_keep_call());
    state.set_queued(0);
    state.spool.set_in_use(true);
    assert!(!state.can_keep(), "events in the spool come first");
}

#[test]
fn without_a_spool_only_the_database_counts() {
    let state = acting(None);
    assert!(state.can_keep());
    state.set_write_failing(true);
    assert!(!state.can_keep());
}
