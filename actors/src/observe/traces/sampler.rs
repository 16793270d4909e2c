//! Which calls are traced.
//!
//! Pure: the decision follows from the trace id alone, so that every process decides the same for a call.

use precall_providers::trace_context::TraceId;

/// `OTEL_TRACES_SAMPLER`. A call has no parent trace, so the samplers `parentbased_...` decide as their roots do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampler {
    /// Every call.
    All,
    /// No call.
    None,
    /// This share of the calls, 0 to 1.
    Ratio(f64),
}

impl Sampler {
    /// Whether the call with this trace is traced. The share is taken from the random bits of the id: the bits above
    /// them are the time and the version of a UUID.
    #[must_use]
    pub fn takes(self, trace: TraceId) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Ratio(share) => position(trace) >= 1.0 - share,
        }
    }
}

/// The place of the id among all ids, from 0 to below 1.
fn position(trace: TraceId) -> f64 {
    f64::from(trace.random_bits()) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests;
