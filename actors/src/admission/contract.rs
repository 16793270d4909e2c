//! Types that the edge and admission exchange.

use std::time::Duration;

use precall_call::{At, CallId, Cause, Event, Operator, Person, Request, VoiceId};

/// An `IncomingCall` webhook of 3CX, checked and parsed.
#[derive(Clone, Debug)]
pub struct IncomingCall {
    /// The PBX's call id, if it gave one.
    pub threecx_call_id: Option<String>,
    /// The caller as the PBX wrote it. The engine parses it.
    pub caller: Option<String>,
    /// The called number as the PBX wrote it.
    pub called: Option<String>,
    /// Stored with the call, never fetched.
    pub recording_url: Option<String>,
}

/// A `CallEnded` or `CallStateChanged` webhook of 3CX, or a request of its CRM template.
#[derive(Clone, Debug)]
pub struct PbxNotice {
    /// The PBX's call id, if it gave one.
    pub threecx_call_id: Option<String>,
    /// The caller as the PBX wrote it.
    pub caller: Option<String>,
    /// The called number as the PBX wrote it.
    pub called: Option<String>,
    /// What happened.
    pub kind: PbxNoticeKind,
}

/// What a [`PbxNotice`] reports.
#[derive(Clone, Debug)]
pub enum PbxNoticeKind {
    /// The call ended at the PBX.
    Ended {
        /// Duration of the call, if the PBX gave it; zero is a valid duration.
        duration: Option<Duration>,
        /// Stored with the call, never fetched.
        recording_url: Option<String>,
    },
    /// The PBX's name of the new state.
    StateChanged(String),
    /// A report of a call that is over at the PBX, without the PBX's id of the call. It adds to the one call of this
    /// caller that came in while the PBX's call lasted. It never ends a live call: number and time prove too little.
    Reported {
        /// When the PBX's call began, by the PBX's clock.
        began: At,
        /// When it ended.
        ended: At,
        /// Duration of the call, if the PBX gave it.
        duration: Option<Duration>,
    },
}

/// The answer to an accepted webhook. Its event is durable by then.
#[derive(Clone, Debug)]
pub struct Taken {
    /// precall's call id; none for the end of an unknown call.
    pub call: Option<CallId>,
    /// The result.
    pub outcome: Outcome,
    /// The caller's voice, if the cache holds one.
    pub cached_voice: Option<VoiceId>,
    /// Whether the webhook itself was stored in the transaction of the event. Otherwise it still has to be.
    pub is_kept: bool,
}

/// The result of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A new call.
    Accepted,
    /// A duplicate; nothing changed.
    Duplicate,
    /// The call is over, or ended before its `IncomingCall` arrived.
    Ended,
    /// A notice about an unknown call; nothing was stored.
    Ignored,
    /// The call was refused.
    Rejected(Cause),
}

impl Outcome {
    /// Its name in the answer, and in the inbox.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Ended => "ended",
            Self::Ignored => "ignored",
            Self::Rejected(_) => "rejected",
        }
    }
}

/// What an operator wants of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperatorOrder {
    /// A request without a target.
    Request(Request),
    /// The caller goes to this person.
    Transfer(Person),
}

impl OperatorOrder {
    pub(crate) fn event(self, by: Operator) -> Event {
        let by = Some(by);
        match self {
            Self::Request(request) => Event::OperatorAsked { request, by },
            Self::Transfer(person) => Event::TransferAsked { person, by },
        }
    }
}

/// What became of an operator's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordered {
    /// The call has it, durably. How it goes on is in the events of the call.
    Taken,
    /// The call stays as it is: it has done that, or cannot do it now.
    ChangesNothing,
    /// No live call has this id.
    NotLive,
}

/// Why a bypass was not switched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotBypassed {
    /// No line has this name. These do.
    NoSuchLine(Vec<String>),
    /// It could not be kept.
    Busy(Busy),
}

/// Why the engine did nothing. The sender may retry after a short wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// The limit of live calls is reached.
    #[error("the limit of live calls is reached")]
    AtCapacity,
    /// The event could not be stored.
    #[error("neither the database nor the spool accepts events")]
    CannotKeep,
    /// The event was not durable in time.
    #[error("the event was not durable in time")]
    TooSlow,
    /// precall is shutting down.
    #[error("precall is shutting down")]
    Draining,
}

impl Busy {
    /// Why a call ended that was turned away for it; none while precall does not know yet whether it can take the call.
    #[must_use]
    pub(crate) fn cause(self) -> Option<Cause> {
        match self {
            Self::AtCapacity => Some(Cause::AtCapacity),
            Self::Draining => Some(Cause::Draining),
            Self::CannotKeep | Self::TooSlow => None,
        }
    }
}

/// The result of a provider's report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportOutcome {
    /// The report belongs to this call.
    Applied(CallId),
    /// Its conversation is not known yet; the report is stored until it is.
    Kept,
    /// The agent is not one of our lines' agents: counted, not stored.
    NotOurs,
}
