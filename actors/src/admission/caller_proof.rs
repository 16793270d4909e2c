//! Which legs prove who calls: pure.
//!
//! A leg proves its caller when the PBX itself knows where it comes from: its other side is an extension and the caller is that
//! extension, or a trunk of `TRUSTED_TRUNKS` and the caller a public number. Whose call was passed on by another extension
//! (`originated_by`, `referred_by`, `on_behalf_of`) proves nothing: who speaks is whom that extension let through, and the PBX shows
//! the one as readily as the other. Route points, queues and menus on the way say nothing about it.
//!
//! Pure: no clock, no I/O, no actor.

use precall_base::phone_number::CallerNumber;
use precall_call::Proof;
use precall_providers::threecx::participant::{Participant, Role};

const EXTENSION: &str = "Wextension";
const TRUNK: &str = "Wexternalline";

/// Whether the leg proves that its call's caller is who the number says. `shown` is whom the leg shows: the other side of a leg may
/// become somebody else while the call is still its first caller's.
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
mod tests;
