//! Tests of leg owners.

use precall_providers::threecx::address::{Dn, ParticipantId};

use super::*;

const NOW: At = At(1_700_000_000_000_000);
const CALL: CallId = CallId(7);

fn leg(id: u64) -> LegAddress {
    LegAddress { dn: Dn::new("900"), participant: ParticipantId(id) }
}

#[test]
fn pitfall_04_repeated_upserts_are_reported_once_and_a_status_never_falls() {
    let mut legs = LegOwners::default();
    assert_eq!(legs.seen(CALL, &leg(1), LegState::Ringing), Some(CallLegEvent::Ringing(CALL, leg(1))));
    assert_eq!(legs.seen(CALL, &leg(1), LegState::Ringing), None);
    assert_eq!(legs.seen(CALL, &leg(1), LegState::Connected), Some(CallLegEvent::Connected(CALL, leg(1))));
    assert_eq!(legs.seen(CALL, &leg(1), LegState::Connected), None);
    assert_eq!(legs.seen(CALL, &leg(1), LegState::Ringing), None);
    assert_eq!(legs.gone(&leg(1), NOW), [CallLegEvent::Gone(CALL)]);
    assert_eq!(legs.gone(&leg(1), NOW), []);
}

#[test]
fn pitfall_06_a_new_leg_within_the_grace_time_is_the_same_call_and_later_another_call() {
    let mut legs = LegOwners::default();
    legs.seen(CALL, &leg(1), LegState::Connected);
    legs.gone(&leg(1), NOW);
    assert!(legs.may_join(CALL, NOW.plus(Duration::from_secs(2))));
    assert!(!legs.may_join(CALL, NOW.plus(Duration::from_millis(2_001))));
    assert_eq!(legs.seen(CALL, &leg(2), LegState::Connected), Some(CallLegEvent::Connected(CALL, leg(2))));
    assert!(legs.may_join(CALL, NOW.plus(Duration::from_secs(60))), "the call has a leg");
}

#[test]
fn pitfall_13_a_second_leg_of_a_call_waits_until_the_first_is_gone() {
    let mut legs = LegOwners::default();
    legs.seen(CALL, &leg(1), LegState::Connected);
    assert_eq!(legs.seen(CALL, &leg(2), LegState::Connected), None);
    assert_eq!(legs.gone(&leg(1), NOW), [CallLegEvent::Gone(CALL), CallLegEvent::Connected(CALL, leg(2))]);
    assert_eq!(legs.of_call(CALL), Some(&leg(2)));
    assert_eq!(legs.forget(CALL), []);
    assert_eq!(legs.call_of(&leg(2)), None);
    assert!(legs.is_left_over(&leg(2)), "a late event about it starts no new call");
    assert_eq!(legs.gone(&leg(2), NOW), []);
    assert!(!legs.is_left_over(&leg(2)), "the same id after a restart of the PBX is another leg");
}

#[test]
fn a_leg_that_came_too_late_for_its_call_may_begin_another_one() {
    let mut legs = LegOwners::default();
    legs.seen(CALL, &leg(1), LegState::Connected);
    assert_eq!(legs.forget(CALL), []);
    assert!(legs.let_start_a_call(&leg(1)));
    assert!(!legs.is_left_over(&leg(1)) && legs.call_of(&leg(1)).is_none());
    assert!(!legs.let_start_a_call(&leg(2)), "it is gone");
}

#[test]
fn legs_that_wait_when_their_call_ends_may_begin_another_one() {
    let mut legs = LegOwners::default();
    for id in 1..=3 {
        legs.seen(CALL, &leg(id), LegState::Connected);
    }
    assert_eq!(legs.forget(CALL), [leg(2), leg(3)]);
    assert!(legs.is_left_over(&leg(1)), "the call has dropped it or passed it on");
    for id in 2..=3 {
        assert!(!legs.is_left_over(&leg(id)) && legs.call_of(&leg(id)).is_none());
    }
}
