//! Tests of metrics: what each event counts, and that every metric has a unit and a help text.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]
use std::sync::Arc;
use std::time::Duration;

use precall_call::{
    Admission, At, AudioHeard, Call, CallPart, Cause, Event, GreetingEnd, HandoffFailure, LineId, NoVoice,
    Offer, Policy, Request, Route, Rung, Silence, VoiceId, VoiceSource, VoiceWait, open, step,
};

use precall_providers::request_watch::{Endpoint, RequestEnd};

use super::{Metrics, TraceEnd, Webhook};
use crate::api::{CapacityHealth, Health, SpoolHealth};
use crate::durability::leadership::EngineRole;
use crate::observe::canary_calls::CanaryStep;

fn health() -> Health {
    Health {
        database: Some(true),
        database_reached: true,
        database_obstacle: None,
        elevenlabs: None,
        spool: SpoolHealth::Waiting,
        spooled_bytes: 4096,
        spool_max_bytes: Some(1 << 20),
        spool_free_bytes: Some(5000),
        can_keep: true,
        queued_events: 3,
        live_calls: 7,
        draining: false,
        role: EngineRole::Acting(1),
        acts: true,
        threecx: None,
        prompt_problems: Vec::new(),
        problems: Vec::new(),
        bypasses: 2,
        budgets: Vec::new(),
        capacity: CapacityHealth::default(),
        heartbeat_age: Duration::ZERO,
        mailboxes: vec![("supervisor", Duration::from_millis(250))],
        restarts: vec![("CallActor", 2)],
    }
}

fn offer(admission: Admission) -> Offer {
    let long = Duration::from_secs(60);
    let policy = Policy {
        line_version: None,
        route: Route::Callback,
        line: LineId::new("default"),
        fallback_voice: None,
        voice_wait: VoiceWait::Hold,
        auto_transition: true,
        has_bridge: false,
        notice: None,
        has_transfer: false,
        has_destination: false,
        persons: [].into(),
        ends_with_pbx_call: true,
        skip_key: None,
        person_key: None,
        proof: precall_call::Proof::None,
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
    };
    Offer { policy: Arc::new(policy), admission }
}

fn play(metrics: &Metrics, events: &[Event]) -> Call {
    let offer = offer(Admission::Accepted);
    let mut now = At(1_000_000);
    let mut call = open(&offer, now).next;
    metrics.observe(None, &Event::Offered(offer), &call);
    for event in events {
        now = now.plus(Duration::from_millis(250));
        let next = step(&call, event, now).next;
        metrics.observe(Some(&call), event, &next);
        call = next;
    }
    call
}

fn has(page: &str, line: &str) {
    assert!(page.lines().any(|found| found == line), "no line {line:?} in\n{page}");
}

#[test]
fn a_call_is_counted_from_offer_to_end() {
    let metrics = Metrics::new();
    let call = play(
        &metrics,
        &[
            Event::GreetingDialled,
            Event::GreetingStarted { conversation: None },
            Event::VoiceMissing { why: NoVoice::CloneTimeout, job: None },
            Event::Panicked { part: CallPart::Greeting, ordinal: 1 },
            Event::GreetingEnded { end: GreetingEnd::Played },
            Event::HandoffStarted { attempt: 1, rung: Rung::CallbackFallback },
            Event::HandoffFailed { attempt: 1, why: HandoffFailure::Busy },
        ],
    );
    assert!(call.is_released(), "{:?}", call.phase);
    let page = metrics.encode(&health()).unwrap();
    has(&page, "precall_offered_calls_total{route=\"callback\"} 1");
    has(&page, "precall_released_calls_total{route=\"callback\",cause=\"busy\",blame=\"caller\"} 1");
    has(&page, "precall_time_to_greeting_seconds_sum{route=\"callback\"} 0.5");
    has(&page, "precall_voice_missing_calls_total{reason=\"clone_timeout\"} 1");
    has(&page, "precall_panicked_jobs_total{job=\"greeting\"} 1");
    has(&page, "precall_failed_handoff_attempts_total{rung=\"callback_fallback\",why=\"busy\"} 1");
    has(&page, "precall_entered_phases_total{phase=\"greeting\"} 1");
    has(&page, "precall_call_duration_seconds_count{route=\"callback\"} 1");
}

#[test]
fn only_the_increase_of_silence_and_dropped_audio_counts() {
    let metrics = Metrics::new();
    let heard = |seconds: u64| AudioHeard {
        agents_turn: Silence { longest: Duration::from_secs(1), total: Duration::from_secs(seconds) },
        dropped_to_agent: Duration::from_millis(500 * seconds),
        ..AudioHeard::default()
    };
    let mut call = open(&offer(Admission::Accepted), At(0)).next;
    for seconds in [2, 3, 3] {
        let next = Call { audio: Some(heard(seconds)), ..call.clone() };
        metrics.observe(Some(&call), &Event::AudioEnded(heard(seconds)), &next);
        call = next;
    }
    let page = metrics.encode(&health()).unwrap();
    has(&page, "precall_silence_seconds_total{turn=\"agent\"} 3.0");
    has(&page, "precall_dropped_audio_seconds_total{to=\"agent\"} 1.5");
    assert!(!page.contains("turn=\"caller\""), "{page}");
}

