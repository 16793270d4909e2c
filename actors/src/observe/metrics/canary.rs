//! Metrics of the canary. Its calls count in no other metric.

use precall_call::{At, Route};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::labels::RouteLabel;
use crate::observe::canary_calls::CanaryStep;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    route: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepLabel {
    step: &'static str,
}

/// Metrics of the canary; without a canary there are none.
#[derive(Default)]
pub(crate) struct CanaryMetrics {
    runs: Family<RunLabels, Counter>,
    steps: Family<StepLabel, Gauge<f64, std::sync::atomic::AtomicU64>>,
    last_success: Family<RouteLabel, Gauge>,
    failed_in_a_row: Family<RouteLabel, Gauge>,
}

impl CanaryMetrics {
    pub(crate) fn register(&self, all: &mut Registry) {
        let of = |unit: &str| Unit::Other(unit.to_owned());
        let help = "Canary calls, by how they ended";
        all.register_with_unit("canary", help, of("runs"), self.runs.clone());
        let help = "How long each step of the latest test call took";
        all.register_with_unit("canary_step", help, Unit::Seconds, self.steps.clone());
        let help = "When the last test call that passed began, in seconds since 1970";
        all.register_with_unit("canary_last_success", help, Unit::Seconds, self.last_success.clone());
        let help = "Canary calls that failed one after another";
        all.register_with_unit("canary_failed_in_a_row", help, of("runs"), self.failed_in_a_row.clone());
    }

    pub(crate) fn ended(&self, route: Route, outcome: &'static str) {
        self.runs.get_or_create(&RunLabels { route: route.name(), outcome }).inc();
    }

    /// A step took this many milliseconds.
    pub(crate) fn step(&self, step: CanaryStep, ms: i64) {
        let seconds = std::time::Duration::from_millis(u64::try_from(ms).unwrap_or(0)).as_secs_f64();
        self.steps.get_or_create(&StepLabel { step: step.name() }).set(seconds);
    }

    pub(crate) fn passed(&self, route: Route, began: At) {
        let label = RouteLabel { route: route.name() };
        self.last_success.get_or_create(&label).set(began.0.div_euclid(1_000_000));
    }

    pub(crate) fn failed_in_a_row(&self, route: Route, failed: u32) {
        self.failed_in_a_row.get_or_create(&RouteLabel { route: route.name() }).set(i64::from(failed));
    }
}
