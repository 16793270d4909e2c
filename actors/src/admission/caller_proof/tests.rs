//! Tests of caller proof.
#![allow(clippy::unwrap_used)] // A failing test may panic.

use precall_base::phone_number::CallerNumber;
use precall_call::Proof;
use precall_providers::threecx::address::{Dn, LegAddress, ParticipantId};
use precall_providers::threecx::participant::{Participant, ParticipantStatus, Role};

use super::{callback_proof, leg_proof};

const MOBILE: &str = "+4917112345678";

fn caller(number: &str) -> CallerNumber {
    CallerNumber::parse(number, "DE".parse().unwrap())
}

fn role(dn: &str, kind: &str) -> Role {
    Role { dn: dn.to_owned(), kind: kind.to_owned() }
}

fn leg(party: Role) -> Participant {
    Participant {
        leg: LegAddress { dn: Dn::new("900"), participant: ParticipantId(1) },
        status: ParticipantStatus::Connected,
        call_id: Some("1".to_owned()),
        leg_id: Some(1),
        party_caller_name: String::new(),
        party_caller_id: String::new(),
        party,
        party_did: String::new(),
        device_id: String::new(),
        direct_control: None,
        originated_by: Role::default(),
        referred_by: Role::default(),
        on_behalf_of: Role::default(),
    }
}

fn proof(number: &str, leg: &Participant) -> Proof {
    leg_proof(leg, &caller(number), &caller(number), &["10007".to_owned()])
}

#[test]
fn a_leg_that_now_shows_another_party_proves_nothing_about_the_caller() {
    let (extension, trunk) = (leg(role("150", "Wextension")), leg(role("10007", "Wexternalline")));
    let trusted = ["10007".to_owned()];
    assert_eq!(leg_proof(&extension, &caller("150"), &caller(MOBILE), &trusted), Proof::None);
    assert_eq!(leg_proof(&trunk, &caller(MOBILE), &caller("+493012345678"), &trusted), Proof::None);
    let nobody = CallerNumber::Withheld;
    assert_eq!(leg_proof(&trunk, &nobody, &nobody, &trusted), Proof::None);
}

#[test]
fn an_extension_proves_only_its_own_number() {
    let extension = leg(role("150", "Wextension"));
    assert_eq!(proof("150", &extension), Proof::Given);
    for other in ["151", MOBILE, "anonymous"] {
        assert_eq!(proof(other, &extension), Proof::None, "{other}");
    }
    // Anyone outside can send a short number. Without a party kind the origin is unknown.
    assert_eq!(proof("150", &leg(role("10007", "Wexternalline"))), Proof::None);
    assert_eq!(proof("150", &leg(role("150", ""))), Proof::None);
}

#[test]
fn a_trusted_trunk_proves_public_numbers() {
    assert_eq!(proof(MOBILE, &leg(role("10007", "Wexternalline"))), Proof::Given);
    assert_eq!(proof(MOBILE, &leg(role("10008", "Wexternalline"))), Proof::None);
    assert_eq!(proof("anonymous", &leg(role("10007", "Wexternalline"))), Proof::None);
    assert_eq!(proof(MOBILE, &leg(role("10007", "Wqueue"))), Proof::None);
}

#[test]
fn a_call_passed_on_by_an_extension_proves_nothing() {
    for (number, party) in [(MOBILE, role("10007", "Wexternalline")), ("150", role("150", "Wextension"))] {
        let own = leg(party);
        let by = |by: Role| {
            [
                Participant { originated_by: by.clone(), ..own.clone() },
                Participant { referred_by: by.clone(), ..own.clone() },
                Participant { on_behalf_of: by, ..own.clone() },
            ]
        };
        for passed_on in by(role("120", "Wextension")) {
            assert_eq!(proof(number, &passed_on), Proof::None);
        }
        for routed in by(role("ROUTER", "Wroutepoint")) {
            assert_eq!(proof(number, &routed), Proof::Given);
        }
    }
}

#[test]
fn a_call_back_proves_only_extensions() {
    assert_eq!(callback_proof(&caller("150")), Proof::Given);
    assert_eq!(callback_proof(&caller(MOBILE)), Proof::None);
    assert_eq!(callback_proof(&CallerNumber::Withheld), Proof::None);
}