#[test]
fn a_refused_call_is_offered_and_released_at_once() {
    let metrics = Metrics::new();
    let offer = offer(Admission::Refused(Cause::Loop));
    let call = open(&offer, At(5)).next;
    metrics.observe(None, &Event::Offered(offer), &call);
    let page = metrics.encode(&health()).unwrap();
    has(&page, "precall_offered_calls_total{route=\"callback\"} 1");
    assert!(page.contains("cause=\"loop\""), "{page}");
}

#[test]
fn an_event_that_changes_nothing_is_not_counted() {
    let metrics = Metrics::new();
    play(&metrics, &[Event::GreetingDialled, Event::GreetingDialled, Event::GreetingDialled]);
    has(&metrics.encode(&health()).unwrap(), "precall_entered_phases_total{phase=\"greeting\"} 1");
}

#[test]
fn gauges_and_webhooks_are_exported() {
    let metrics = Metrics::new();
    metrics.webhook(Webhook::ThreeCx, "duplicate", Duration::from_millis(2));
    let page = metrics.encode(&health()).unwrap();
    has(&page, "precall_live_calls 7");
    has(&page, "precall_bypassed_lines 2");
    has(&page, "precall_queued_events 3");
    has(&page, "precall_spooled_bytes 4096");
    has(&page, "precall_spool_free_bytes{} 5000");
    has(&page, "precall_reachable_services{service=\"database\"} 1");
    assert!(!page.contains("service=\"elevenlabs\""), "unknown before the first exchange");
    has(&page, "precall_answered_webhooks_total{webhook=\"3cx\",outcome=\"duplicate\"} 1");
    assert!(page.ends_with("# EOF\n"));
}

/// The series of a page. How long the spool lasts is known only once it has grown for a while.
fn series(page: &str) -> usize {
    let counts = |line: &&str| !line.starts_with('#') && !line.starts_with("precall_spool_left_days");
    page.lines().filter(counts).count()
}

#[test]
fn the_number_of_a_line_is_masked() {
    let metrics = Metrics::new();
    let Offer { policy, .. } = offer(Admission::Accepted);
    let policy = Policy { line: LineId::new("+493012345678"), ..policy.as_ref().clone() };
    let offer = Offer { policy: Arc::new(policy), admission: Admission::Refused(Cause::Loop) };
    metrics.lines.know("default", std::iter::once("+493012345678"));
    metrics.lines.observe("default", None, &open(&offer, At(5)).next);
    let page = metrics.encode(&health()).unwrap();
    has(&page, "precall_ended_calls_total{line=\"+49*****678\",pbx=\"default\",outcome=\"refused\"} 1");
}

#[test]
fn hostile_values_make_a_bounded_number_of_series() {
    let metrics = Metrics::new();
    let names: Vec<String> = (0..5_000).map(|n| format!("+4930{n}\"}} 1\n")).collect();
    // More lines and PBXs than have a series of their own, and calls of lines that were never configured.
    for name in &names {
        metrics.lines.know(name, std::iter::once(name.as_str()));
    }
    let call = |line: &str, cause| {
        let Offer { policy, .. } = offer(Admission::Accepted);
        let policy = Policy { line: LineId::new(line), ..policy.as_ref().clone() };
        open(&Offer { policy: Arc::new(policy), admission: Admission::Refused(cause) }, At(5)).next
    };
    for name in &names {
        for line in [name.as_str(), "never configured"] {
            metrics.lines.observe(name, None, &call(line, Cause::Loop));
        }
    }
    for status in 0..=u16::MAX {
        metrics.process.request(Endpoint::OtherOfElevenLabs, RequestEnd::Status(status), Duration::ZERO);
    }
    let page = metrics.encode(&health()).unwrap();
    // 20 PBXs with a line of the same name, 180 lines of other PBXs, unknown lines of 20 PBXs and of the others: one
    // outcome each. A histogram has a series for each bucket.
    let by_line = page.lines().filter(|line| line.starts_with("precall_ended_calls_total{")).count();
    assert_eq!(by_line, 221);
    assert!(page.contains("line=\"other\",pbx=\"other\""), "{page}");
    let statuses =
        page.lines().filter(|line| line.starts_with("precall_provider_request_seconds_count{")).count();
    assert!(statuses <= 12, "{statuses}");
    assert!(series(&page) < 600, "{} series", series(&page));
    let before = series(&page);
    for name in &names {
        metrics.lines.observe(name, None, &call(name, Cause::AtCapacity));
    }
    assert_eq!(series(&metrics.encode(&health()).unwrap()), before, "the same calls again");
}

