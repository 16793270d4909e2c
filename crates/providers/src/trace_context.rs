//! Trace ids and span ids of a call, derived from the call's id, and the W3C header `traceparent`.
//!
//! Nothing is stored for them: who knows a call knows its trace (W3C Trace Context).

use std::fmt;

use precall_call::{CallId, CloneJobId};
use sha2::{Digest, Sha256};

/// The header of a request, and the dynamic variable of a conversation, that carry a [`TraceParent`].
pub const TRACEPARENT: &str = "traceparent";

/// Id of a trace: the 128 bits of the call's id. Printed as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceId(u128);

/// Id of a span: 64 bits, never zero. Printed as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpanId(u64);

/// A part of a call that has a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TracedPart {
    /// The whole call: the root.
    Call,
    /// The greeting.
    Greeting,
    /// The dial of the greeting, on route `callback`.
    GreetingDial,
    /// The call waits for the caller's voice. Counts from 1: an operator may ask again.
    Clone(u8),
    /// From there to the upload of the sample.
    CloneQueue(u8),
    /// The upload of the sample, and the provider's work.
    CloneUpload(CloneJobId),
    /// From the provider's answer until the call has the voice.
    CloneReady(u8),
    /// An attempt at a handoff, by its number.
    Handoff(u8),
    /// The dial of that attempt, on route `callback`.
    AgentDial(u8),
    /// The conversation that the attempt led to.
    Conversation(u8),
}

/// What a request to a provider says about the trace that it belongs to: the header `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceParent {
    call: CallId,
    part: TracedPart,
}

/// The trace of a call.
#[must_use]
pub fn trace_id(call: CallId) -> TraceId {
    // All zero is no trace id; no call has this id, but a database row could.
    TraceId(call.0.max(1))
}

/// The span of a part of a call.
#[must_use]
pub fn span_id(call: CallId, part: TracedPart) -> SpanId {
    let (kind, of) = part.as_numbers();
    let mut hash = Sha256::new();
    hash.update(call.0.to_be_bytes());
    hash.update([kind]);
    hash.update(of.to_be_bytes());
    let digest = hash.finalize();
    let first = digest.iter().take(8).fold(0_u64, |id, byte| (id << 8) | u64::from(*byte));
    SpanId(first.max(1))
}

impl TracedPart {
    /// A number for the kind of part and one within it. They are part of the span ids: do not change them.
    fn as_numbers(self) -> (u8, u128) {
        match self {
            Self::Call => (1, 0),
            Self::Greeting => (2, 0),
            Self::GreetingDial => (3, 0),
            Self::Clone(number) => (4, number.into()),
            Self::CloneQueue(number) => (5, number.into()),
            Self::CloneUpload(job) => (6, job.0),
            Self::CloneReady(number) => (7, number.into()),
            Self::Handoff(attempt) => (8, attempt.into()),
            Self::AgentDial(attempt) => (9, attempt.into()),
            Self::Conversation(attempt) => (10, attempt.into()),
        }
    }
}

impl TraceId {
    /// The id as it is sent.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The last 32 bits, which are random: a call's id is a UUID of version 7. The bits before them are its time, its
    /// version and a counter, so the header does not claim the random trace id of the W3C's level 2.
    #[must_use]
    pub fn random_bits(self) -> u32 {
        u32::try_from(self.0 & u128::from(u32::MAX)).unwrap_or(0)
    }
}

impl SpanId {
    /// The id as it is sent.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

impl TraceParent {
    /// For a request of this part of a call, whose trace is exported.
    #[must_use]
    pub fn sampled(call: CallId, part: TracedPart) -> Self {
        Self { call, part }
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Version 00, sampled (01).
impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-01", trace_id(self.call), span_id(self.call, self.part))
    }
}

#[cfg(test)]
mod tests;
