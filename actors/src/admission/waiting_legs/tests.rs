//! Tests of the legs that wait for their call.

use precall_call::At;
use precall_providers::threecx::address::{Dn, LegAddress, ParticipantId};
use precall_providers::threecx::participant::{Participant, ParticipantStatus, Role};

use super::WaitingLegs;

fn leg(id: u64, status: &str) -> Participant {
    Participant {
        leg: LegAddress { dn: Dn::new("900"), participant: ParticipantId(id) },
        status: ParticipantStatus::read(status),
        call_id: Some(id.to_string()),
        leg_id: Some(1),
        party_caller_name: String::new(),
        party_caller_id: "+4930123456".to_owned(),
        party: Role::default(),
        party_did: String::new(),
        device_id: String::new(),
        direct_control: None,
        originated_by: Role::default(),
        referred_by: Role::default(),
        on_behalf_of: Role::default(),
    }
}

fn ids(legs: &[super::WaitingLeg]) -> Vec<u64> {
    legs.iter().map(|waiting| waiting.participant.leg.participant.0).collect()
}

#[test]
fn the_longest_waiting_leg_comes_first_and_each_only_once() {
    let mut waiting = WaitingLegs::default();
    for (id, at) in [(1, 30), (2, 10), (3, 20)] {
        waiting.seen(&leg(id, "Connected"), At(at), At(100));
    }
    assert_eq!(ids(&waiting.take_all()), [2, 3, 1]);
    assert!(waiting.is_empty());
    assert!(waiting.take_all().is_empty());
}

#[test]
fn a_leg_waits_no_longer_because_it_is_seen_again() {
    let mut waiting = WaitingLegs::default();
    waiting.seen(&leg(1, "Ringing"), At(1), At(50));
    waiting.seen(&leg(2, "Ringing"), At(2), At(60));
    waiting.seen(&leg(1, "Connected"), At(40), At(90));
    assert!(waiting.take_overdue(At(49)).is_empty());
    let overdue = waiting.take_overdue(At(50));
    assert_eq!(ids(&overdue), [1]);
    assert!(overdue.iter().all(|leg| leg.participant.is_connected() && leg.at == At(40)));
    assert_eq!(ids(&waiting.take_overdue(At(60))), [2]);
}

#[test]
fn a_late_event_does_not_make_a_connected_leg_ring_again() {
    let mut waiting = WaitingLegs::default();
    waiting.seen(&leg(1, "Connected"), At(5), At(50));
    waiting.seen(&leg(1, "Ringing"), At(6), At(50));
    let all = waiting.take_all();
    assert!(all.iter().all(|leg| leg.participant.is_connected() && leg.at == At(5)));
}

#[test]
fn a_leg_that_is_gone_waits_no_more() {
    let mut waiting = WaitingLegs::default();
    let (gone, there) = (leg(1, "Connected"), leg(2, "Connected"));
    waiting.seen(&gone, At(1), At(50));
    waiting.seen(&there, At(1), At(50));
    waiting.gone(&gone.leg);
    assert_eq!(ids(&waiting.take_overdue(At(50))), [2]);
}
