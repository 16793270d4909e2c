//! Tests of the spans of whole calls: a table of what happened, and the spans that follow from it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a failing test may panic, and figures are for people"
)]

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use precall_call::{
    Admission, AgentLoss, At, Call, CallId, CallPart, Cause, CloneJobId, ConversationId, Effect, Event,
    GreetingEnd, HandoffFailure, LineId, NoVoice, Offer, Person, Policy, Proof, Request, Route, Speaker,
    VoiceId, VoiceSource, VoiceWait, open, step,
};
use precall_providers::otlp::{Span, SpanValue};
use precall_providers::trace_context::{TracedPart, span_id, trace_id};
use precall_store::reads::clone_steps::{CloneEnd, CloneSteps};

use super::{call_spans, clone_jobs};

const CALL: CallId = CallId(0x0190_a1b2_c3d4_7e5f_8123_4567_89ab_cdef);
const JOB: CloneJobId = CloneJobId(77);
const SECOND: i64 = 1_000_000;
const BEGIN: At = At(1_700_000_000 * SECOND);

fn policy(route: Route) -> Policy {
    let long = Duration::from_secs(600);
    Policy {
        line_version: None,
        route,
        line: LineId::new("reception"),
        fallback_voice: None,
        voice_wait: VoiceWait::Hold,
        auto_transition: true,
        has_bridge: route == Route::Bridge,
        has_transfer: false,
        has_destination: true,
        persons: [].into(),
        ends_with_pbx_call: true,
        notice: None,
        skip_key: None,
        person_key: Some('0'),
        proof: Proof::None,
        pin_wait: long,
        clone_max_wait: long,
        ring_max: long,
        greeting_max: long,
        handoff_max: long,
        conversation_max: long,
        leg_max: long,
        list_max: None,
        report_grace: long,
        notes_first_word: true,
        free_retries: true,
        supervised: false,
    }
}

/// The log of a call. Each event is a second after the one before.
struct Log {
    call: Call,
    events: Vec<(Event, At)>,
}

impl Log {
    fn of(route: Route) -> Self {
        Self::offered(Offer { policy: Arc::new(policy(route)), admission: Admission::Accepted })
    }

    fn offered(offer: Offer) -> Self {
        let opened = open(&offer, BEGIN);
        let mut log = Self { call: opened.next, events: vec![(Event::Offered(offer), BEGIN)] };
        log.intend(opened.effects, BEGIN);
        log
    }

    fn then(mut self, event: Event) -> Self {
        let at = At(self.events.last().unwrap().1.0 + SECOND);
        let effects = self.take(event, at);
        self.intend(effects, at);
        self
    }

    /// The caller hangs up: the leg is gone, and does not come back.
    fn gone(self) -> Self {
        let mut log = self.then(Event::LegGone);
        while !log.call.is_released() {
            let deadline = log.call.deadline().unwrap();
            let effects = log.take(Event::DeadlinePassed { generation: deadline.generation }, deadline.due);
            log.intend(effects, deadline.due);
        }
        log
    }

    fn take(&mut self, event: Event, at: At) -> Vec<Effect> {
        let stepped = step(&self.call, &event, at);
        assert!(
            stepped.next.version > self.call.version,
            "{event:?} changes nothing in {:?}",
            self.call.phase
        );
        self.call = stepped.next;
        self.events.push((event, at));
        stepped.effects
    }

    /// Intents are recorded at once, as the call's actor does.
    fn intend(&mut self, effects: Vec<Effect>, at: At) {
        let mut work = VecDeque::from(effects);
        while let Some(effect) = work.pop_front() {
            if let Effect::Intend(intent) = effect {
                work.extend(self.take(intent, at));
            }
        }
    }

    fn spans(&self) -> Vec<Span> {
        self.spans_with(CloneSteps::default())
    }

    fn spans_with(&self, steps: CloneSteps) -> Vec<Span> {
        call_spans(CALL, &self.events, &HashMap::from([(JOB, steps)])).expect("the call is over")
    }
}

/// `name in parent from..to !error`, seconds after the offer.
fn told(spans: &[Span]) -> Vec<String> {
    let seconds = |at: At| (at.0 - BEGIN.0) as f64 / SECOND as f64;
    let name = |id| spans.iter().find(|span| Some(span.id) == id).map_or("nothing", |span| span.name);
    let line = |span: &Span| {
        let error = span.error.map(|error| format!(" !{error}")).unwrap_or_default();
        let (from, to) = (seconds(span.start), seconds(span.end));
        format!("{} in {} {from}..{to}{error}", span.name, name(span.parent))
    };
    spans.iter().map(line).collect()
}

fn attribute<'a>(spans: &'a [Span], name: &str, key: &str) -> Option<&'a SpanValue> {
    let span = spans.iter().find(|span| span.name == name)?;
    span.attributes.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
}

fn ready(source: VoiceSource) -> Event {
    let job = (source == VoiceSource::Clone).then_some(JOB);
    Event::VoiceReady { voice: VoiceId::new("v"), job, source, took: Duration::from_secs(2) }
}

