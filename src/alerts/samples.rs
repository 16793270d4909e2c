//! The metrics as Prometheus would read them, and how they grew over the last hour.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use precall_call::At;

/// The rules look back over at most this time.
const KEPT: Duration = Duration::from_secs(3_600);
/// Readings that are kept, one a minute.
const READINGS_MAX: usize = 64;

/// The metrics that a rule names. The others are not kept.
const NAMES: [&str; 19] = [
    "precall_released_calls_total",
    "precall_reachable_services",
    "precall_time_to_first_sound_seconds_bucket",
    "precall_turn_seconds_bucket",
    "precall_turn_seconds_count",
    "precall_spool_left_days",
    "precall_spool_free_bytes",
    "precall_queued_events",
    "precall_database_left_days",
    "precall_lost_agents_total",
    "precall_silent_streams_total",
    "precall_panicked_jobs_total",
    "precall_voice_missing_calls_total",
    "precall_budget_used_ratio",
    "precall_answered_webhooks_total",
    "precall_refused_api_requests_total",
    "precall_refused_pins_total",
    "precall_bypassed_lines",
    "precall_canary_failed_in_a_row_runs",
];

/// A metric with its labels, as it stands on the page.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Series(Arc<str>);

impl Series {
    fn name(&self) -> &str {
        self.0.split('{').next().unwrap_or_default()
    }

    /// The value of a label. Labels of precall hold no quotes.
    pub(super) fn label(&self, label: &str) -> Option<&str> {
        let (_, labels) = self.0.split_once('{')?;
        let pairs = labels.trim_end_matches('}').split("\",");
        let mut pairs = pairs.filter_map(|pair| pair.split_once("=\""));
        pairs.find(|(name, _)| *name == label).map(|(_, value)| value.trim_end_matches('"'))
    }
}

/// The metrics at one moment.
#[derive(Clone, Debug)]
struct Reading {
    at: At,
    values: HashMap<Series, f64>,
}

/// The metrics of the last hour.
#[derive(Debug, Default)]
pub(super) struct Samples(VecDeque<Reading>);

impl Samples {
    /// Takes a page of metrics.
    pub(super) fn read(&mut self, page: &str, now: At) {
        let values = page.lines().filter_map(|line| self.value(line)).collect();
        self.0.push_back(Reading { at: now, values });
        while self.0.len() > READINGS_MAX || self.0.front().is_some_and(|oldest| now.since(oldest.at) > KEPT)
        {
            self.0.pop_front();
        }
    }

    fn value(&self, line: &str) -> Option<(Series, f64)> {
        let (series, value) = line.rsplit_once(' ').filter(|_| !line.starts_with('#'))?;
        let series = Series(Arc::from(series));
        if !NAMES.contains(&series.name()) {
            return None;
        }
        // The same text is kept once for all readings.
        let known = self.0.back().and_then(|last| last.values.get_key_value(&series));
        Some((known.map_or(series, |(known, _)| known.clone()), value.parse().ok()?))
    }

    /// The values of a metric now.
    pub(super) fn now<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a Series, f64)> {
        let values = self.0.back().into_iter().flat_map(|reading| &reading.values);
        values.filter(move |(series, _)| series.name() == name).map(|(series, value)| (series, *value))
    }

    /// How much each series of a counter grew within the time, or since the first reading. A series that was not there
    /// began at zero, and so did one that fell.
    pub(super) fn growth<'a>(
        &'a self,
        name: &'a str,
        within: Duration,
    ) -> impl Iterator<Item = (&'a Series, f64)> {
        let last = self.0.back().map_or(At(0), |reading| reading.at);
        let first = self.0.iter().find(|reading| last.since(reading.at) <= within);
        self.now(name).map(move |(series, now)| {
            let before = first.and_then(|reading| reading.values.get(series)).copied().unwrap_or(0.0);
            (series, if now >= before { now - before } else { now })
        })
    }

    /// The value below which this share of what a histogram counted within the time lies; none if it counted nothing.
    pub(super) fn quantile(
        &self,
        share: f64,
        buckets: &str,
        within: Duration,
        of: impl Fn(&Series) -> bool,
    ) -> Option<f64> {
        let mut bounds: Vec<(f64, f64)> = self
            .growth(buckets, within)
            .filter(|(series, _)| of(series))
            .filter_map(|(series, count)| {
                let bound = series.label("le")?;
                let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
                Some((bound, count))
            })
            .collect();
        bounds.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let all = bounds.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
        let rank = share * all;
        let (mut below, mut counted) = (0.0, 0.0);
        for (bound, count) in bounds {
            if count >= rank {
                // Beyond the last bound nothing is known.
                let is_known = bound.is_finite() && count > counted;
                return Some(if is_known {
                    below + (bound - below) * (rank - counted) / (count - counted)
                } else {
                    below
                });
            }
            (below, counted) = (bound, count);
        }
        None
    }
}

#[cfg(test)]
mod tests;
