//! A span, as precall derives it. It knows nothing of the wire.

use precall_call::At;

use crate::trace_context::{SpanId, TraceId};

/// A period of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The trace.
    pub trace: TraceId,
    /// Its own id.
    pub id: SpanId,
    /// The span around it; none for the root.
    pub parent: Option<SpanId>,
    /// Its name, one of few.
    pub name: &'static str,
    /// Whom it concerns.
    pub kind: SpanKind,
    /// Start.
    pub start: At,
    /// End, not before the start.
    pub end: At,
    /// Attributes, each name once.
    pub attributes: Vec<(&'static str, SpanValue)>,
    /// What happened meanwhile, in order.
    pub events: Vec<SpanEvent>,
    /// How many events were left out.
    pub events_dropped: u32,
    /// Why it failed, as a name of a closed set; none if it did not.
    pub error: Option<&'static str>,
}

/// Whom a span concerns (OTLP `SpanKind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// Work inside precall.
    Internal,
    /// Something that another system asked of precall.
    Server,
    /// A request of precall to another system.
    Client,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpanValue {
    /// Text.
    Text(String),
    /// A whole number.
    Whole(i64),
}

/// Something that happened within a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanEvent {
    /// Its name, one of few.
    pub name: &'static str,
    /// When.
    pub at: At,
}

impl From<&str> for SpanValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for SpanValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u8> for SpanValue {
    fn from(number: u8) -> Self {
        Self::Whole(number.into())
    }
}

impl From<u32> for SpanValue {
    fn from(number: u32) -> Self {
        Self::Whole(number.into())
    }
}