fn missing(why: NoVoice) -> Event {
    Event::VoiceMissing { why, job: None }
}

fn conversation(name: &str) -> Option<ConversationId> {
    Some(ConversationId::new(name))
}

/// A caller on the bridge, greeted, with the agent of attempt 1 connected.
fn bridged() -> Log {
    Log::of(Route::Bridge)
        .then(Event::LegConnected)
        .then(Event::GreetingStarted { conversation: None })
        .then(Event::SoundStarted)
        .then(ready(VoiceSource::Cache))
        .then(Event::HandoffSucceeded { attempt: 1, conversation: conversation("conv_1") })
        .then(Event::GreetingEnded { end: GreetingEnd::Played })
        .then(Event::AgentSpoke { attempt: 1 })
}

#[test]
fn a_bridged_call_has_a_greeting_a_clone_a_handoff_and_a_conversation() {
    let said = Event::Utterance { number: 1, by: Speaker::Caller, corrects: None };
    let log = bridged().then(said).then(Event::AgentEnded { attempt: 1 });
    let spans = log.spans();
    assert_eq!(
        told(&spans),
        [
            "call in nothing 0..9",
            "clone in call 0..4",
            "greeting in call 1..6",
            "handoff in call 4..5",
            "conversation in call 6..9",
        ]
    );
    assert_eq!(attribute(&spans, "conversation", "gen_ai.conversation.id"), Some(&"conv_1".into()));
    assert_eq!(attribute(&spans, "handoff", "precall.rung"), Some(&"bridge_cloned".into()));
    assert_eq!(attribute(&spans, "clone", "precall.voice.source"), Some(&"cache".into()));
    for (key, value) in [
        ("precall.call.id", CALL.to_string()),
        ("precall.line", "reception".to_owned()),
        ("precall.route", "bridge".to_owned()),
        ("precall.cause", "agent_ended".to_owned()),
        ("precall.told", "goodbye".to_owned()),
    ] {
        assert_eq!(attribute(&spans, "call", key), Some(&SpanValue::Text(value)), "{key}");
    }
    let events: Vec<&str> = spans.iter().flat_map(|span| &span.events).map(|event| event.name).collect();
    assert_eq!(events, ["leg_connected", "greeting_started", "sound_started", "agent_spoke", "agent_ended"]);
}

#[test]
fn a_call_back_has_two_dials_and_the_steps_of_its_clone() {
    let log = Log::of(Route::Callback)
        .then(Event::GreetingStarted { conversation: conversation("conv_g") })
        .then(ready(VoiceSource::Clone))
        .then(Event::GreetingEnded { end: GreetingEnd::Played })
        .then(Event::HandoffSucceeded { attempt: 1, conversation: conversation("conv_a") })
        .then(Event::PbxCallEnded { duration: None })
        .then(Event::OperatorAsked { request: Request::HangUp, by: None });
    let at = |tenths: i64| At(BEGIN.0 + tenths * SECOND / 10);
    let end = CloneEnd { at: at(18), took: Some(Duration::from_millis(1_300)), failed: None };
    let spans = log.spans_with(CloneSteps { requested: Some(at(3)), end: Some(end) });
    assert_eq!(
        told(&spans),
        [
            "call in nothing 0..6",
            "clone in call 0..2",
            "greeting in call 0..3",
            "dial in greeting 0..1",
            "clone queue in clone 0..0.5",
            "clone upload in clone 0.5..1.8",
            "clone ready in clone 1.8..2",
            "handoff in call 3..4",
            "dial in handoff 3..4",
            "conversation in call 4..6",
        ]
    );
    assert_eq!(attribute(&spans, "dial", "gen_ai.conversation.id"), Some(&"conv_g".into()));
    assert_eq!(attribute(&spans, "clone", "precall.clone.job"), Some(&JOB.to_string().into()));
    let upload = spans.iter().find(|span| span.name == "clone upload").unwrap();
    assert_eq!(upload.id, span_id(CALL, TracedPart::CloneUpload(JOB)), "the request says this id");
}

#[test]
fn a_clone_that_another_call_began_earlier_has_no_queue() {
    let log = Log::of(Route::Bridge).then(Event::LegConnected).then(ready(VoiceSource::Clone)).gone();
    let at = |tenths: i64| At(BEGIN.0 + tenths * SECOND / 10);
    let end = CloneEnd { at: at(5), took: Some(Duration::from_secs(3)), failed: None };
    let spans = log.spans_with(CloneSteps { requested: Some(at(-30)), end: Some(end) });
    let steps: Vec<String> = told(&spans).into_iter().filter(|line| line.contains("in clone")).collect();
    assert_eq!(steps, ["clone upload in clone -2.5..0.5", "clone ready in clone 0.5..2"]);
    // Without the job's log there is the wait alone.
    assert!(!told(&log.spans()).iter().any(|line| line.contains("upload")));
}

