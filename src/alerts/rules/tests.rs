//! Each rule fires at what it names, and not before; its name and its runbook are those of the documents.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

use std::collections::BTreeMap;
use std::path::Path;

use precall_call::At;

use super::{RULES, Rule, Seen, Trouble, rule};
use crate::alerts::samples::Samples;

/// Rules that look at `/health`: Prometheus sees its metrics alone.
const OF_HEALTH: [&str; 2] = ["PrecallTakesNoCalls", "PrecallNeedsAPerson"];
/// A program that is gone sends nothing.
const OF_PROMETHEUS: [&str; 1] = ["PrecallGone"];

fn file(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// What alerts.yml says of each alert: `for`, severity, runbook, summary.
fn of_prometheus() -> BTreeMap<String, (String, String, String, String)> {
    let text = file("deploy/prometheus/alerts.yml");
    let alerts = text.split("- alert: ").skip(1);
    alerts
        .map(|alert| {
            let field = |name: &str| {
                let line = alert.lines().find_map(|line| line.trim().strip_prefix(name));
                line.unwrap_or_default().trim().to_owned()
            };
            let severity = field("labels: {severity:").trim_end_matches('}').to_owned();
            let name = alert.lines().next().unwrap_or_default().trim().to_owned();
            (name, (field("for:"), severity, field("runbook:"), field("summary:")))
        })
        .collect()
}

#[test]
fn the_rules_are_those_of_prometheus() {
    let known = of_prometheus();
    assert!(known.len() > 15, "{known:?}");
    for rule in RULES.iter().filter(|rule| !OF_HEALTH.contains(&rule.name)) {
        let Some((minutes, severity, runbook, summary)) = known.get(rule.name) else {
            panic!("{} is not in deploy/prometheus/alerts.yml", rule.name)
        };
        let wanted = match rule.minutes {
            0 => String::new(),
            n if n % 60 == 0 => format!("{}h", n / 60),
            n => format!("{n}m"),
        };
        assert_eq!((minutes, severity.as_str()), (&wanted, rule.severity.name()), "{}", rule.name);
        assert_eq!((runbook, summary.as_str()), (&rule.runbook(), rule.summary), "{}", rule.name);
    }
    let ours: Vec<&str> = RULES.iter().map(|rule| rule.name).chain(OF_PROMETHEUS).collect();
    let missing: Vec<&String> = known.keys().filter(|name| !ours.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "rules of Prometheus that are not here: {missing:?}");
}

#[test]
fn every_rule_has_its_section_in_the_book() {
    let book = file("docs/OPERATIONS.md");
    let anchor = |heading: &str| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    let headings: Vec<String> =
        book.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').map(anchor)).collect();
    for rule in &RULES {
        assert!(headings.iter().any(|heading| heading == rule.section), "{}: {}", rule.name, rule.section);
    }
    let mut names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), RULES.len(), "each name once");
}

/// What a rule says of these pages, one a minute.
fn says(name: &str, pages: &[&str], not_ready: Option<&str>, troubles: &[Trouble]) -> Option<String> {
    let mut samples = Samples::default();
    for (n, page) in (0_i64..).zip(pages) {
        samples.read(page, At(n * 60_000_000));
    }
    let Rule { fires, .. } = rule(name).unwrap();
    fires(&Seen { samples: &samples, not_ready, troubles })
}

fn trouble(area: &'static str, words: &str) -> Trouble {
    Trouble { area, words: words.to_owned(), remedy: "Repair it." }
}

