//! Which legs prove the caller's number.
//!
//! A leg proves its caller if the PBX itself knows the origin: the other side is an extension and the caller is that
//! extension, or the other side is a trunk of `TRUSTED_TRUNKS` and the caller is a public number. A call that another
//! extension passed on (`originated_by`, `referred_by`, `on_behalf_of`) proves nothing: that extension chose who
//! speaks, and the PBX may show either number. Route points, queues and menus on the way do not matter.
//!
//! Pure: no clock, no I/O, no actor.

use precall_base::phone_number::CallerNumber;
use precall_call::Proof;
use precall_providers::threecx::participant::{Participant, Role};

const EXTENSION: &str = "Wextension";
const TRUNK: &str = "Wexternalline";

/// Whether the leg proves the number of its call's caller. `shown` is the number that the leg shows now: the other
/// side of a leg can change while the call keeps its first caller.
#[must_use]
pub fn leg_proof(
    leg: &Participant,
    shown: &CallerNumber,
    caller: &CallerNumber,
    trusted_trunks: &[String],
) -> Proof {
    if shown != caller {
        return Proof::None;
    }
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

/// The proof for a call back: the PBX rings the extension itself. A public number proves nothing, because calls can
/// be diverted.
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
mod tests;
