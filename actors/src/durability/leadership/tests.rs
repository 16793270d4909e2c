//! Tests of leadership.

use super::*;

#[test]
fn a_leader_that_checks_often_stays_certain_without_the_database() {
    let leadership = Leadership::default();
    let at = |seconds: i64| At(1_000_000 * (1_700_000_000 + seconds));
    leadership.lock_confirmed(at(0));
    for seconds in [3, 6, 9] {
        leadership.lock_unconfirmed(at(seconds));
        assert!(leadership.is_certain(at(seconds + 3)));
    }
    leadership.lock_unconfirmed(at(14));
    assert!(!leadership.is_certain(at(14)));
    leadership.lock_confirmed(at(15));
    assert!(leadership.is_certain(at(15)));
}

#[test]
fn a_superseded_process_stays_superseded() {
    let leadership = Leadership::default();
    assert!(leadership.set(EngineRole::Standby) && leadership.set(EngineRole::Acting(3)));
    assert!(!leadership.set(EngineRole::Acting(3)), "no change");
    assert!(leadership.set(EngineRole::Superseded));
    assert!(!leadership.set(EngineRole::Acting(4)));
    assert_eq!(leadership.now(), EngineRole::Superseded);
}

#[tokio::test]
async fn a_leader_without_a_recent_check_waits_for_the_next_one() {
    let long_ago = || At(clock::now().0 - 5_000_000);
    let leadership = Leadership::default();
    leadership.set(EngineRole::Acting(1));
    leadership.lock_confirmed(clock::now());
    assert!(leadership.may_act().await);
    leadership.lock_confirmed(long_ago());
    // `may_act` starts first and waits.
    let (may, ()) = tokio::join!(leadership.may_act(), async { leadership.lock_confirmed(clock::now()) });
    assert!(may, "the check came meanwhile");
    leadership.lock_confirmed(long_ago());
    leadership.lock_unconfirmed(clock::now());
    assert!(!leadership.is_certain(clock::now()), "a missing answer confirms nothing after a pause");
    let (may, _) = tokio::join!(leadership.may_act(), async { leadership.set(EngineRole::Superseded) });
    assert!(!may);
}
