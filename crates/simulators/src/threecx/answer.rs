//! The answer of an endpoint, before it becomes HTTP, and the result object of actions.

use serde_json::{Value, json};

use super::options::Codes;
use crate::shared::control::Refusal;

/// One answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Content,
}

/// The body of an answer.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Empty,
    Json(Value),
    Bytes(&'static str, Vec<u8>),
}

impl Answer {
    /// 200 with a JSON document.
    pub fn ok(body: Value) -> Self {
        Self::json(200, body)
    }

    pub fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Content::Json(body) }
    }

    /// A status alone, as the PBX answers where no body was ever seen.
    pub fn bare(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Content::Empty }
    }

    /// A refusal with a sentence, for people.
    pub fn refused(status: u16, why: &str) -> Self {
        Self::json(status, json!({ "error": why }))
    }

    pub fn bytes(content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status: 200, headers: Vec::new(), body: Content::Bytes(content_type, body) }
    }

    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The JSON of the answer, null when it has none.
    pub fn document(&self) -> Value {
        match &self.body {
            Content::Json(value) => value.clone(),
            Content::Empty | Content::Bytes(..) => Value::Null,
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::refused(refusal.status, &refusal.why)
    }
}

/// Why an operation failed, as the core numbers it (facts page, section 1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    NotSpecified,
    OperationTimeout,
    UnknownDestination,
    DestinationBusy,
    DestinationNoAnswer,
    DestinationIsNotReachable,
    ParentConnectionTerminated,
    CompletedElsewhere,
    Cancelled,
    RoutingLoopDetected,
}

impl Reason {
    pub fn name(self) -> &'static str {
        match self {
            Self::NotSpecified => "NotSpecified",
            Self::OperationTimeout => "OperationTimeout",
            Self::UnknownDestination => "UnknownDestination",
            Self::DestinationBusy => "DestinationBusy",
            Self::DestinationNoAnswer => "DestinationNoAnswer",
            Self::DestinationIsNotReachable => "DestinationIsNotReachable",
            Self::ParentConnectionTerminated => "ParentConnectionTerminated",
            Self::CompletedElsewhere => "CompletedElsewhere",
            Self::Cancelled => "Cancelled",
            Self::RoutingLoopDetected => "RoutingLoopDetected",
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::NotSpecified => 0,
            Self::OperationTimeout => 1,
            Self::UnknownDestination => 2,
            Self::DestinationBusy => 3,
            Self::DestinationNoAnswer => 4,
            Self::DestinationIsNotReachable => 6,
            Self::ParentConnectionTerminated => 8,
            Self::CompletedElsewhere => 9,
            Self::Cancelled => 10,
            Self::RoutingLoopDetected => 12,
        }
    }
}

/// What the core calls the outcome of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Final {
    Rejected,
    Success,
    Failed,
}

/// A success with the participant that it is about.
pub(super) fn success(status: u16, codes: Codes, participant: Value) -> Answer {
    Answer::json(status, result(codes, Final::Success, Reason::NotSpecified, participant, ""))
}

/// An operation that was tried and failed: 422.
pub(super) fn failure(codes: Codes, reason: Reason) -> Answer {
    Answer::json(422, result(codes, Final::Failed, reason, Value::Null, reason.name()))
}

/// An operation that does not apply to this leg: 422, untried.
pub(super) fn rejection(codes: Codes, why: &str) -> Answer {
    Answer::json(422, result(codes, Final::Rejected, Reason::NotSpecified, Value::Null, why))
}

fn result(codes: Codes, outcome: Final, reason: Reason, participant: Value, text: &str) -> Value {
    let (outcome, reason) = match codes {
        Codes::Names => (
            json!(match outcome {
                Final::Rejected => "Rejected",
                Final::Success => "Success",
                Final::Failed => "Failed",
            }),
            json!(reason.name()),
        ),
        Codes::Numbers => (
            json!(match outcome {
                Final::Rejected => 0,
                Final::Success => 1,
                Final::Failed => -1,
            }),
            json!(reason.number()),
        ),
    };
    json!({"finalstatus": outcome, "reason": reason, "result": participant, "reasontext": text})
}
