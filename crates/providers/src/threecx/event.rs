//! What comes over the socket, read leniently: only the path of an entity is sure to be there (3CX facts, section 1.4).

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
/// Nobody presses more keys within one event.
const KEYS_MAX: usize = 64;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PbxEvent {
    /// Counts the events of a connection, as far as is known; a gap is a hint, no more.
    pub sequence: Option<u64>,
    /// What it says about a leg; none for everything else, answers to requests included.
    pub change: Option<LegChange>,
}

/// What an event says about a leg, ours or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegChange {
    /// It is new or has changed.
    Upsert {
        /// Which.
        leg: LegAddress,
        /// How it is now, on the builds that say so; else it has to be asked for.
        now: Option<Box<Participant>>,
    },
    /// It is no more.
    Remove {
        /// Which.
        leg: LegAddress,
    },
    /// Keys were pressed.
    Keys {
        /// Which.
        leg: LegAddress,
        /// One or several.
        keys: String,
    },
}

impl LegChange {
    /// Which leg.
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

/// Reads one frame; none if it is no event at all.
#[must_use]
pub fn read_event(frame: &[u8]) -> Option<PbxEvent> {
    let value: Value = serde_json::from_slice(frame).ok()?;
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
            // Documented as the participant, seen as null; without a status it says nothing.
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
        // 3 and 4 are known and not for us; 5 and up are not known.
        _ => None,
    }
}

/// The entity says which leg it is, whatever the data repeats or leaves out.
fn with_id(data: Value, leg: &LegAddress) -> Option<Participant> {
    let Value::Object(mut fields) = data else { return None };
    fields.insert("id".to_owned(), Value::from(leg.participant.0));
    let participant = wire::read_participant(Value::Object(fields), &leg.dn)?;
    Some(Participant { leg: leg.clone(), ..participant })
}

/// The last three segments, percent-decoded: DN, `participants`, id. A base path may stand before them.
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
