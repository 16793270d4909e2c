//! A histogram that can be read: the library's can only be written to. The dashboard shows it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::{MetricType, TypedMetric};

/// A histogram of seconds.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    shown: Histogram,
    bounds: &'static [f64],
    /// One for each bound, and one for what is above the last.
    counts: Arc<[AtomicU64]>,
}

impl Measured {
    /// Empty, with these upper bounds of its buckets in ascending order.
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        let counts =
            std::iter::repeat_with(AtomicU64::default).take(bounds.len().saturating_add(1)).collect();
        Self { shown: Histogram::new(bounds.iter().copied()), bounds, counts }
    }

    pub(super) fn observe(&self, seconds: f64) {
        self.shown.observe(seconds);
        let bucket = self.bounds.iter().position(|bound| seconds <= *bound).unwrap_or(self.bounds.len());
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn read(&self) -> Distribution {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        Distribution { bounds: self.bounds, counts }
    }
}

impl EncodeMetric for Measured {
    fn encode(&self, encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        self.shown.encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        self.shown.metric_type()
    }
}

impl TypedMetric for Measured {
    const TYPE: MetricType = MetricType::Histogram;
}

/// How long something took, in buckets, since the start of the process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution {
    /// The upper bounds of the buckets in seconds, ascending.
    pub bounds: &'static [f64],
    /// How often, for each bucket; the last one is what is above the last bound.
    pub counts: Vec<u64>,
}

impl Distribution {
    /// Adds another one with the same bounds.
    pub(super) fn add(&mut self, other: &Self) {
        if self.counts.is_empty() {
            self.clone_from(other);
            return;
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
    }

    /// How often in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The bound below which this part (0 to 1) of all is; none without any, or above the last bound.
    #[must_use]
    pub fn quantile(&self, part: f64) -> Option<f64> {
        let total = self.total();
        #[expect(clippy::cast_precision_loss, reason = "counts above 2^53 need no exact quantile")]
        let reached = |sum: u64| total > 0 && sum as f64 >= part * total as f64;
        let mut sum = 0_u64;
        self.counts.iter().zip(self.bounds).find_map(|(count, bound)| {
            sum = sum.saturating_add(*count);
            reached(sum).then_some(*bound)
        })
    }
}

/// Requests to one endpoint of a provider since the start.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestFigures {
    /// `elevenlabs` or `threecx`.
    pub service: &'static str,
    /// Name of the endpoint.
    pub endpoint: &'static str,
    /// How many ended how; without those at zero.
    pub ends: Vec<(&'static str, u64)>,
    /// How long all of them took.
    pub took: Distribution,
}

/// Times that have a goal, since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeFigures {
    /// From the PBX's event that a leg is connected to the first sound in it.
    pub first_sound: Distribution,
    /// From the offer of a call until its greeting plays.
    pub greeting: Distribution,
    /// How long calls waited for a voice that was cloned.
    pub cloned: Distribution,
    /// From the end of the greeting until the caller hears an agent.
    pub hold: Distribution,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_can_be_read() {
        let measured = Measured::new(&[0.1, 1.0]);
        assert_eq!(measured.read().quantile(0.5), None);
        for seconds in [0.05, 0.1, 0.5, 7.0] {
            measured.observe(seconds);
        }
        let mut read = measured.read();
        assert_eq!((read.counts.as_slice(), read.total()), (&[2, 1, 1][..], 4));
        assert_eq!(
            (read.quantile(0.5), read.quantile(0.75), read.quantile(0.99)),
            (Some(0.1), Some(1.0), None)
        );
        read.add(&measured.read());
        assert_eq!(read.counts, [4, 2, 2]);
        let mut empty = Distribution::default();
        empty.add(&read);
        assert_eq!(empty, read);
    }
}
