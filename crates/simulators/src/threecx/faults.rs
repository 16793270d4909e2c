//! Faults: `PUT /sim/faults` replaces the list, `DELETE` clears it. Entries about requests of the PBX's API: the first
//! match wins. The other entries are about WebSockets, streams, events, webhooks and callers.
//!
//! | field | meaning |
//! |---|---|
//! | `path`, `suffix` | how the path begins, how it ends |
//! | `method` | only this method |
//! | `skip`, `times` | lets this many matching requests pass first; ends after this many |
//! | `status`, `body`, `headers` | the answer; `body` alone means 200, a string is sent as it is |
//! | `delay_ms` | waits first; the request of a client that leaves before is not executed |
//! | `hang` | no answer until the client leaves (at most ten minutes) |
//! | `close` | the connection is closed without an answer |
//! | `cut_response` | the request is executed, then the connection is closed without an answer |
//! | `ws` | `close`: closes all connections, or the next one, with `ws_close_code` (1006 drops them) |
//! //! | | and `ws_close_reason`, and answers upgrades with 503 for `ws_down_ms` |
//! //! | | `stall`: open connections send nothing, not even a pong |
//! //! | | `close_on_token`: a new token closes all connections |
//! | `streams` | `reset`: drops open streams, and later ones when their leg ends |
//! //! | | `close_on_token`: a new token ends all streams |
//! //! | | `stall`: GET streams send nothing while this fault is set |
//! //! | | `deaf`: POST streams are not read while this fault is set |
//! | `discard_first_ms` | callers do not hear this much of the first audio |
//! | `events` | counted by `skip` and `times`. `missed_remove`: Removes are not sent |
//! //! | | `upsert_after_remove`: one more Upsert follows the Remove |
//! //! | | `reorder`: Upserts are `delay_ms` (50) late, Removes are not |
//! | `webhook` | `bad_signature`, `stale` (ten minutes old), `unsigned` |

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::shared::fault_list::{Counted, FaultList, LONGEST};

/// By how much `reorder` delays an Upsert unless told otherwise.
const REORDER_MS: u64 = 50;
/// Going away (RFC 6455): what a server says that is being restarted.
const GOING_AWAY: u16 = 1001;

/// What happens to WebSocket connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WsFault {
    /// They are closed.
    Close,
    /// They fall silent.
    Stall,
    /// Each new token closes them.
    CloseOnToken,
}

/// What happens to audio streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamFault {
    /// Their connections are dropped.
    Reset,
    /// Each new token ends them.
    CloseOnToken,
    /// The caller's sound does not come.
    Stall,
    /// The audio for the caller is not read.
    Deaf,
}

/// What happens to events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventFault {
    /// A Remove is never told.
    MissedRemove,
    /// An Upsert of the same leg follows its Remove.
    UpsertAfterRemove,
    /// Upserts are late.
    Reorder,
}

/// What is wrong with a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookFault {
    /// Signed with another secret.
    BadSignature,
    /// Signed ten minutes ago.
    Stale,
    /// Not signed.
    Unsigned,
}

/// One fault; see the table above.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fault {
    /// How the path begins.
    pub path: String,
    /// How the path ends.
    pub suffix: String,
    /// Only this method, in any case.
    pub method: Option<String>,
    /// Matches that pass first.
    pub skip: u32,
    /// Matches that are hit; None: all.
    pub times: Option<u32>,
    /// Status of the answer.
    pub status: Option<u16>,
    /// Body of the answer.
    pub body: Option<Value>,
    /// Headers of the answer.
    pub headers: BTreeMap<String, String>,
    /// Milliseconds before anything else happens.
    pub delay_ms: u64,
    /// No answer until the client leaves.
    pub hang: bool,
    /// The connection is closed without an answer.
    pub close: bool,
    /// Executed, but not answered.
    pub cut_response: bool,
    /// WebSocket connections.
    pub ws: Option<WsFault>,
    /// The code they are closed with.
    pub ws_close_code: Option<u16>,
    /// What the close frame says, at most 123 bytes.
    pub ws_close_reason: String,
    /// How long upgrades are refused afterwards.
    pub ws_down_ms: u64,
    /// Audio streams.
    pub streams: Option<StreamFault>,
    /// What callers do not hear.
    pub discard_first_ms: Option<u64>,
    /// Events.
    pub events: Option<EventFault>,
    /// Webhooks.
    pub webhook: Option<WebhookFault>,
}

impl Fault {
    /// A fault on every request whose path begins so, that does nothing yet.
    pub fn on(path: &str) -> Self {
        Self { path: path.to_owned(), ..Self::default() }
    }

    /// How long the answer is held back.
    pub(super) fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms).min(LONGEST)
    }

    /// Whether the fault has its own answer.
    pub(super) fn replaces_answer(&self) -> bool {
        self.status.is_some() || self.body.is_some()
    }

    /// The code that connections are closed with.
    pub(super) fn close_code(&self) -> u16 {
        self.ws_close_code.unwrap_or(GOING_AWAY)
    }

    fn is_about_something_else(&self) -> bool {
        self.ws.is_some()
            || self.streams.is_some()
            || self.events.is_some()
            || self.webhook.is_some()
            || self.discard_first_ms.is_some()
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        !self.is_about_something_else()
            && path.starts_with(&self.path)
            && path.ends_with(&self.suffix)
            && self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
    }
}

/// The list of faults.
pub(super) type Faults = FaultList<Fault>;

impl Counted for Fault {
    fn counters(&mut self) -> (&mut u32, &mut Option<u32>) {
        (&mut self.skip, &mut self.times)
    }
}

impl FaultList<Fault> {
    /// The fault that hits this request, if any. Counts it.
    pub fn take(&mut self, method: &str, path: &str) -> Option<Fault> {
        self.take_where(|fault| fault.matches(method, path))
    }

    /// Whether this fault of events hits the next one; counts it. With it, how late it makes an Upsert.
    pub(crate) fn take_event(&mut self, wanted: EventFault) -> Option<Duration> {
        let fault = self.find_mut(|fault| fault.events == Some(wanted))?;
        if !fault.strikes() {
            return None;
        }
        let late = if fault.delay_ms == 0 { REORDER_MS } else { fault.delay_ms };
        Some(Duration::from_millis(late).min(LONGEST))
    }

    /// A `ws: close` that still waits for a connection; counts it. Without `times` it strikes once.
    pub(crate) fn take_ws_close(&mut self) -> Option<Fault> {
        let fault = self.find_mut(|fault| fault.ws == Some(WsFault::Close))?;
        fault.times = Some(fault.times.unwrap_or(1));
        fault.strikes().then(|| fault.clone())
    }

    /// Whether this fault of connections is set.
    pub fn ws(&self, wanted: WsFault) -> bool {
        self.list().iter().any(|fault| fault.ws == Some(wanted))
    }

    /// Whether this fault of streams is set.
    pub fn streams(&self, wanted: StreamFault) -> bool {
        self.list().iter().any(|fault| fault.streams == Some(wanted))
    }

    /// What callers do not hear.
    pub fn discard_first(&self) -> Option<Duration> {
        self.list().iter().filter_map(|fault| fault.discard_first_ms).max().map(Duration::from_millis)
    }

    /// What is wrong with the next webhook; counts it.
    pub(crate) fn take_webhook(&mut self) -> Option<WebhookFault> {
        let fault = self.find_mut(|fault| fault.webhook.is_some())?;
        if fault.strikes() { fault.webhook } else { None }
    }
}
