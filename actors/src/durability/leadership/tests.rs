//! Tests of leadership.

use super::*;
use crate::durability::lease::SHORT;

#[test]
fn a_process_that_was_superseded_or_has_left_stays_so() {
    for last in [EngineRole::Superseded, EngineRole::Left] {
        let leadership = Leadership::default();
        assert!(leadership.set(EngineRole::Standby) && leadership.set(EngineRole::Acting(3)));
        assert!(!leadership.set(EngineRole::Acting(3)), "no change");
        assert!(leadership.set(last));
        for role in [EngineRole::Acting(4), EngineRole::Left, EngineRole::Superseded] {
            assert!(!leadership.set(role), "{role:?} after {last:?}");
        }
        assert_eq!(leadership.now(), last);
    }
}

#[test]
fn only_a_leader_with_a_lease_acts() {
    let leadership = Leadership::default();
    leadership.set(EngineRole::Acting(1));
    assert!(!leadership.acts(), "nothing was confirmed");
    leadership.claimed(clock::moment(), SHORT);
    assert!(leadership.acts());
    leadership.claimed(Moment { uptime: Duration::ZERO, wall: precall_call::At(0) }, SHORT);
    assert!(!leadership.acts(), "the lease is over");
    leadership.claimed(clock::moment(), SHORT);
    leadership.set(EngineRole::Left);
    assert!(!leadership.acts());
}
