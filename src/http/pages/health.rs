//! The lights, what needs a person, and the capacity, as the pages show them.

use maud::{Markup, html};

use super::parts::{self, Tone};
use crate::http::status::capacity::MeasureAnswer;
use crate::http::status::health::HealthAnswer;

/// One light a part: a word, a shape and a colour.
pub(super) fn lights(health: &HealthAnswer) -> Markup {
    let tone = |state: &str| match state {
        "ok" => Tone::Good,
        "none" | "not_configured" | "unknown" => Tone::Quiet,
        "waiting" | "connecting" | "degraded" => Tone::Warn,
        _ => Tone::Bad,
    };
    let precall = match (health.draining, health.standby) {
        (true, _) => "draining",
        (_, true) => "standby",
        _ => health.status,
    };
    let all = [
        ("precall", precall, tone(health.status)),
        ("database", health.database, tone(health.database)),
        ("spool", if health.spool == "ok" { "empty" } else { health.spool }, tone(health.spool)),
        ("3CX", health.threecx, tone(health.threecx)),
        ("ElevenLabs", health.elevenlabs, tone(health.elevenlabs)),
    ];
    html! {
        div #lights .lights role="group" aria-label="Health" {
            @for (name, state, tone) in all { (parts::light(name, tone, &parts::words(state))) }
        }
    }
}

/// Everything that needs a person, in words, with what to do.
pub(super) fn problems(health: &HealthAnswer) -> Markup {
    let problems = health.problems.as_deref().unwrap_or_default();
    html! {
        div #problems aria-live="polite" {
            @for problem in problems {
                p .problem data-area=(problem.area) {
                    b { (parts::words(problem.area)) }
                    @if let Some(since) = problem.since { " since " (parts::time(since)) }
                    ": " (problem.words)
                    @if problem.failed > 0 {
                        " (" (problem.failed) " failed, " (problem.succeeded) " succeeded in the last ten minutes)"
                    }
                    @if !problem.remedy.is_empty() { " " span .remedy { (problem.remedy) } }
                    @if let Some(call) = &problem.call { " " a href={ "/calls/" (call) } { "last call" } }
                }
            }
        }
    }
}

/// Use of what is limited, in the administrator's units, with the age of each figure that is not our own.
pub(super) fn capacity(health: &HealthAnswer) -> Markup {
    let Some(capacity) = &health.capacity else { return html! {} };
    let all = [
        ("calls", &capacity.live_calls),
        ("agent conversations", &capacity.agents),
        ("voice slots", &capacity.voice_slots),
        ("voice edits", &capacity.voice_edits),
        ("PBX calls", &capacity.threecx_calls),
    ];
    html! {
        ul #capacity .counters .quiet aria-label="Capacity" {
            @for (name, measure) in all {
                @if measure.used.is_some() || measure.limit.is_some() {
                    li class=[measure.short.then_some("warn")] { (name) " " (measured(measure)) }
                }
            }
        }
    }
}

fn measured(measure: &MeasureAnswer) -> Markup {
    let number = |number: Option<u64>, unknown: &str| {
        number.map_or_else(|| unknown.to_owned(), |number| number.to_string())
    };
    html! {
        span .figure { (number(measure.used, "?")) " / " (number(measure.limit, "no limit")) }
        @if measure.short { " (less than configured)" }
        @if let Some(age) = measure.age_seconds {
            " (age " (parts::age(i64::try_from(age).unwrap_or(i64::MAX))) ")"
        }
    }
}
