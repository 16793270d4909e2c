//! Tests of leadership.

use super::*;

#[test]
fn who_looks_often_enough_is_sure_without_the_database() {
    let leadership = Leadership::default();
    let at = |seconds: i64| At(1_000_000 * (1_700_000_000 + seconds));
    leadership.looked(at(0));
    for seconds in [3, 6, 9] {
        leadership.not_answered(at(seconds));
        assert!(leadership.is_sure(at(seconds + 3)));
    }
    leadership.not_answered(at(14));
    assert!(!leadership.is_sure(at(14)));
    leadership.looked(at(15));
    assert!(leadership.is_sure(at(15)));
}

#[test]
fn whoever_was_superseded_stays_so() {
    let leadership = Leadership::default();
    assert!(leadership.set(EngineRole::Standby) && leadership.set(EngineRole::Acting(3)));
    assert!(!leadership.set(EngineRole::Acting(3)), "no news");
    assert!(leadership.set(EngineRole::Superseded));
    assert!(!leadership.set(EngineRole::Acting(4)));
    assert_eq!(leadership.now(), EngineRole::Superseded);
}

#[tokio::test]
async fn who_has_not_looked_for_long_does_nothing_until_it_has() {
    let long_ago = || At(clock::now().0 - 5_000_000);
    let leadership = Leadership::default();
    leadership.set(EngineRole::Acting(1));
    leadership.looked(clock::now());
    assert!(leadership.may_act().await);
    leadership.looked(long_ago());
    // The question comes first, and waits.
    let (may, ()) = tokio::join!(leadership.may_act(), async { leadership.looked(clock::now()) });
    assert!(may, "it looked meanwhile");
    leadership.looked(long_ago());
    leadership.not_answered(clock::now());
    assert!(
        !leadership.is_sure(clock::now()),
        "who was not running learns nothing from a database that is away"
    );
    let (may, _) = tokio::join!(leadership.may_act(), async { leadership.set(EngineRole::Superseded) });
    assert!(!may);
}
