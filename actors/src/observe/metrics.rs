//! Metrics of the engine, counted from events in one place. No label holds a number, a name or a call id, so that no
//! label grows without bound.

mod account;
mod bridge;
mod budgets;
mod canary;
mod growth;
mod labels;
mod lines;
mod measured;
mod process;
mod traces;
mod turns;

use std::fmt;
use std::time::Duration;

use precall_base::clock;
use precall_call::{At, Call, CallPart, Event, Fact, HandingOff, Phase, Route, VoiceSource, facts};
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use self::account::AccountMetrics;
use self::bridge::BridgeMetrics;
use self::budgets::BudgetMetrics;
use self::canary::CanaryMetrics;
use self::growth::Growth;
use self::labels::{
    AnswerLabels, AttemptLabels, ChannelLabels, JobLabel, OutcomeLabel, PhaseLabel, ReasonLabel,
    ReleaseLabels, RouteLabel, RungLabel, ServiceLabel, SourceLabel, WebhookLabel,
};
use self::lines::LineMetrics;
use self::measured::Measured;
pub use self::measured::{Distribution, RequestFigures, TimeFigures};
use self::process::ProcessMetrics;
pub use self::traces::TraceEnd;
use self::traces::TraceMetrics;
use self::turns::TurnMetrics;
use crate::limits::budgets::BudgetChanges;
use crate::observe::health::Health;

/// Seconds: a greeting is requested within milliseconds and played within seconds.
const GREETING_BUCKETS: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0];
/// Seconds: from the PBX's event to audio in the leg; the lead silence is part of the time to sound.
const FRAME_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Seconds: the cache answers at once, a clone takes 5 to 30; the goal is 35.
const VOICE_BUCKETS: [f64; 13] = [0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 35.0, 45.0, 120.0];
/// Seconds: whole calls.
const CALL_BUCKETS: [f64; 10] = [1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0];
/// Seconds: a webhook waits until its event is durable, at most 2.5 s.
const WEBHOOK_BUCKETS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 2.5, 10.0];

/// The webhooks of precall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Webhook {
    /// `/webhook/3cx`.
    ThreeCx,
    /// `/webhook/elevenlabs/postcall`.
    PostCall,
    /// `/webhook/elevenlabs/initiation`.
    Initiation,
}

impl Webhook {
    /// Name in labels and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ThreeCx => "3cx",
            Self::PostCall => "postcall",
            Self::Initiation => "initiation",
        }
    }
}

