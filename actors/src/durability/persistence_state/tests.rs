//! Tests of persistence state.

use precall_store::spool::handle::Waiting;
use precall_store::spool::room::Room;

use super::*;
use crate::durability::lease::Company;

fn acting(spool_max: Option<u64>) -> PersistenceState {
    let state = PersistenceState::leading(spool_max);
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

#[tokio::test]
async fn what_must_happen_once_waits_for_the_lease_and_for_what_a_standby_does_not_know() {
    let state = acting(Some(800));
    assert!(state.may_act().await.is_some());
    state.spool.set_in_use(true);
    assert!(state.may_act_now(), "alone: nobody else knows less");
    renew(&state, Company::Standby);
    renew(&state, Company::Standby);
    assert!(state.may_act_now() && !state.renewal_is_due(), "nobody follows before the spool is empty");
    state.spool.set_in_use(false);
    assert!(state.renewal_is_due());
    renew(&state, Company::Standby);
    assert!(state.may_act_now());
    state.spool.set_in_use(true);
    assert!(!state.may_act_now(), "the intent may be in the spool, where the standby does not find it");
    let (act, ()) = tokio::join!(state.may_act(), async { state.spool.set_in_use(false) });
    assert!(act.is_some(), "it is in the database now");
    state.leadership.begin_to_leave();
    assert!(!state.may_act_now() && !state.can_keep());
    assert_eq!(state.leadership.under_way(), 1);
    drop(act);
    assert_eq!(state.leadership.under_way(), 0);
    state.leadership.stay();
    assert!(state.may_act_now());
    state.leadership.set(EngineRole::Superseded);
    assert!(state.may_act().await.is_none());
}

fn renew(state: &PersistenceState, company: Company) {
    let renewal = state.renewal();
    state.leadership.renewed(renewal, clock::moment(), company);
}

#[test]
fn without_a_spool_only_the_database_counts() {
    let state = acting(None);
    assert!(state.can_keep());
    state.set_write_failing(true);
    assert!(!state.can_keep());
}

#[test]
fn a_disk_without_room_refuses_new_calls_only_when_the_spool_is_needed() {
    const MIB: u64 = 1024 * 1024;
    let room = |bytes| Some(Room { bytes, no_inodes: false });
    let state = acting(Some(1024 * MIB));
    assert_eq!((state.spool.problems(), state.spool.free()), (Vec::new(), None), "not looked at yet");
    state.spool.set_room(room(1024 * MIB));
    assert_eq!(state.spool.problems(), []);
    state.spool.set_room(room(100 * MIB));
    let since = |state: &PersistenceState| state.spool.problems().first().map(|(since, _)| *since);
    let began = since(&state);
    state.spool.set_room(room(MIB));
    let problems = state.spool.problems();
    assert!(problems.iter().any(|(_, words)| words.contains("its disk is full")), "{problems:?}");
    assert!(began.is_some() && since(&state) == began, "it stays the same problem");
    assert!(state.can_keep_call(), "the database takes it");
    state.spool.set_in_use(true);
    assert_eq!(state.spool.health(), SpoolHealth::Full);
    assert!(!state.can_keep_call());
    assert!(state.can_keep(), "live calls may use the rest");
    state.spool.set_room(room(2048 * MIB));
    assert!(state.can_keep_call() && state.spool.problems().is_empty());
}
