//! Metrics of the process and of its requests to others: mailboxes, restarts of actors, clocks, latency of providers,
//! refused credentials.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use precall_base::clock;
use precall_call::At;
use precall_providers::request_watch::{Endpoint, RequestEnd};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::measured::{Distribution, Measured, RequestFigures};

/// Seconds: a signed URL takes a tenth, a clone 5 to 30, a transfer as long as a telephone rings.
const REQUEST_BUCKETS: [f64; 11] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];

/// Codes of requests whose credentials were not accepted.
const REFUSED_CREDENTIALS: [&str; 7] = [
    "unauthenticated",
    "forbidden",
    "signature_missing",
    "signature_malformed",
    "signature_expired",
    "signature_wrong",
    "secret_wrong",
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActorLabel {
    actor: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClockLabel {
    clock: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    service: &'static str,
    endpoint: &'static str,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DoorLabel {
    door: &'static str,
}

type Seconds = Gauge<f64, AtomicU64>;

/// Metrics of the process.
pub(crate) struct ProcessMetrics {
    started: Seconds,
    started_at: At,
    mailboxes: Family<ActorLabel, Seconds>,
    restarts: Family<ActorLabel, Counter>,
    clocks: Family<ClockLabel, Seconds>,
    requests: Family<RequestLabels, Measured, fn() -> Measured>,
    auth: Family<DoorLabel, Counter>,
}

impl Default for ProcessMetrics {
    fn default() -> Self {
        let started = Seconds::default();
        let started_at = clock::wall();
        started.set(seconds(started_at.0));
        Self {
            started,
            started_at,
            mailboxes: Family::default(),
            restarts: Family::default(),
            clocks: Family::default(),
            requests: Family::new_with_constructor(|| Measured::new(&REQUEST_BUCKETS)),
            auth: Family::default(),
        }
    }
}

impl ProcessMetrics {
    pub(crate) fn register(&self, all: &mut Registry) {
        let of = |unit: &str| Unit::Other(unit.to_owned());
        let help = "When this process started, since 1970; it changes with each restart";
        all.register_with_unit("start_time", help, Unit::Seconds, self.started.clone());
        let help = "How long the oldest message waits in the mailbox of an actor, or the last one waited";
        all.register_with_unit("mailbox_age", help, Unit::Seconds, self.mailboxes.clone());
        let help = "Actors that were restarted in place after a panic";
        all.register_with_unit("restarted", help, of("actors"), self.restarts.clone());
        let help = "By how much another clock is ahead of precall's own (host) or of the host's (elevenlabs)";
        all.register_with_unit("clock_offset", help, Unit::Seconds, self.clocks.clone());
        let help = "Requests to ElevenLabs and 3CX, from their beginning to their whole answer";
        all.register_with_unit("provider_request", help, Unit::Seconds, self.requests.clone());
        let help =
            "Requests to precall whose key, signature or secret was missing or wrong, by where they came";
        all.register_with_unit("failed_auth", help, of("requests"), self.auth.clone());
    }

    /// When this process started, by the host's clock.
    pub(crate) fn started(&self) -> At {
        self.started_at
    }

    /// The requests to each endpoint that was asked.
    pub(crate) fn requests(&self) -> Vec<RequestFigures> {
        let of = |endpoint: Endpoint| {
            let (mut ends, mut took) = (Vec::new(), Distribution::default());
            for status in RequestEnd::NAMES {
                let labels = RequestLabels { service: endpoint.service(), endpoint: endpoint.name(), status };
                let Some(measured) = self.requests.get(&labels).map(|measured| measured.read()) else {
                    continue;
                };
                ends.push((status, measured.total()));
                took.add(&measured);
            }
            let is_asked = !ends.is_empty();
            is_asked.then(|| RequestFigures {
                service: endpoint.service(),
                endpoint: endpoint.name(),
                ends,
                took,
            })
        };
        Endpoint::ALL.into_iter().filter_map(of).collect()
    }

    pub(crate) fn request(&self, endpoint: Endpoint, end: RequestEnd, took: Duration) {
        let labels =
            RequestLabels { service: endpoint.service(), endpoint: endpoint.name(), status: end.name() };
        self.requests.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Counts a refused request, if its credentials were the reason.
    pub(crate) fn refused(&self, door: &'static str, code: &str) {
        if REFUSED_CREDENTIALS.contains(&code) {
            self.auth.get_or_create(&DoorLabel { door }).inc();
        }
    }

    /// The clock of ElevenLabs, by an answer of this moment, in whole seconds.
    pub(crate) fn elevenlabs_clock(&self, theirs: At, wall: At) {
        self.clock("elevenlabs", theirs.0.saturating_sub(wall.0));
    }

    fn clock(&self, clock: &'static str, ahead_micros: i64) {
        self.clocks.get_or_create(&ClockLabel { clock }).set(seconds(ahead_micros));
    }

    pub(crate) fn show(&self, mailboxes: &[(&'static str, Duration)], restarts: &[(&'static str, u64)]) {
        self.clock("host", clock::ahead_of_now());
        for (actor, age) in mailboxes {
            self.mailboxes.get_or_create(&ActorLabel { actor }).set(age.as_secs_f64());
        }
        for (actor, total) in restarts {
            let counter = self.restarts.get_or_create(&ActorLabel { actor });
            counter.inc_by(total.saturating_sub(counter.get()));
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of this century have less than 53 bits")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1_000_000.0
}
