//! Faults: matching requests are delayed, refused, slowed down, not answered, or executed and then not answered.
//! `PUT /sim/faults` replaces the list. The first matching entry wins.
//!
//! | field | meaning |
//! |---|---|
//! | `path` | prefix of the path; required. `/v1/convai/conversation?` matches only the agent's WebSocket |
//! | `method` | only this method |
//! | `body_contains` | only requests whose JSON text (without spaces) or text parts contain this |
//! | `skip` | lets this many matching requests pass first |
//! | `times` | ends after this many; without it, the fault stays |
//! | `status`, `body`, `headers` | the answer; the status is 200 by default; a `body` string is sent unchanged |
//! | `delay_ms` | waits first; the request of a client that leaves before is not executed |
//! | `hang` | no answer until the client leaves (at most ten minutes, then the connection is closed) |
//! | `close` | the connection is closed without an answer |
//! | `slow_body_ms` | sends the head at once, and the body in pieces over this time |
//! | `after` | executes the request first, then spoils its answer; without another fault it means `close` |
//! | `call` | outcome of an outbound call: `busy`, `no-answer` and `unknown` post
//! | | `call_initiation_failure`; `failed` is answered, but its conversation does not start |
//! | `report` | how often that call's webhook is posted: `none` or `twice` |

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::shared::body::Body;
use crate::shared::fault_list::{Counted, FaultList, LONGEST};

/// The outcome of an outbound call that becomes no conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallFate {
    /// The number is in another call.
    Busy,
    /// Nobody picks up.
    NoAnswer,
    /// The dial fails for a reason that the provider does not know.
    Unknown,
    /// The call is answered, but the conversation cannot start.
    Failed,
}

/// What happens to a conversation's post-call webhook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReportFate {
    /// It is posted.
    #[default]
    Once,
    /// It is lost.
    None,
    /// It is posted a second time after the first was answered.
    Twice,
}

/// The effect of a fault on one outbound call.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fates {
    pub call: Option<CallFate>,
    pub report: ReportFate,
}

/// One fault; see the table above.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Prefix of the path.
    pub path: String,
    /// Only this method, in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Only requests whose body contains this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_contains: Option<String>,
    /// Matching requests that pass first.
    #[serde(default)]
    pub skip: u32,
    /// Requests that are hit; None: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Status of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Body of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Headers of the answer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Milliseconds before anything else happens.
    #[serde(default)]
    pub delay_ms: u64,
    /// Milliseconds over which the body is sent in pieces.
    #[serde(default)]
    pub slow_body_ms: u64,
    /// No answer until the client leaves.
    #[serde(default)]
    pub hang: bool,
    /// The connection is closed without an answer.
    #[serde(default)]
    pub close: bool,
    /// The request is executed first.
    #[serde(default)]
    pub after: bool,
    /// The outcome of an outbound call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallFate>,
    /// What happens to its webhook.
    #[serde(default)]
    pub report: ReportFate,
}

impl Fault {
    /// A fault on every request of this path that does nothing yet.
    pub fn on(path: &str) -> Self {
        Self { path: path.to_owned(), ..Self::default() }
    }

    /// How long the answer is held back.
    pub(super) fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms).min(LONGEST)
    }

    /// The time over which the body is sent in pieces.
    pub(super) fn slow_body(&self) -> Duration {
        Duration::from_millis(self.slow_body_ms).min(LONGEST)
    }

    /// Whether the fault has its own answer.
    pub(super) fn replaces_answer(&self) -> bool {
        self.status.is_some() || self.body.is_some()
    }

    /// Whether the connection is closed instead of an answer.
    pub(super) fn closes(&self) -> bool {
        let says_nothing_else =
            !self.replaces_answer() && !self.hang && self.delay_ms == 0 && self.slow_body_ms == 0;
        self.close || (self.after && says_nothing_else)
    }

    fn matches(&self, method: &str, path: &str, body: &Body) -> bool {
        path.starts_with(&self.path)
            && self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.body_contains.as_ref().is_none_or(|wanted| body.searchable().contains(wanted))
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
    pub fn take(&mut self, method: &str, path: &str, body: &Body) -> Option<Fault> {
        self.take_where(|fault| fault.matches(method, path, body))
    }
}
