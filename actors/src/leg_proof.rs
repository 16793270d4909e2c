//! Which legs prove who calls: pure.
//!
//! A leg proves its caller when the PBX itself knows where it comes from: its other side is an extension and the caller is that
//! extension, or a trunk of `TRUSTED_TRUNKS` and the caller a public number. Whose call was passed on by another extension
//! (`originated_by`, `referred_by`, `on_behalf_of`) proves nothing: who speaks is whom that extension let through, and the PBX shows
//! the one as readily as the other. Route points, queues and menus on the way say nothing about it.

use precall_call::Proof;

use crate::phone_number::CallerNumber;
use crate::providers::threecx::participant::{Participant, Role};

const EXTENSION: &str = "Wextension";
const TRUNK: &str = "Wexternalline";

/// Whether the leg proves that its caller is who the number says.
#[must_use]
pub fn leg_proof(leg: &Participant, caller: &CallerNumber, trusted_trunks: &[String]) -> Proof {
    let party = &leg.party;
    let passed_on = [&leg.originated_by, &leg.referred_by, &leg.on_behalf_of]
        .into_iter()
        .any(|role| is(role, EXTENSION) && role.dn != party.dn);
    if passed_on {
        return Proof::None;
    }
    let proves = match caller {
        CallerNumber::Internal(extension) => is(party, EXTENSION) && party.dn == extension.as_str(),
        CallerNumber::Public(_) => is(party, TRUNK) && trusted_trunks.contains(&party.dn),
        CallerNumber::Withheld | CallerNumber::Unreadable => false,
    };
    if proves { Proof::Given } else { Proof::None }
}

/// The same of a caller whom precall calls back: the PBX rings the extension itself, whoever has rung. A public number proves
/// nothing that way: calls can be diverted.
#[must_use]
pub fn callback_proof(caller: &CallerNumber) -> Proof {
    match caller {
        CallerNumber::Internal(_) => Proof::Given,
        CallerNumber::Public(_) | CallerNumber::Withheld | CallerNumber::Unreadable => Proof::None,
    }
}

fn is(role: &Role, kind: &str) -> bool {
    role.kind.eq_ignore_ascii_case(kind)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A failed test is a failed test.

    use serde_json::{Value, json};

    use super::{callback_proof, leg_proof};
    use crate::phone_number::CallerNumber;
    use crate::providers::threecx::address::Dn;
    use crate::providers::threecx::wire::participant;
    use precall_call::Proof;

    fn caller(number: &str) -> CallerNumber {
        CallerNumber::parse(number, "DE".parse().unwrap())
    }

    fn proof(number: &str, leg: &Value) -> Proof {
        let mut shown = json!({"id": 1, "status": "Connected", "dn": "900", "party_caller_id": number});
        shown.as_object_mut().unwrap().extend(leg.as_object().unwrap().clone());
        let leg = participant(shown.to_string().as_bytes(), &Dn::new("900")).unwrap();
        leg_proof(&leg, &caller(number), &["10007".to_owned()])
    }

    #[test]
    fn an_extension_proves_itself_and_nobody_else() {
        let extension = json!({"party_dn": "150", "party_dn_type": "Wextension"});
        assert_eq!(proof("150", &extension), Proof::Given);
        assert_eq!(proof("151", &extension), Proof::None);
        assert_eq!(proof("+4917112345678", &extension), Proof::None);
        assert_eq!(proof("anonymous", &extension), Proof::None);
        // A short number that comes from outside is anybody's.
        let outside = json!({"party_dn": "10007", "party_dn_type": "Wexternalline"});
        assert_eq!(proof("150", &outside), Proof::None);
        assert_eq!(proof("150", &json!({"party_dn": "150"})), Proof::None, "the PBX did not say what it is");
    }

    #[test]
    fn a_trusted_trunk_proves_public_numbers() {
        let trunk = |dn: &str| json!({"party_dn": dn, "party_dn_type": "Wexternalline"});
        assert_eq!(proof("+4917112345678", &trunk("10007")), Proof::Given);
        assert_eq!(proof("+4917112345678", &trunk("10008")), Proof::None);
        assert_eq!(proof("anonymous", &trunk("10007")), Proof::None);
        let queue = json!({"party_dn": "10007", "party_dn_type": "Wqueue"});
        assert_eq!(proof("+4917112345678", &queue), Proof::None);
    }

    #[test]
    fn what_an_extension_passed_on_proves_nothing() {
        for by in ["originated_by", "referred_by", "on_behalf_of"] {
            for (number, party, kind) in
                [("+4917112345678", "10007", "Wexternalline"), ("150", "150", "Wextension")]
            {
                let passed_on_by = |dn: &str, by_kind: &str| {
                    json!({"party_dn": party, "party_dn_type": kind,
                        format!("{by}_dn"): dn, format!("{by}_type"): by_kind})
                };
                assert_eq!(proof(number, &passed_on_by("120", "Wextension")), Proof::None, "{by} {number}");
                assert_eq!(proof(number, &passed_on_by("ROUTER", "Wroutepoint")), Proof::Given);
            }
        }
    }

    #[test]
    fn a_call_back_proves_extensions_alone() {
        assert_eq!(callback_proof(&caller("150")), Proof::Given);
        assert_eq!(callback_proof(&caller("+4917112345678")), Proof::None);
        assert_eq!(callback_proof(&CallerNumber::Withheld), Proof::None);
    }
}