/// A histogram with its own buckets; `Family` creates one per set of labels.
type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// All counters, histograms and gauges of one engine.
pub struct Metrics {
    registry: Registry,
    offered: Family<RouteLabel, Counter>,
    released: Family<ReleaseLabels, Counter>,
    duration: Histograms<RouteLabel>,
    phases: Family<PhaseLabel, Counter>,
    greeting: Family<RouteLabel, Measured, fn() -> Measured>,
    first_frame: Histogram,
    first_sound: Measured,
    audio_gaps: Counter,
    bridge: BridgeMetrics,
    notices: Counter,
    voice_wait: Family<SourceLabel, Measured, fn() -> Measured>,
    voice_missing: Family<ReasonLabel, Counter>,
    pins_refused: Counter,
    handed_over: Family<RungLabel, Counter>,
    attempts_failed: Family<AttemptLabels, Counter>,
    panics: Family<JobLabel, Counter>,
    webhooks: Family<AnswerLabels, Counter>,
    api_refused: Family<OutcomeLabel, Counter>,
    alerts_sent: Family<ChannelLabels, Counter>,
    webhook_duration: Histograms<WebhookLabel>,
    live: Gauge,
    bypassed: Gauge,
    legs: Gauge,
    queued: Gauge,
    spooled: Gauge,
    growth: Growth,
    account: AccountMetrics,
    budgets: BudgetMetrics,
    /// Test calls of precall itself.
    pub(crate) canary: CanaryMetrics,
    /// Traces of calls.
    pub(crate) traces: TraceMetrics,
    /// By line and PBX.
    pub(crate) lines: LineMetrics,
    /// Turns in conversations.
    pub(crate) turns: TurnMetrics,
    /// The process, and its requests to others.
    pub(crate) process: ProcessMetrics,
    reachable: Family<ServiceLabel, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("precall"),
            offered: Family::default(),
            released: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(CALL_BUCKETS)),
            phases: Family::default(),
            greeting: Family::new_with_constructor(|| Measured::new(&GREETING_BUCKETS)),
            first_frame: Histogram::new(FRAME_BUCKETS),
            first_sound: Measured::new(&FRAME_BUCKETS),
            audio_gaps: Counter::default(),
            bridge: BridgeMetrics::default(),
            notices: Counter::default(),
            voice_wait: Family::new_with_constructor(|| Measured::new(&VOICE_BUCKETS)),
            voice_missing: Family::default(),
            pins_refused: Counter::default(),
            handed_over: Family::default(),
            attempts_failed: Family::default(),
            panics: Family::default(),
            webhooks: Family::default(),
            api_refused: Family::default(),
            alerts_sent: Family::default(),
            webhook_duration: Family::new_with_constructor(|| Histogram::new(WEBHOOK_BUCKETS)),
            live: Gauge::default(),
            bypassed: Gauge::default(),
            legs: Gauge::default(),
            queued: Gauge::default(),
            spooled: Gauge::default(),
            growth: Growth::default(),
            account: AccountMetrics::default(),
            budgets: BudgetMetrics::default(),
            canary: CanaryMetrics::default(),
            traces: TraceMetrics::default(),
            lines: LineMetrics::default(),
            turns: TurnMetrics::default(),
            process: ProcessMetrics::default(),
            reachable: Family::default(),
        };
        metrics.register_calls();
        metrics.bridge.register(&mut metrics.registry);
        metrics.register_edge();
        metrics
    }

    fn register_calls(&mut self) {
        let of = |unit: &str| Unit::Other(unit.to_owned());
        let all = &mut self.registry;
        all.register_with_unit("offered", "Calls offered to precall", of("calls"), self.offered.clone());
        all.register_with_unit(
            "released",
            "Calls that ended, by cause and by the party that caused it",
            of("calls"),
            self.released.clone(),
        );
        all.register_with_unit(
            "call_duration",
            "From the offer of a call to its end",
            Unit::Seconds,
            self.duration.clone(),
        );
        all.register_with_unit("entered", "Phases that calls entered", of("phases"), self.phases.clone());
        all.register_with_unit(
            "time_to_first_frame",
            "From the PBX's event that a leg is connected to the first frame written into it",
            Unit::Seconds,
            self.first_frame.clone(),
        );
        all.register_with_unit(
            "time_to_first_sound",
            "From the PBX's event that a leg is connected to the first non-silent frame written into it",
            Unit::Seconds,
            self.first_sound.clone(),
        );
        all.register_with_unit(
            "audio",
            "Gaps of more than 40 ms without audio of precall at the PBX",
            of("gaps"),
            self.audio_gaps.clone(),
        );
        all.register_with_unit("heard", "Notices played to their end", of("notices"), self.notices.clone());
        all.register_with_unit(
            "time_to_greeting",
            "From the offer of a call until its greeting plays on the leg or the provider accepts it",
            Unit::Seconds,
            self.greeting.clone(),
        );
        all.register_with_unit(
            "voice_wait",
            "How long a call waited for the caller's voice, from the cache or cloned",
            Unit::Seconds,
            self.voice_wait.clone(),
        );
        all.register_with_unit(
            "voice_missing",
            "Calls that went on without the caller's voice, by reason",
            of("calls"),
            self.voice_missing.clone(),
        );
        all.register_with_unit("refused", "PINs entered and refused", of("pins"), self.pins_refused.clone());
        all.register_with_unit(
            "handed_over",
            "Calls that reached an agent or a person, by rung of the handoff",
            of("calls"),
            self.handed_over.clone(),
        );
        all.register_with_unit(
            "failed_handoff",
            "Failed handoff attempts",
            of("attempts"),
            self.attempts_failed.clone(),
        );
        all.register_with_unit(
            "panicked",
            "Parts of calls that panicked without ending other calls",
            of("jobs"),
            self.panics.clone(),
        );
    }

    fn register_edge(&mut self) {
        let of = |unit: &str| Unit::Other(unit.to_owned());
        let all = &mut self.registry;
        all.register_with_unit(
            "answered",
            "Webhooks by result: the status of the answer or the code of the problem",
            of("webhooks"),
            self.webhooks.clone(),
        );
        all.register_with_unit(
            "refused_api",
            "Refused requests of the API, by the code of the problem",
            of("requests"),
            self.api_refused.clone(),
        );
        let help = "Messages about alerts, by channel and whether they went out";
        all.register_with_unit("sent", help, of("alerts"), self.alerts_sent.clone());
        all.register_with_unit(
            "webhook_duration",
            "From the HTTP head of a webhook to its answer",
            Unit::Seconds,
            self.webhook_duration.clone(),
        );
        all.register_with_unit("live", "Live calls at this moment", of("calls"), self.live.clone());
        let help = "Lines whose new calls operators send away; every line is one";
        all.register_with_unit("bypassed", help, of("lines"), self.bypassed.clone());
        all.register_with_unit("known", "Legs of precall at the PBX", of("legs"), self.legs.clone());
        all.register_with_unit(
            "queued",
            "Events that are not durable yet",
            of("events"),
            self.queued.clone(),
        );
        all.register_with_unit(
            "spooled",
            "Bytes of events that wait on disk for the database",
            Unit::Bytes,
            self.spooled.clone(),
        );
        self.growth.register(all);
        self.account.register(all);
        self.budgets.register(all);
        self.canary.register(all);
        self.traces.register(all);
        self.lines.register(all);
        self.turns.register(all);
        self.process.register(all);
        all.register_with_unit(
            "reachable",
            "Whether the last contact with a service succeeded: 1 yes, 0 no; absent before the first contact",
            of("services"),
            self.reachable.clone(),
        );
    }

    /// Counts the effects of an event. `before` is none at the offer.
    pub fn observe(&self, before: Option<&Call>, event: &Event, after: &Call) {
        let route = after.policy.route.name();
        if before.is_none_or(|before| before.phase.name() != after.phase.name()) {
            self.phases.get_or_create(&PhaseLabel { phase: after.phase.name() }).inc();
        }
        self.failed_attempt(before, event);
        self.gaps(before, after);
        self.bridge.observe(before, event, after);
        for fact in facts(before, event, after) {
            match fact {
                Fact::Offered => {
                    self.offered.get_or_create(&RouteLabel { route }).inc();
                }
                Fact::GreetingStarted(after_offer) => {
                    self.greeting.get_or_create(&RouteLabel { route }).observe(after_offer.as_secs_f64());
                }
                Fact::FirstFrame(after_connected) => self.first_frame.observe(after_connected.as_secs_f64()),
                Fact::FirstSound(after_connected) => self.first_sound.observe(after_connected.as_secs_f64()),
                Fact::NoticeEnded => {
                    self.notices.inc();
                }
                Fact::VoiceReady { source, took, .. } => {
                    let label = SourceLabel { source: source.name() };
                    self.voice_wait.get_or_create(&label).observe(took.as_secs_f64());
                }
                Fact::VoiceMissing(why) => {
                    self.voice_missing.get_or_create(&ReasonLabel { reason: why.name() }).inc();
                }
                Fact::PinRefused => {
                    self.pins_refused.inc();
                }
                Fact::HandedOff(rung) => {
                    self.handed_over.get_or_create(&RungLabel { rung: rung.name() }).inc();
                }
                // Counted by the budgets and their metrics.
                Fact::ConversationReported { .. } => {}
                Fact::Panicked => self.panicked(event),
                Fact::Released(release) => {
                    let cause = release.cause.name();
                    let blame = release.blame.map_or("none", |blame| blame.name());
                    self.released.get_or_create(&ReleaseLabels { route, cause, blame }).inc();
                    let lasted = after.at.since(after.instants.offered);
                    self.duration.get_or_create(&RouteLabel { route }).observe(lasted.as_secs_f64());
                }
            }
        }
    }

    fn gaps(&self, before: Option<&Call>, after: &Call) {
        let gaps = |call: &Call| call.audio.map_or(0, |audio| audio.gaps);
        self.audio_gaps.inc_by(u64::from(gaps(after).saturating_sub(before.map_or(0, gaps))));
    }

    fn failed_attempt(&self, before: Option<&Call>, event: &Event) {
        let (Some(before), Event::HandoffFailed { attempt: number, why }) = (before, event) else { return };
        if let Phase::HandingOff(HandingOff { attempt, .. }) = before.phase
            && attempt.number == *number
        {
            let labels = AttemptLabels { rung: attempt.rung.name(), why: why.name() };
            self.attempts_failed.get_or_create(&labels).inc();
        }
    }

    fn panicked(&self, event: &Event) {
        if let Event::Panicked { part, .. } = event {
            self.panics.get_or_create(&JobLabel { job: part.name() }).inc();
        }
    }

    /// Counts one refused request of the API by the code of its problem.
    pub fn api_refused(&self, outcome: &'static str) {
        self.process.refused("api", outcome);
        self.api_refused.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts one message about alerts; `outcome` is `sent` or `failed`.
    pub fn alert_sent(&self, channel: &'static str, outcome: &'static str) {
        self.alerts_sent.get_or_create(&ChannelLabels { channel, outcome }).inc();
    }

    /// Counts one webhook by the status of its answer or the code of its problem.
    pub fn webhook(&self, webhook: Webhook, outcome: &'static str, took: Duration) {
        let webhook = webhook.name();
        self.process.refused(webhook, outcome);
        self.webhooks.get_or_create(&AnswerLabels { webhook, outcome }).inc();
        self.webhook_duration.get_or_create(&WebhookLabel { webhook }).observe(took.as_secs_f64());
    }

    /// Counts an audio stream of a leg that was open but dead.
    pub(crate) fn silent_stream(&self, stream: &'static str) {
        self.bridge.silent_stream(stream);
    }

    /// Sets the size of the database; its limit is `max` bytes.
    pub(crate) fn database_size(&self, bytes: i64, max: Option<u64>, now: At) {
        self.growth.database(bytes, max, now);
    }

    /// Counts changes of budgets.
    pub fn budgets(&self, changes: &BudgetChanges) {
        self.budgets.count(changes);
    }

    /// Times that have a goal.
    #[must_use]
    pub fn times(&self) -> TimeFigures {
        let mut times = TimeFigures { first_sound: self.first_sound.read(), ..TimeFigures::default() };
        for route in Route::ALL {
            if let Some(measured) = self.greeting.get(&RouteLabel { route: route.name() }) {
                times.greeting.add(&measured.read());
            }
            if let Some(measured) = self.lines.hold(route.name()) {
                times.hold.add(&measured);
            }
        }
        let cloned = SourceLabel { source: VoiceSource::Clone.name() };
        if let Some(measured) = self.voice_wait.get(&cloned) {
            times.cloned = measured.read();
        }
        times
    }

    /// Panics by part of a call, without those at zero.
    #[must_use]
    pub fn panicked_parts(&self) -> Vec<(&'static str, u64)> {
        let parts = CallPart::ALL.iter().map(|part| part.name());
        let count = |job| self.panics.get(&JobLabel { job }).map_or(0, |count| count.get());
        parts.map(|job| (job, count(job))).filter(|(_, count)| *count > 0).collect()
    }

    /// All metrics in the OpenMetrics text format, with the gauges from `health`.
    ///
    /// # Errors
    /// Only if writing into a `String` fails: in practice never.
    pub fn encode(&self, health: &Health) -> Result<String, fmt::Error> {
        self.live.set(i64::try_from(health.live_calls).unwrap_or(i64::MAX));
        self.bypassed.set(i64::try_from(health.bypasses).unwrap_or(i64::MAX));
        self.queued.set(i64::try_from(health.queued_events).unwrap_or(i64::MAX));
        self.spooled.set(i64::try_from(health.spooled_bytes).unwrap_or(i64::MAX));
        self.growth.spool(health.spooled_bytes, health.spool_max_bytes, clock::now());
        self.growth.spool_free(health.spool_free_bytes);
        self.account.show(&health.capacity, clock::now());
        self.budgets.show(&health.budgets);
        self.process.show(&health.mailboxes, &health.restarts);
        let threecx = health.threecx.as_ref().and_then(|pbx| pbx.open);
        self.legs.set(health.threecx.as_ref().map_or(0, |pbx| i64::try_from(pbx.legs).unwrap_or(i64::MAX)));
        for (service, reachable) in
            [("database", health.database), ("elevenlabs", health.elevenlabs), ("threecx", threecx)]
        {
            if let Some(reachable) = reachable {
                self.reachable.get_or_create(&ServiceLabel { service }).set(i64::from(reachable));
            }
        }
        let mut page = String::with_capacity(16 * 1024);
        text::encode(&mut page, &self.registry)?;
        Ok(page)
    }
}

#[cfg(test)]
mod tests;
