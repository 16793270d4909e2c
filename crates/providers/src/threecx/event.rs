//! Events of the PBX's WebSocket, parsed leniently: only the path of the entity is always present (3CX facts, section
//! 1.4).

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

use super::address::{Dn, LegAddress, ParticipantId};
use super::participant::Participant;
use super::wire;
use crate::lenient::Scalar;

const UPSERT: i64 = 0;
const REMOVE: i64 = 1;
const DTMF: i64 = 2;
/// Keys of one event; more are dropped.
const KEYS_MAX: usize = 64;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PbxEvent {
    /// Number of the event in its connection, if present. A gap is only a hint of a lost event.
    pub sequence: Option<u64>,
    /// The change of a leg; none for all other events, including responses to requests.
    pub change: Option<LegChange>,
}

/// A change of a leg, ours or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegChange {
    /// The leg is new or has changed.
    Upsert {
        /// The leg.
        leg: LegAddress,
        /// Its state, on builds that send it; otherwise request it.
        now: Option<Box<Participant>>,
    },
    /// The leg has ended.
    Remove {
        /// The leg.
        leg: LegAddress,
    },
    /// DTMF keys were pressed.
    Keys {
        /// The leg.
        leg: LegAddress,
        /// One or more keys.
        keys: String,
    },
}

impl LegChange {
    /// The leg that changed.
    #[must_use]
    pub fn leg(&self) -> &LegAddress {
        match self {
            Self::Upsert { leg, .. } | Self::Remove { leg } | Self::Keys { leg, .. } => leg,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawFrame {
    sequence: Scalar,
    event: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawEvent {
    event_type: Scalar,
    entity: Scalar,
    attached_data: Value,
}

/// Parses one frame; none if it is not an event.
#[must_use]
pub fn read_event(frame: &[u8]) -> Option<PbxEvent> {
    let value = wire::value(frame)?;
    if !value.is_object() {
        return None;
    }
    let raw: RawFrame = serde_json::from_value(value).ok()?;
    let change = raw.event.is_object().then(|| read_change(raw.event)).flatten();
    Some(PbxEvent { sequence: wire::number(&raw.sequence), change })
}

fn read_change(event: Value) -> Option<LegChange> {
    let event: RawEvent = serde_json::from_value(event).ok()?;
    let leg = leg_of(event.entity.text()?)?;
    match event.event_type.integer()? {
        UPSERT => {
            // Documented as the participant, but null on some builds; without a status it is not used.
            let has_status = event.attached_data.get("status").is_some_and(Value::is_string);
            let now = has_status.then(|| with_id(event.attached_data, &leg)).flatten().map(Box::new);
            Some(LegChange::Upsert { leg, now })
        }
        REMOVE => Some(LegChange::Remove { leg }),
        DTMF => {
            let raw = event.attached_data.get("dtmf_input")?;
            let raw = raw.as_str().map_or_else(|| raw.to_string(), str::to_owned);
            let is_key = |c: &char| c.is_ascii_digit() || matches!(c, '*' | '#' | 'A'..='D' | 'a'..='d');
            let keys: String = raw.chars().filter(is_key).take(KEYS_MAX).collect();
            (!keys.is_empty()).then_some(LegChange::Keys { leg, keys })
        }
        // 3 and 4 are known and not used; 5 and above are unknown.
        _ => None,
    }
}

/// Reads the attached data; the leg is the one of the entity's path, even if the data names another.
fn with_id(data: Value, leg: &LegAddress) -> Option<Participant> {
    let Value::Object(mut fields) = data else { return None };
    fields.insert("id".to_owned(), Value::from(leg.participant.0.to_string()));
    let participant = wire::read_participant(Value::Object(fields), &leg.dn)?;
    Some(Participant { leg: leg.clone(), ..participant })
}

/// The last three segments of the path, percent-decoded: DN, `participants`, id. A base path may precede them.
fn leg_of(entity: &str) -> Option<LegAddress> {
    let mut segments = entity.trim_end_matches('/').rsplit('/');
    let (id, kind, dn) = (segments.next()?, segments.next()?, segments.next()?);
    if !kind.eq_ignore_ascii_case("participants") || dn.is_empty() {
        return None;
    }
    let dn = percent_decode_str(dn).decode_utf8().ok()?;
    let id = percent_decode_str(id).decode_utf8().ok()?.parse().ok()?;
    Some(LegAddress { dn: Dn::new(&dn), participant: ParticipantId(id) })
}

#[cfg(test)]
mod tests;
