//! Traces of calls. When a call is over, its spans are derived from its event log and sent to a collector (OTLP).
//!
//! A running call pays nothing for its trace: ids are derived from the call's id, and the log is written anyway.

mod call_spans;
pub mod exporter;
mod open_spans;
pub mod sampler;

use precall_call::CallId;
use precall_providers::trace_context::{TraceId, TraceParent, TracedPart, trace_id};

use self::exporter::TraceQueue;
use self::sampler::Sampler;

/// What the engine knows of traces. Cheap to clone.
#[derive(Clone, Default)]
pub struct Traces(Option<(Sampler, TraceQueue)>);

impl Traces {
    /// Traces of the calls that the sampler takes, sent by the exporter of this queue.
    #[must_use]
    pub(crate) fn new(sampler: Sampler, queue: TraceQueue) -> Self {
        Self(Some((sampler, queue)))
    }

    /// The id of the call's trace; none if the call is not traced.
    #[must_use]
    pub fn id(&self, call: CallId) -> Option<TraceId> {
        let (sampler, _) = self.0.as_ref()?;
        let id = trace_id(call);
        sampler.takes(id).then_some(id)
    }

    /// The header `traceparent` of a request that belongs to this part of the call; none if the call is not traced.
    #[must_use]
    pub fn context(&self, call: CallId, part: TracedPart) -> Option<TraceParent> {
        self.id(call).map(|_| TraceParent::sampled(call, part))
    }

    /// The call is over and written. Its trace is sent once this was called.
    pub(crate) fn call_over(&self, call: CallId) {
        if let Some((sampler, queue)) = &self.0
            && sampler.takes(trace_id(call))
        {
            queue.push(call);
        }
    }

    /// Sends what is queued, at the end of the process. Waits at most two seconds.
    pub async fn flush(&self) {
        if let Some((_, queue)) = &self.0 {
            queue.flush().await;
        }
    }
}
