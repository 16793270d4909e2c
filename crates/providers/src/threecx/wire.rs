//! Lenient parsing of the PBX's JSON, which differs between builds: numbers come as text, texts as null, and updates
//! add fields.

use precall_base::exact_numbers::exact_numbers;
use precall_base::invisible::trimmed;
use serde::Deserialize;
use serde_json::Value;

use super::address::{Dn, LegAddress, ParticipantId};
use super::participant::{DnState, Participant, ParticipantStatus, Role};
use crate::lenient::Scalar;

/// Longest name, number or address; longer texts are cut.
const TEXT_CHARS_MAX: usize = 256;

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawParticipant {
    id: Scalar,
    status: Scalar,
    dn: Scalar,
    party_caller_name: Scalar,
    party_caller_id: Scalar,
    party_dn: Scalar,
    party_dn_type: Scalar,
    party_did: Scalar,
    device_id: Scalar,
    direct_control: Scalar,
    originated_by_dn: Scalar,
    originated_by_type: Scalar,
    referred_by_dn: Scalar,
    referred_by_type: Scalar,
    on_behalf_of_dn: Scalar,
    on_behalf_of_type: Scalar,
    callid: Scalar,
    legid: Scalar,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawDn {
    dn: Scalar,
    #[serde(rename = "type")]
    kind: Scalar,
    participants: Value,
}

/// The JSON of a body. Ids keep all their digits.
pub(super) fn value(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(&exact_numbers(body)).ok()
}

/// A participant; `asked` is used if the body has no DN. None if the body is not a participant.
#[must_use]
pub fn participant(body: &[u8], asked: &Dn) -> Option<Participant> {
    read_participant(value(body)?, asked)
}

/// A list of participants, without invalid entries. None if the body is not a list.
#[must_use]
pub fn participants(body: &[u8], asked: &Dn) -> Option<Vec<Participant>> {
    let Value::Array(items) = value(body)? else { return None };
    Some(items.into_iter().filter_map(|item| read_participant(item, asked)).collect())
}

/// All DNs that the client may see. None if the body is not a list.
#[must_use]
pub fn dn_states(body: &[u8]) -> Option<Vec<DnState>> {
    let Value::Array(items) = value(body)? else { return None };
    Some(items.into_iter().filter_map(read_dn).collect())
}

/// A participant inside a larger JSON value.
pub(super) fn read_participant(value: Value, asked: &Dn) -> Option<Participant> {
    let raw: RawParticipant = object(value)?;
    let id = number(&raw.id)?;
    let role = |dn: Scalar, kind: Scalar| Role { dn: text(dn), kind: text(kind) };
    Some(Participant {
        leg: LegAddress { dn: dn_or(raw.dn, asked), participant: ParticipantId(id) },
        status: ParticipantStatus::read(&text(raw.status)),
        call_id: call_id(&raw.callid),
        leg_id: number(&raw.legid),
        party_caller_name: text(raw.party_caller_name),
        party_caller_id: text(raw.party_caller_id),
        party: role(raw.party_dn, raw.party_dn_type),
        party_did: text(raw.party_did),
        device_id: text(raw.device_id),
        direct_control: truth(&raw.direct_control),
        originated_by: role(raw.originated_by_dn, raw.originated_by_type),
        referred_by: role(raw.referred_by_dn, raw.referred_by_type),
        on_behalf_of: role(raw.on_behalf_of_dn, raw.on_behalf_of_type),
    })
}

fn read_dn(value: Value) -> Option<DnState> {
    let raw: RawDn = object(value)?;
    let name = text(raw.dn);
    if name.is_empty() {
        return None;
    }
    let dn = Dn::new(&name);
    let items = match raw.participants {
        Value::Array(items) => items,
        _ => Vec::new(),
    };
    let participants = items.into_iter().filter_map(|item| read_participant(item, &dn)).collect();
    Some(DnState { dn, kind: text(raw.kind), participants })
}

fn object<T: for<'de> Deserialize<'de>>(value: Value) -> Option<T> {
    // serde would read a list as the fields in their order.
    value.is_object().then(|| serde_json::from_value(value).ok()).flatten()
}

/// A whole number; none for a fraction, which would be the number of another leg.
pub(super) fn number(scalar: &Scalar) -> Option<u64> {
    match scalar {
        Scalar::Integer(number) => u64::try_from(*number).ok(),
        Scalar::Text(text) => text.trim().parse().ok(),
        Scalar::Fraction(_) | Scalar::Truth(_) | Scalar::Nothing => None,
    }
}

/// An id of a call, in the form that a webhook gives the same id: a number of any length, or any other text.
fn call_id(scalar: &Scalar) -> Option<String> {
    let text = match scalar {
        Scalar::Integer(number) => number.to_string(),
        Scalar::Text(text) => trimmed(text).replace(char::is_control, "\u{fffd}"),
        Scalar::Fraction(_) | Scalar::Truth(_) | Scalar::Nothing => String::new(),
    };
    (!text.is_empty() && text.len() <= TEXT_CHARS_MAX).then_some(text)
}

/// Text of limited length; empty for null and missing.
pub(super) fn text(scalar: Scalar) -> String {
    let written = scalar.written();
    if written.len() <= TEXT_CHARS_MAX {
        return written;
    }
    written.chars().take(TEXT_CHARS_MAX).collect()
}

fn truth(scalar: &Scalar) -> Option<bool> {
    match scalar {
        Scalar::Truth(truth) => Some(*truth),
        Scalar::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Scalar::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
        Scalar::Integer(number) => Some(*number != 0),
        Scalar::Text(_) | Scalar::Fraction(_) | Scalar::Nothing => None,
    }
}

fn dn_or(named: Scalar, asked: &Dn) -> Dn {
    let named = text(named);
    // One spelling per DN: it is used as a key.
    if named.is_empty() || named.eq_ignore_ascii_case(asked.as_str()) {
        asked.clone()
    } else {
        Dn::new(&named)
    }
}

#[cfg(test)]
mod tests;
