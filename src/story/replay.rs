//! The log of a call, replayed: what each event made of the call. Pure.

use jiff::Timestamp;
use precall_call::{At, Call, Effect, Event, Rung, open, step};
use precall_store::events::event_json;
use serde::Deserialize;
use serde_json::Value;

use super::sentences::{Scene, sentence};

/// An event of the log.
#[derive(Debug, Deserialize)]
pub(crate) struct Happened {
    /// Number within the call, from 1.
    #[serde(default)]
    pub(crate) seq: i64,
    /// When it happened.
    pub(crate) at: Timestamp,
    /// As stored.
    pub(crate) event: Value,
    /// Why something failed, in the words of who said it.
    pub(crate) detail: Option<String>,
}

/// An event and what it made of the call.
#[derive(Debug)]
pub(crate) struct Moment {
    /// Number within the call, from 1.
    pub(crate) seq: i64,
    /// When it happened.
    pub(crate) at: At,
    /// The event's kind, as stored.
    pub(crate) kind: String,
    /// None if it is of a newer precall.
    pub(crate) event: Option<Event>,
    /// The call after it; none if the log is not readable from its beginning up to here.
    pub(crate) after: Option<Call>,
    /// What the call ordered on it.
    pub(crate) effects: Vec<Effect>,
    /// A sentence without a full stop; none for events that only keep the log in order.
    pub(crate) sentence: Option<String>,
    /// Why something failed, in the words of who said it.
    pub(crate) detail: Option<String>,
}

/// Replays a log, in order of `seq`.
pub(crate) fn replay(events: &[Happened]) -> Vec<Moment> {
    let mut moments: Vec<Moment> = Vec::with_capacity(events.len());
    let mut rungs: Vec<(u8, Rung)> = Vec::new();
    for happened in events {
        let before = moments.last().and_then(|moment| moment.after.as_ref());
        let at = At(happened.at.as_microsecond());
        let kind = happened.event.get("kind").and_then(Value::as_str).unwrap_or("unknown").to_owned();
        let event = event_json::decode(&happened.event).ok();
        let (mut after, mut effects) = (None, Vec::new());
        let said = match &event {
            Some(event) => {
                if let Some(stepped) = stepped(before, event, at) {
                    (after, effects) = (Some(stepped.next), stepped.effects);
                }
                if let Event::HandoffStarted { attempt, rung } = event {
                    rungs.push((*attempt, *rung));
                }
                let rung = match event {
                    Event::HandoffSucceeded { attempt, .. } => {
                        rungs.iter().rev().find(|(number, _)| number == attempt).map(|(_, rung)| *rung)
                    }
                    _ => None,
                };
                sentence(event, Scene { at, before, after: after.as_ref(), rung })
            }
            None => Some(format!("Event \"{kind}\"")),
        };
        let (seq, detail) = (happened.seq, happened.detail.clone());
        moments.push(Moment { seq, at, kind, event, after, effects, sentence: said, detail });
    }
    moments
}

/// What the event makes of the call; none if its log is not known from the beginning.
fn stepped(before: Option<&Call>, event: &Event, at: At) -> Option<precall_call::Step> {
    match (before, event) {
        (None, Event::Offered(offer)) => Some(open(offer, at)),
        (Some(call), event) => Some(step(call, event, at)),
        (None, _) => None,
    }
}
