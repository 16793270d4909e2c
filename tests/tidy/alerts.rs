//! The alerts for Prometheus and the dashboard for Grafana speak of metrics and of sections that there are. Each alert
//! fires and resolves in a test.

use crate::source::Source;
use crate::tree::{catches, holds, spares, tree};

const ALERTS: &str = "deploy/prometheus/alerts.yml";
const TESTS: &str = "deploy/prometheus/alerts_test.yml";
const DASHBOARD: &str = "deploy/grafana/precall.json";
const BOOK: &str = "docs/OPERATIONS.md";

fn text_of(path: &str) -> &'static str {
    tree().iter().find(|source| source.path == path).map_or("", |source| &source.text)
}

/// The address of a heading within its page, as a browser shows it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn anchors(page: &str) -> Vec<String> {
    page.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').map(anchor)).collect()
}

/// The words that are metrics of precall. A histogram has series with these endings.
fn metrics(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    let plain = |word: &'_ str| {
        ["_bucket", "_count"].iter().find_map(|end| word.strip_suffix(end)).map_or(word.len(), str::len)
    };
    words.filter(|word| word.starts_with("precall_")).map(move |word| &word[..plain(word)])
}

fn objections(line: &str) -> Vec<String> {
    let (book, tests) = (text_of(BOOK), text_of(TESTS));
    let unknown = metrics(line).filter(|name| !book.contains(&format!("`{name}`")));
    let mut objections: Vec<String> = unknown.map(|name| format!("{BOOK} does not know `{name}`")).collect();
    if let Some(runbook) = line.trim().strip_prefix("runbook: ") {
        let is_there = runbook.split_once('#').is_some_and(|(page, section)| {
            page == BOOK && anchors(book).iter().any(|anchor| anchor == section)
        });
        objections.extend((!is_there).then(|| format!("there is no {runbook}")));
    }
    if let Some(name) = line.trim().strip_prefix("- alert: ") {
        let test = tests.split("  - interval:").find(|test| test.contains(&format!("name: {name}\n")));
        let fires = test.is_some_and(|test| test.contains("exp_labels:"));
        let resolves = test.is_some_and(|test| test.contains("exp_alerts: []"));
        objections
            .extend((!fires || !resolves).then(|| format!("{name} does not fire and resolve in {TESTS}")));
    }
    objections
}

#[test]
fn alerts_speak_of_what_there_is() {
    let rule = |source: &Source| {
        let is_meant = source.path == ALERTS || source.path == DASHBOARD;
        let lines = source.text.lines().enumerate().filter(|_| is_meant);
        lines
            .flat_map(|(at, line)| objections(line).into_iter().map(move |what| source.breach(at + 1, &what)))
            .collect()
    };
    assert!(text_of(ALERTS).matches("- alert: ").count() > 10, "{ALERTS} was not read");
    assert!(text_of(DASHBOARD).matches("\"expr\"").count() > 10, "{DASHBOARD} was not read");
    holds(rule);
    catches(rule, DASHBOARD, "     \"expr\": \"sum(precall_sung_songs)\",");
    catches(rule, ALERTS, "        expr: rate(precall_sung_songs_total[5m]) > 1");
    catches(rule, ALERTS, "          runbook: docs/OPERATIONS.md#how-to-sing");
    catches(rule, ALERTS, "      - alert: PrecallSings");
    spares(rule, ALERTS, "        expr: precall_time_to_first_sound_seconds_bucket{le=\"2\"}");
    spares(rule, ALERTS, "          runbook: docs/OPERATIONS.md#the-pbx-is-away");
}

#[test]
fn the_dashboard_can_be_imported() {
    let dashboard: serde_json::Value = serde_json::from_str(text_of(DASHBOARD)).expect("it is JSON");
    let panels = dashboard["panels"].as_array().expect("it has panels");
    let ids: std::collections::BTreeSet<u64> =
        panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let targets = panel["targets"].as_array().expect("a panel asks for something");
        assert!(!targets.is_empty() && targets.iter().all(|target| target["expr"].is_string()), "{panel}");
    }
}
