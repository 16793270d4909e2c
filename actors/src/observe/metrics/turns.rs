//! Metrics of turns in conversations on the bridge: the wait for an answer, and the end of an interrupted one.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Seconds: an answer in half a second is quick, after two callers ask whether anybody is there. precall's own share is
/// a few tens of milliseconds.
const TURN_BUCKETS: [f64; 14] = [0.01, 0.02, 0.04, 0.06, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0];
/// Seconds: the lead of the audio is 60 to 120 ms.
const STOP_BUCKETS: [f64; 10] = [0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.16, 0.25, 0.5, 1.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ShareLabel {
    share: &'static str,
}

/// Metrics of turns.
pub(crate) struct TurnMetrics {
    turn: Family<ShareLabel, Histogram, fn() -> Histogram>,
    stop: Histogram,
}

impl Default for TurnMetrics {
    fn default() -> Self {
        Self {
            turn: Family::new_with_constructor(|| Histogram::new(TURN_BUCKETS)),
            stop: Histogram::new(STOP_BUCKETS),
        }
    }
}

impl TurnMetrics {
    pub(crate) fn register(&self, all: &mut Registry) {
        all.register_with_unit(
            "turn",
            "From the end of the caller's speech to the first sound of the answer, by whose share of it",
            Unit::Seconds,
            self.turn.clone(),
        );
        all.register_with_unit(
            "barge_in",
            "From the provider's word that the caller interrupts the agent until the caller hears no more of it",
            Unit::Seconds,
            self.stop.clone(),
        );
    }

    pub(crate) fn turn(&self, provider: Duration, ours: Duration) {
        for (share, took) in [("provider", provider), ("precall", ours)] {
            self.turn.get_or_create(&ShareLabel { share }).observe(took.as_secs_f64());
        }
    }

    pub(crate) fn stopped(&self, after: Duration) {
        self.stop.observe(after.as_secs_f64());
    }
}
