//! The rows of the table: one a live call, then the calls that ended in the last minutes. Pure.

use std::cmp::Reverse;

use jiff::Timestamp;
use precall_base::phone_number::{CallerNumber, Region};

use super::picture::{EndedCall, Picture};
use crate::cli::live_answer::LiveCall;
use crate::span::short;

/// The states in the order in which a call goes through them.
const STATES: [&str; 5] = ["offered", "greeting", "holding", "handing_off", "conversing"];

/// The order of the live calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    /// The oldest first.
    #[default]
    Age,
    /// The next deadline first.
    Deadline,
    /// By state, in the order in which a call goes through them.
    State,
    /// By line.
    Line,
}

impl Sort {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Deadline => "deadline",
            Self::State => "state",
            Self::Line => "line",
        }
    }

    pub(super) fn next(self) -> Self {
        match self {
            Self::Age => Self::Deadline,
            Self::Deadline => Self::State,
            Self::State => Self::Line,
            Self::Line => Self::Age,
        }
    }
}

/// A column. They are shown in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Caller,
    Line,
    Route,
    State,
    /// How long the call is in its state, or how long ago it ended.
    Since,
    Deadline,
    Clone,
    Voice,
    LastEvent,
    Id,
}

impl Column {
    pub(super) const ALL: [Self; 10] = [
        Self::Caller,
        Self::Line,
        Self::Route,
        Self::State,
        Self::Since,
        Self::Deadline,
        Self::Clone,
        Self::Voice,
        Self::LastEvent,
        Self::Id,
    ];

    /// The columns that go first into a narrow terminal.
    pub(super) const BY_WEIGHT: [Self; 10] = [
        Self::Caller,
        Self::State,
        Self::Since,
        Self::Deadline,
        Self::Clone,
        Self::Line,
        Self::LastEvent,
        Self::Voice,
        Self::Route,
        Self::Id,
    ];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Line => "line",
            Self::Route => "route",
            Self::State => "state",
            Self::Since => "for",
            Self::Deadline => "deadline",
            Self::Clone => "clone",
            Self::Voice => "voice",
            Self::LastEvent => "last event",
            Self::Id => "id",
        }
    }

    /// The least width, so that columns do not move with each figure.
    pub(super) fn least(self) -> usize {
        match self {
            Self::State => 12,
            Self::Caller => 11,
            Self::Since => 10,
            Self::Deadline | Self::Voice => 8,
            Self::Clone => 14,
            Self::LastEvent => 30,
            Self::Line | Self::Route | Self::Id => 0,
        }
    }

    fn index(self) -> usize {
        Self::ALL.iter().position(|column| *column == self).unwrap_or_default()
    }
}

/// How a row is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Live,
    /// Live, with its deadline in a few seconds.
    Urgent,
    Ended,
    Failed,
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) mark: Mark,
    cells: [String; 10],
}

impl Row {
    pub(super) fn cell(&self, column: Column) -> &str {
        self.cells.get(column.index()).map_or("", String::as_str)
    }

    pub(super) fn caller(&self) -> &str {
        self.cell(Column::Caller)
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(self.mark, Mark::Live | Mark::Urgent)
    }
}

/// The rows of the picture. `now` is the time by the service's clock.
pub(super) fn rows(picture: &Picture, sort: Sort, only_failed: bool, now: Timestamp) -> Vec<Row> {
    let mut live: Vec<&LiveCall> =
        picture.live.iter().flat_map(|live| &live.items).filter(|_| !only_failed).collect();
    let state = |call: &LiveCall| STATES.iter().position(|state| *state == call.state);
    match sort {
        Sort::Age => live.sort_by_key(|call| call.offered_at),
        // Calls without a deadline come last.
        Sort::Deadline => live.sort_by_key(|call| (call.deadline_at.is_none(), call.deadline_at)),
        Sort::State => live.sort_by_key(|call| (state(call), call.offered_at)),
        Sort::Line => live.sort_by(|a, b| (&a.line, a.offered_at).cmp(&(&b.line, b.offered_at))),
    }
    let mut ended: Vec<&EndedCall> =
        picture.ended.values().filter(|call| !only_failed || call.is_failed()).collect();
    ended.sort_by_key(|call| Reverse(call.ended_at));
    let live = live.into_iter().map(|call| of_live(call, now));
    live.chain(ended.into_iter().map(|call| of_ended(call, now))).collect()
}

fn of_live(call: &LiveCall, now: Timestamp) -> Row {
    let ago = |at: Option<Timestamp>| at.map(|at| short(now.duration_since(at)));
    let left = call.deadline_at.map(|at| at.duration_since(now));
    let is_urgent = left.is_some_and(|left| left.as_secs() < 5);
    let clone = match call.voice.as_str() {
        _ if call.awaits_voice => {
            format!("waits {}", ago(call.offered_at).unwrap_or_default()).trim_end().to_owned()
        }
        "cloned" => call.voice_decided_at.zip(call.offered_at).map_or_else(
            || "done".to_owned(),
            |(decided, offered)| format!("after {}", short(decided.duration_since(offered))),
        ),
        "fallback" => words(call.voice_missing.as_deref().unwrap_or("none")),
        _ => "not asked yet".to_owned(),
    };
    let event = call.last_event.as_deref().map(words).unwrap_or_default();
    let event = match ago(call.last_event_at) {
        Some(ago) if !event.is_empty() => format!("{event}, {ago} ago"),
        _ => event,
    };
    Row {
        id: call.id.clone(),
        mark: if is_urgent { Mark::Urgent } else { Mark::Live },
        cells: [
            call.caller.clone(),
            call.line.clone(),
            call.route.clone(),
            words(&call.state),
            ago(call.state_since.or(call.offered_at)).unwrap_or_default(),
            left.map(|left| if left.is_negative() { "due".to_owned() } else { short(left) })
                .unwrap_or_default(),
            clone,
            call.voice.clone(),
            event,
            call.id.clone(),
        ],
    }
}

fn of_ended(call: &EndedCall, now: Timestamp) -> Row {
    let mut how = words(call.cause.as_deref().unwrap_or("ended"));
    if let Some(blame) = &call.blame {
        how.push_str(&format!(" ({blame})"));
    }
    let ended = call.ended_at.unwrap_or(call.started_at);
    let lasted = short(ended.duration_since(call.started_at));
    let is_cloned = call.cloned_voice_id.is_some();
    Row {
        id: call.id.clone(),
        mark: if call.is_failed() { Mark::Failed } else { Mark::Ended },
        cells: [
            caller(call.caller_id.as_deref().unwrap_or_default()),
            call.line.clone(),
            call.route.clone().unwrap_or_default(),
            how,
            format!("{} ago", short(now.duration_since(ended))),
            String::new(),
            call.voice_missing.as_deref().map(words).unwrap_or_default(),
            if is_cloned { "cloned".to_owned() } else { "fallback".to_owned() },
            format!("ended after {lasted}"),
            call.id.clone(),
        ],
    }
}

/// The number as the live calls show it.
fn caller(number: &str) -> String {
    match CallerNumber::parse(number, Region::UNKNOWN) {
        CallerNumber::Public(number) => number.to_string(),
        CallerNumber::Internal(_) => "internal".to_owned(),
        CallerNumber::Withheld | CallerNumber::Unreadable => "unknown".to_owned(),
    }
}

/// A name of the API as words.
fn words(name: &str) -> String {
    name.replace('_', " ")
}
