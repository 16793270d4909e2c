//! Tests of leadership.

use super::*;

#[test]
fn who_looks_often_enough_is_sure_without_the_database() {
    let stand = Leadership::default();
    let at = |seconds: i64| At(1_000_000 * (1_700_000_000 + seconds));
    stand.looked(at(0));
    for seconds in [3, 6, 9] {
        stand.not_answered(at(seconds));
        assert!(stand.is_sure(at(seconds + 3)));
    }
    stand.not_answered(at(14));
    assert!(!stand.is_sure(at(14)));
    stand.looked(at(15));
    assert!(stand.is_sure(at(15)));
}

#[test]
fn whoever_was_superseded_stays_so() {
    let stand = Leadership::default();
    assert!(stand.set(EngineRole::Standby) && stand.set(EngineRole::Acting(3)));
    assert!(!stand.set(EngineRole::Acting(3)), "no news");
    assert!(stand.set(EngineRole::Superseded));
    assert!(!stand.set(EngineRole::Acting(4)));
    assert_eq!(stand.now(), EngineRole::Superseded);
}

#[tokio::test]
async fn who_has_not_looked_for_long_does_nothing_until_it_has() {
    let long_ago = || At(clock::now().0 - 5_000_000);
    let stand = Leadership::default();
    stand.set(EngineRole::Acting(1));
    stand.looked(clock::now());
    assert!(stand.may_act().await);
    stand.looked(long_ago());
    // The question comes first, and waits.
    let (may, ()) = tokio::join!(stand.may_act(), async { stand.looked(clock::now()) });
    assert!(may, "it looked meanwhile");
    stand.looked(long_ago());
    stand.not_answered(clock::now());
    assert!(!stand.is_sure(clock::now()), "who was not running learns nothing from a database that is away");
    let (may, _) = tokio::join!(stand.may_act(), async { stand.set(EngineRole::Superseded) });
    assert!(!may);
}