#[test]
fn failed_attempts_and_a_lost_agent_are_errors_with_their_reason() {
    let log = bridged()
        .then(Event::AgentLost { attempt: 1, why: AgentLoss::Stalled })
        .then(Event::HandoffFailed { attempt: 2, why: HandoffFailure::Refused })
        .then(Event::HandoffFailed { attempt: 3, why: HandoffFailure::Unknown });
    let log = if log.call.is_released() { log } else { log.gone() };
    let spans = log.spans();
    let lines = told(&spans);
    assert!(lines.contains(&"conversation in call 6..8 !stalled".to_owned()), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("handoff in call 8..9 !refused")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.ends_with("!unknown")), "{lines:#?}");
}

#[test]
fn a_person_who_is_not_reached_leaves_the_conversation_whole() {
    let log = bridged()
        .then(Event::PersonAsked { number: 1, person: Person::Fallback })
        .then(Event::HandoffFailed { attempt: 2, why: HandoffFailure::Busy })
        .then(Event::AgentEnded { attempt: 1 });
    let lines = told(&log.spans());
    assert!(lines.contains(&"conversation in call 6..10".to_owned()), "{lines:#?}");
    assert!(lines.contains(&"transfer in call 8..9 !busy".to_owned()), "{lines:#?}");
}

#[test]
fn only_a_fault_of_a_system_makes_the_call_an_error() {
    let refused = |cause| {
        Log::offered(Offer { policy: Arc::new(policy(Route::Bridge)), admission: Admission::Refused(cause) })
    };
    let hung_up = Log::of(Route::Bridge).then(Event::LegConnected).gone();
    let busy = Log::of(Route::Callback).then(Event::GreetingEnded { end: GreetingEnd::NoAnswer });
    let stopped = Log::of(Route::Bridge).then(Event::OperatorAsked { request: Request::HangUp, by: None });
    for log in [hung_up, busy, stopped] {
        assert_eq!(log.spans()[0].error, None, "{:?}", log.call.release());
    }
    let full = refused(Cause::AtCapacity);
    assert_eq!(told(&full.spans()), ["call in nothing 0..0 !at_capacity"]);
}

#[test]
fn a_missing_voice_is_an_error_only_if_something_failed() {
    for (why, error) in [
        (NoVoice::NoMapping, ""),
        (NoVoice::NoConsent, ""),
        (NoVoice::CloneFailed, " !clone_failed"),
        (NoVoice::NoSlot, " !no_slot"),
    ] {
        let log = Log::of(Route::Bridge).then(Event::LegConnected).then(missing(why)).gone();
        let spans = log.spans();
        assert!(told(&spans).contains(&format!("clone in call 0..2{error}")), "{:#?}", told(&spans));
        assert_eq!(attribute(&spans, "clone", "precall.voice.missing"), Some(&why.name().into()));
    }
}

#[test]
fn spans_have_the_ids_that_requests_said_and_each_once() {
    let spans = bridged().then(Event::AgentEnded { attempt: 1 }).spans();
    assert!(spans.iter().all(|span| span.trace == trace_id(CALL)));
    let ids: HashSet<_> = spans.iter().map(|span| span.id).collect();
    assert_eq!(ids.len(), spans.len());
    assert_eq!(spans[0].id, span_id(CALL, TracedPart::Call));
    let handoff = spans.iter().find(|span| span.name == "handoff").unwrap();
    assert_eq!(handoff.id, span_id(CALL, TracedPart::Handoff(1)));
}

#[test]
fn many_events_are_counted_and_not_kept() {
    let mut log = Log::of(Route::Bridge).then(Event::LegConnected);
    for ordinal in 1..=100 {
        // A second panic within a minute ends the call.
        let at = At(log.events.last().unwrap().1.0 + 100 * SECOND);
        log.take(Event::Panicked { part: CallPart::CloneWorker, ordinal }, at);
        if log.call.is_released() {
            break;
        }
    }
    let log = if log.call.is_released() { log } else { log.gone() };
    let root = &log.spans()[0];
    assert!(root.events.len() <= 64);
    let seen = log.events.len() - 1;
    assert!(seen < 64 || root.events_dropped > 0, "{seen} events, {} dropped", root.events_dropped);
}

#[test]
fn a_live_call_and_a_broken_log_have_no_spans() {
    let live = bridged();
    assert_eq!(call_spans(CALL, &live.events, &HashMap::new()), None);
    assert_eq!(call_spans(CALL, &live.events[1..], &HashMap::new()), None);
    assert_eq!(call_spans(CALL, &[], &HashMap::new()), None);
}

#[test]
fn the_jobs_of_a_log_are_named_once() {
    let log = Log::of(Route::Bridge).then(Event::LegConnected).then(ready(VoiceSource::Clone));
    let twice: Vec<_> = log.events.iter().chain(&log.events).cloned().collect();
    assert_eq!(clone_jobs(&twice), [JOB]);
}
