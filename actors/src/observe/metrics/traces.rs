//! Metrics of traces: what became of them, and failed requests to the collector.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

/// What became of the trace of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TraceEnd {
    /// The collector has it.
    Sent,
    /// The collector refused it for good.
    Refused,
    /// The call's log could not be read.
    Unreadable,
    /// Too many calls waited for the collector.
    QueueFull,
}

impl TraceEnd {
    fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Refused => "refused",
            Self::Unreadable => "unreadable",
            Self::QueueFull => "queue_full",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WhyLabel {
    why: &'static str,
}

/// Metrics of traces. Absent where traces are off.
#[derive(Default)]
pub(crate) struct TraceMetrics {
    ended: Family<EndLabel, Counter>,
    failed: Family<WhyLabel, Counter>,
}

impl TraceMetrics {
    pub(crate) fn register(&self, all: &mut Registry) {
        let of = |unit: &str| Unit::Other(unit.to_owned());
        let help = "Traces of finished calls, by what became of them";
        all.register_with_unit("exported", help, of("traces"), self.ended.clone());
        let help = "Requests to the trace collector that failed, before they were repeated or given up";
        all.register_with_unit("failed_export", help, of("requests"), self.failed.clone());
    }

    pub(crate) fn ended(&self, end: TraceEnd, calls: usize) {
        let calls = u64::try_from(calls).unwrap_or(u64::MAX);
        self.ended.get_or_create(&EndLabel { outcome: end.name() }).inc_by(calls);
    }

    pub(crate) fn failed(&self, why: &'static str) {
        self.failed.get_or_create(&WhyLabel { why }).inc();
    }
}
