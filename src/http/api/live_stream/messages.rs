//! The messages of the live stream, in the format of Server-Sent Events.

use bytes::Bytes;
use jiff::Timestamp;
use precall_actors::api::BoardView;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::api::live_views::{CountersView, EndedView, LiveView};
use crate::http::clock;
use crate::http::status::health::HealthAnswer;

/// Data of a `snapshot`: all that the board shows. It replaces what the client knew.
#[derive(Serialize, ToSchema)]
pub(crate) struct LiveSnapshot {
    /// Time of the message, because clocks differ.
    at: Option<Timestamp>,
    /// Health of precall.
    health: HealthAnswer,
    /// Calls by state.
    counters: CountersView,
    /// The live calls, oldest first.
    calls: Vec<LiveView>,
    /// The calls that ended in the last five minutes, the earliest end first; at most 500.
    ended: Vec<EndedView>,
}

/// Data of a `change`: what changed since the message before.
#[derive(Serialize, ToSchema)]
pub(crate) struct LiveChange {
    /// Time of the message.
    at: Option<Timestamp>,
    /// Calls by state, always all of them.
    counters: CountersView,
    /// Live calls that are new or changed, each as a whole.
    changed: Vec<LiveView>,
    /// Calls that ended, or of which more is known after the end. They are live no more.
    ended: Vec<EndedView>,
    /// Ids of calls that left the board, live or ended.
    gone: Vec<String>,
}

/// Data of a `health`.
#[derive(Serialize)]
struct HealthNow<'a> {
    at: Option<Timestamp>,
    health: &'a HealthAnswer,
}

/// Data of a `beat`.
#[derive(Serialize)]
struct Beat {
    at: Option<Timestamp>,
}

/// Why the client's `Last-Event-ID` says nothing to this precall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ResetReason {
    /// It is no id of a live stream.
    Unknown,
    /// It is of another process, for example from before a restart.
    OtherProcess,
    /// It is above all ids of this process.
    Future,
}

/// Data of a `reset`.
#[derive(Serialize)]
struct Reset {
    reason: ResetReason,
}

/// The id of a message: the process and a number of its own.
#[derive(Clone, Copy)]
pub(super) struct MessageId<'a> {
    pub(super) instance: &'a str,
    pub(super) seq: u64,
}

pub(super) fn snapshot(id: MessageId<'_>, board: BoardView, health: HealthAnswer) -> Bytes {
    let data = LiveSnapshot {
        at: now(),
        health,
        counters: board.counters.into(),
        calls: board.live.into_iter().map(LiveView::of).collect(),
        ended: board.ended.into_iter().map(EndedView::of).collect(),
    };
    frame(id, "snapshot", &data)
}

pub(super) fn change(id: MessageId<'_>, board: BoardView) -> Bytes {
    let data = LiveChange {
        at: now(),
        counters: board.counters.into(),
        changed: board.live.into_iter().map(LiveView::of).collect(),
        ended: board.ended.into_iter().map(EndedView::of).collect(),
        gone: board.gone.iter().map(ToString::to_string).collect(),
    };
    frame(id, "change", &data)
}

pub(super) fn health(id: MessageId<'_>, health: &HealthAnswer) -> Bytes {
    frame(id, "health", &HealthNow { at: now(), health })
}

pub(super) fn beat(id: MessageId<'_>) -> Bytes {
    frame(id, "beat", &Beat { at: now() })
}

pub(super) fn reset(id: MessageId<'_>, reason: ResetReason) -> Bytes {
    frame(id, "reset", &Reset { reason })
}

fn now() -> Option<Timestamp> {
    clock::timestamp(clock::now())
}

/// Serialised JSON has no line breaks, so that it is one line of data.
fn frame(id: MessageId<'_>, event: &str, data: &impl Serialize) -> Bytes {
    let MessageId { instance, seq } = id;
    let mut text = format!("id: {instance}-{seq}\nevent: {event}\ndata: ").into_bytes();
    // Writing to memory cannot fail, and every key of these types is a text.
    if serde_json::to_writer(&mut text, data).is_err() {
        return Bytes::new();
    }
    text.extend_from_slice(b"\n\n");
    Bytes::from(text)
}
