//! What the spooled rows and events of calls say to admission and budgets, before they are in the database.

use std::borrow::Cow;

use precall_call::ConversationId;
use serde::Deserialize;

use crate::events::raw::{RawEntry, RawRow, RowKind};
use crate::events::rows::Time;
use crate::recovery::budget_use::Took;

/// The state of a call that is over.
const RELEASED: &str = "released";

/// What is needed of a row of `call_log`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct CallRow {
    pub(super) pbx: String,
    pub(super) threecx_call_id: Option<String>,
    pub(super) caller_id: Option<String>,
    pub(super) called_number: Option<String>,
    pub(super) call_started_at: Time,
    pub(super) account_id: String,
    pub(super) route: String,
}

/// The row of a call that is over; none for other rows.
pub(super) fn released(row: &RawRow) -> Option<Box<CallRow>> {
    #[derive(Deserialize)]
    struct State<'a> {
        #[serde(borrow)]
        state: Cow<'a, str>,
    }
    if row.kind != RowKind::CallLog {
        return None;
    }
    // Most rows are of live calls: those are not copied.
    let json = row.json.get();
    let is_released = serde_json::from_str(json).is_ok_and(|State { state }| state == RELEASED);
    if is_released { serde_json::from_str(json).ok() } else { None }
}

/// Whether this is the first event of a call that was accepted.
pub(super) fn is_accepted(entry: &RawEntry) -> bool {
    #[derive(Deserialize)]
    struct Offered<'a> {
        #[serde(borrow)]
        kind: Cow<'a, str>,
        #[serde(borrow)]
        admission: Cow<'a, str>,
    }
    let read = |event| serde_json::from_str::<Offered<'_>>(event).ok();
    entry.seq == 1
        && read(entry.event.get())
            .is_some_and(|offered| offered.kind == "offered" && offered.admission == "accepted")
}

/// What a conversation took, if this row holds its report.
pub(super) fn took(row: &RawRow) -> Option<Took> {
    #[derive(Deserialize)]
    struct Conversation {
        provider_id: Option<String>,
        duration_seconds: Option<i64>,
        report: Option<Report>,
        reported_at: Option<Time>,
    }
    #[derive(Deserialize)]
    struct Report {
        #[serde(default)]
        cost: serde_json::Value,
    }
    if row.kind != RowKind::Conversation {
        return None;
    }
    let read: Conversation = serde_json::from_str(row.json.get()).ok()?;
    Some(Took {
        conversation: ConversationId::new(read.provider_id?),
        seconds: read.duration_seconds.unwrap_or(0),
        credits: read.report.and_then(|report| report.cost.as_i64()).unwrap_or(0),
        at: read.reported_at?.0,
    })
}
