//! Metrics of the ElevenLabs account: voice slots, and the age of the figure.

use precall_call::At;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::observe::health::CapacityHealth;

/// A family without labels: its one gauge is absent until it is set.
type NoLabels = [(&'static str, &'static str); 0];

/// Metrics of the account. They are absent until ElevenLabs said the figures.
#[derive(Default)]
pub(crate) struct AccountMetrics {
    used: Family<NoLabels, Gauge>,
    limit: Family<NoLabels, Gauge>,
    age: Family<NoLabels, Gauge>,
}

impl AccountMetrics {
    pub(crate) fn register(&self, all: &mut Registry) {
        all.register(
            "voice_slots_used",
            "Voice slots of the account in use, as ElevenLabs last said, with precall's changes since then",
            self.used.clone(),
        );
        all.register("voice_slots_limit", "Voice slots of the account", self.limit.clone());
        all.register_with_unit(
            "voice_slots_age",
            "Time since ElevenLabs last said how many voice slots are used",
            Unit::Seconds,
            self.age.clone(),
        );
    }

    pub(crate) fn show(&self, capacity: &CapacityHealth, now: At) {
        let age = capacity.account_checked_at.map(|at| now.since(at).as_secs());
        let slots = capacity.voice_slots;
        for (gauge, figure) in [(&self.used, slots.used), (&self.limit, slots.limit), (&self.age, age)] {
            if let Some(figure) = figure {
                gauge.get_or_create(&[]).set(i64::try_from(figure).unwrap_or(i64::MAX));
            }
        }
    }
}
