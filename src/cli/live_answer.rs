//! The answers of the API that `precall status` and `precall top` show. Fields that an older service does not send have
//! defaults.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::service::in_url;

/// Failed calls of the last hour that are counted by cause.
pub(super) const FAILED_MOST: usize = 2_000;

/// The answer of `GET /api/v1/live`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Live {
    pub(super) now: Timestamp,
    pub(super) health: Health,
    pub(super) items: Vec<LiveCall>,
}

/// Health of the service.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Health {
    pub(super) status: String,
    pub(super) database: String,
    pub(super) elevenlabs: String,
    pub(super) threecx: String,
    pub(super) spool: String,
    pub(super) ready: bool,
    pub(super) standby: bool,
    pub(super) draining: bool,
    pub(super) problems: Vec<Problem>,
    pub(super) capacity: BTreeMap<String, Value>,
    pub(super) version: String,
}

/// Something that needs a person.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Problem {
    pub(super) area: String,
    pub(super) since: Option<Timestamp>,
    pub(super) words: String,
    pub(super) remedy: String,
    pub(super) failed: u64,
    pub(super) succeeded: u64,
    pub(super) call: Option<String>,
}

/// A live call. The caller is masked.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct LiveCall {
    pub(super) id: String,
    pub(super) caller: String,
    pub(super) line: String,
    #[serde(default)]
    pub(super) route: String,
    pub(super) state: String,
    pub(super) state_since: Option<Timestamp>,
    pub(super) voice: String,
    pub(super) voice_missing: Option<String>,
    #[serde(default)]
    pub(super) awaits_voice: bool,
    pub(super) voice_decided_at: Option<Timestamp>,
    pub(super) offered_at: Option<Timestamp>,
    pub(super) deadline_at: Option<Timestamp>,
    pub(super) last_event: Option<String>,
    pub(super) last_event_at: Option<Timestamp>,
}

/// A failed call of the list, as far as it is counted.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct FailedCall {
    pub(super) cause: Option<String>,
    pub(super) blame: Option<String>,
}

/// Use of one resource.
#[derive(Debug, Deserialize)]
pub(super) struct Measure {
    pub(super) used: Option<u64>,
    pub(super) limit: Option<u64>,
    /// Seconds since ElevenLabs said so; none for precall's own count.
    pub(super) age_seconds: Option<u64>,
}

impl Health {
    /// Whether new calls are taken, in words.
    pub(super) fn takes(&self) -> &'static str {
        match (self.ready, self.standby, self.draining) {
            (true, ..) => "takes calls",
            (false, true, _) => "is a standby: another precall takes the calls",
            (false, _, true) => "is being stopped and takes no new calls",
            (false, false, false) => "takes NO calls",
        }
    }

    /// Whether nobody has to act at once: it takes calls, or another one does.
    pub(super) fn is_well(&self) -> bool {
        self.status != "error" && (self.ready || self.standby)
    }

    /// The resources with a use and a limit, as name, unit and measure. Bytes are in MiB.
    pub(super) fn measures(&self) -> Vec<(String, Measure)> {
        let read = |(name, value): (&String, &Value)| {
            let mut measure: Measure = serde_json::from_value(value.clone()).ok()?;
            let (used, limit) = (measure.used?, measure.limit?);
            let (what, unit) = match name.strip_suffix("_bytes") {
                Some(what) => (format!("{what} (MiB)"), 1 << 20),
                None => (name.replace('_', " "), 1),
            };
            measure.used = Some(used / unit);
            measure.limit = Some(limit / unit);
            Some((what, measure))
        };
        self.capacity.iter().filter_map(read).collect()
    }
}

/// Calls by state, with their counts.
pub(super) fn by_state(calls: &[LiveCall]) -> BTreeMap<&str, usize> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for call in calls {
        let count = counts.entry(&call.state).or_default();
        *count = count.saturating_add(1);
    }
    counts
}

/// Failed calls by cause and blame, the most frequent first.
pub(super) fn by_cause(failures: &[FailedCall]) -> Vec<((&str, &str), usize)> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for call in failures {
        let key = (call.cause.as_deref().unwrap_or("unknown"), call.blame.as_deref().unwrap_or("nobody"));
        let count = counts.entry(key).or_default();
        *count = count.saturating_add(1);
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// The query for the calls of the last hour that failed.
pub(super) fn failed_since(now: Timestamp) -> String {
    let since = now.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MIN);
    format!("status=failed&since={}", in_url(&since.to_string()))
}