#[test]
fn refused_credentials_are_counted_by_where_they_came() {
    let metrics = Metrics::new();
    metrics.api_refused("unauthenticated");
    metrics.api_refused("call_not_found");
    metrics.webhook(Webhook::ThreeCx, "signature_wrong", Duration::ZERO);
    metrics.webhook(Webhook::ThreeCx, "accepted", Duration::ZERO);
    let page = metrics.encode(&health()).unwrap();
    has(&page, "precall_failed_auth_requests_total{door=\"api\"} 1");
    has(&page, "precall_failed_auth_requests_total{door=\"3cx\"} 1");
    has(&page, "precall_restarted_actors_total{actor=\"CallActor\"} 2");
    has(&page, "precall_mailbox_age_seconds{actor=\"supervisor\"} 0.25");
    assert!(page.contains("precall_clock_offset_seconds{clock=\"host\"}"), "{page}");
    // What happened once is not counted again on the next page.
    has(&metrics.encode(&health()).unwrap(), "precall_restarted_actors_total{actor=\"CallActor\"} 2");
}

#[test]
fn a_caller_holds_from_the_end_of_the_greeting_until_an_agent() {
    let metrics = Metrics::new();
    let mut call = open(&offer(Admission::Accepted), At(0)).next;
    for (event, second) in [
        (Event::GreetingDialled, 1),
        (Event::GreetingStarted { conversation: None }, 2),
        (Event::GreetingEnded { end: GreetingEnd::Played }, 5),
        (Event::VoiceMissing { why: NoVoice::CloneTimeout, job: None }, 8),
        (Event::HandoffStarted { attempt: 1, rung: Rung::CallbackFallback }, 8),
        (Event::HandoffSucceeded { attempt: 1, conversation: None }, 9),
        (Event::OperatorAsked { request: Request::HangUp, by: None }, 30),
    ] {
        let next = step(&call, &event, At(second * 1_000_000)).next;
        metrics.lines.observe("default", Some(&call), &next);
        call = next;
    }
    assert!(call.is_released());
    let page = metrics.encode(&health()).unwrap();
    has(&page, "precall_hold_seconds_sum{route=\"callback\"} 4.0");
    has(&page, "precall_hold_seconds_count{route=\"callback\"} 1");
}

#[test]
fn every_metric_has_a_unit_and_a_help_text() {
    let metrics = Metrics::new();
    // A family is empty until one of its members is counted.
    play(
        &metrics,
        &[
            Event::GreetingDialled,
            Event::GreetingStarted { conversation: None },
            Event::Panicked { part: CallPart::Handoff, ordinal: 1 },
            Event::GreetingEnded { end: GreetingEnd::Played },
            Event::VoiceReady {
                voice: VoiceId::new("v"),
                job: None,
                source: VoiceSource::Cache,
                took: Duration::ZERO,
            },
            Event::HandoffStarted { attempt: 1, rung: Rung::CallbackCloned },
            Event::HandoffFailed { attempt: 1, why: HandoffFailure::Refused },
            Event::HandoffStarted { attempt: 2, rung: Rung::CallbackFallback },
            Event::HandoffSucceeded { attempt: 2, conversation: None },
            Event::OperatorAsked { request: Request::HangUp, by: None },
        ],
    );
    play(&metrics, &[Event::VoiceMissing { why: NoVoice::NoMapping, job: None }]);
    metrics.webhook(Webhook::PostCall, "processed", Duration::ZERO);
    metrics.api_refused("unauthenticated");
    metrics.turns.turn(Duration::from_millis(600), Duration::from_millis(40));
    metrics.traces.ended(TraceEnd::Sent, 1);
    metrics.traces.failed("timeout");
    metrics.process.request(Endpoint::AddVoice, RequestEnd::Status(200), Duration::from_secs(4));
    let mut call = open(&offer(Admission::Refused(Cause::Loop)), At(5)).next;
    call.instants.greeting_ended = Some(At(5));
    metrics.lines.observe("default", None, &call);
    metrics.alert_sent("mail", "sent");
    metrics.canary.ended(Route::Bridge, "passed");
    metrics.canary.passed(Route::Bridge, At(5));
    metrics.canary.failed_in_a_row(Route::Bridge, 0);
    metrics.canary.step(CanaryStep::Dial, 1_500);
    let page = metrics.encode(&health()).unwrap();
    let names: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    has(&page, "precall_canary_step_seconds{step=\"dial\"} 1.5");
    assert_eq!(names.len(), 43);
    let book = include_str!("../../../../docs/OPERATIONS.md");
    for name in &names {
        let is_there = ["", "_total"].iter().any(|end| book.contains(&format!("`{name}{end}`")));
        assert!(is_there, "docs/OPERATIONS.md does not know {name}");
    }
    for name in names {
        assert!(page.contains(&format!("# UNIT {name} ")), "{name} has no unit");
        let help = page.lines().find_map(|line| line.strip_prefix(&format!("# HELP {name} ")));
        assert!(help.is_some_and(|help| help.len() > 15 && help.ends_with('.')), "{name}: {help:?}");
    }
}