#[test]
fn each_rule_of_metrics_fires_at_what_it_names_and_not_before() {
    let calls = |failed: u32, good: u32| {
        format!(
            "precall_released_calls_total{{route=\"bridge\",cause=\"no_leg\",blame=\"pbx\"}} {failed}\n\
             precall_released_calls_total{{route=\"bridge\",cause=\"budget\",blame=\"precall\"}} 1\n\
             precall_released_calls_total{{route=\"bridge\",cause=\"completed\",blame=\"none\"}} {good}\n"
        )
    };
    let sound = |late: u32| {
        let bucket = "precall_time_to_first_sound_seconds_bucket";
        format!(
            "{bucket}{{le=\"1.0\"}} {}\n{bucket}{{le=\"5.0\"}} 100\n{bucket}{{le=\"+Inf\"}} 100\n",
            100 - late
        )
    };
    // As late as is told, of ten answers.
    let answers = |share: &str, late: u32| {
        let name = "precall_turn_seconds";
        format!(
            "{name}_bucket{{share=\"{share}\",le=\"2.5\"}} {}\n{name}_bucket{{share=\"{share}\",le=\"5.0\"}} 10\n\
             {name}_bucket{{share=\"{share}\",le=\"+Inf\"}} 10\n{name}_count{{share=\"{share}\"}} 10\n",
            10 - late
        )
    };
    let counter = |name: &str, labels: &str, n: u32| format!("{name}{{{labels}}} {n}\n");
    let plain = |name: &str, value: &str| format!("{name} {value}\n");
    let reachable =
        |service: &str, value: &str| format!("precall_reachable_services{{service=\"{service}\"}} {value}\n");
    let webhooks =
        |n| counter("precall_answered_webhooks_total", "webhook=\"3cx\",outcome=\"signature_wrong\"", n);
    let keys = |n| counter("precall_refused_api_requests_total", "outcome=\"unauthenticated\"", n);
    let canary = |n| counter("precall_canary_failed_in_a_row_runs", "route=\"bridge\"", n);
    let slots = |n| counter("precall_voice_missing_calls_total", "reason=\"no_slot\"", n);
    let cases = [
        ("PrecallCallersFail", calls(3, 10), calls(2, 0)),
        ("PrecallCallersFail", calls(30, 40), calls(20, 80)),
        ("PrecallCanaryFails", canary(2), canary(1)),
        ("PrecallPbxAway", reachable("threecx", "0"), reachable("threecx", "1")),
        ("PrecallProviderAway", reachable("elevenlabs", "0"), reachable("threecx", "0")),
        ("PrecallDatabaseAway", reachable("database", "0"), reachable("database", "1")),
        ("PrecallLateSound", sound(20), sound(1)),
        ("PrecallLateAnswers", answers("provider", 3), answers("provider", 1)),
        ("PrecallLateAnswers", answers("precall", 3), answers("provider", 3).replace(" 10\n", " 9\n")),
        ("PrecallSpoolFills", plain("precall_spool_left_days", "0.2"), plain("precall_spool_left_days", "9")),
        (
            "PrecallSpoolDiskSmall",
            plain("precall_spool_free_bytes", "9e8"),
            plain("precall_spool_free_bytes", "2e9"),
        ),
        ("PrecallEventsWait", plain("precall_queued_events", "1001"), plain("precall_queued_events", "1000")),
        (
            "PrecallDatabaseFills",
            plain("precall_database_left_days", "13"),
            plain("precall_database_left_days", "+Inf"),
        ),
        (
            "PrecallAgentsLost",
            plain("precall_lost_agents_total", "3"),
            plain("precall_lost_agents_total", "2"),
        ),
        (
            "PrecallStreamsSilent",
            counter("precall_silent_streams_total", "stream=\"from_caller\"", 3),
            counter("precall_silent_streams_total", "stream=\"from_caller\"", 2),
        ),
        ("PrecallPanicked", counter("precall_panicked_jobs_total", "job=\"call\"", 1), String::new()),
        ("PrecallNoVoiceSlots", slots(1), slots(0)),
        (
            "PrecallBudgetNearlyUsed",
            "precall_budget_used_ratio{budget=\"clones_per_day\"} 0.81\n".to_owned(),
            "precall_budget_used_ratio{budget=\"clones_per_day\"} 0.8\n".to_owned(),
        ),
        ("PrecallWebhooksRefused", webhooks(3), webhooks(2)),
        ("PrecallKeysGuessed", keys(61), keys(60)),
        (
            "PrecallPinsGuessed",
            plain("precall_refused_pins_total", "21"),
            plain("precall_refused_pins_total", "20"),
        ),
        (
            "PrecallBypassForgotten",
            plain("precall_bypassed_lines", "1"),
            plain("precall_bypassed_lines", "0"),
        ),
    ];
    for (name, bad, good) in &cases {
        let (fires, is_silent) = (says(name, &["", bad], None, &[]), says(name, &["", good], None, &[]));
        assert!(fires.is_some(), "{name} does not fire");
        assert_eq!(is_silent, None, "{name} fires too early");
        assert_eq!(says(name, &["", ""], None, &[]), None, "{name} fires without metrics");
    }
    let tested: Vec<&str> = cases.iter().map(|(name, ..)| *name).chain(OF_HEALTH).collect();
    for rule in &RULES {
        assert!(tested.contains(&rule.name), "{} has no case", rule.name);
    }
}

#[test]
fn a_fault_that_lies_outside_the_window_is_forgotten() {
    let failed = "precall_panicked_jobs_total{job=\"call\"} 1\n";
    assert!(says("PrecallPanicked", &["", failed], None, &[]).is_some());
    let long: Vec<&str> = std::iter::repeat_n(failed, 70).collect();
    assert_eq!(says("PrecallPanicked", &long, None, &[]), None);
}

#[test]
fn health_is_told_as_well() {
    assert_eq!(says("PrecallTakesNoCalls", &[""], None, &[]), None);
    assert_eq!(
        says("PrecallTakesNoCalls", &[""], Some("the spool is full"), &[]).unwrap(),
        "the spool is full"
    );

    let name = "PrecallNeedsAPerson";
    assert_eq!(says(name, &[""], None, &[]), None);
    let spoken_of = ["bypass", "threecx", "elevenlabs", "alerts"].map(|area| trouble(area, "x"));
    assert_eq!(says(name, &[""], None, &spoken_of), None, "another rule speaks of them");
    let prompts = [trouble("prompts", "the voice is gone"), trouble("host", "few open files")];
    assert_eq!(
        says(name, &[""], None, &prompts).unwrap(),
        "prompts: the voice is gone. Repair it.\nhost: few open files. Repair it."
    );
    let storage = [trouble("storage", "database: away")];
    assert!(says(name, &[""], None, &storage).is_some());
    let away = "precall_reachable_services{service=\"database\"} 0\n";
    assert_eq!(says(name, &[away], None, &storage), None, "PrecallDatabaseAway says it");
    assert_eq!(says("PrecallDatabaseAway", &[away], None, &storage).unwrap(), "database: away");
}
