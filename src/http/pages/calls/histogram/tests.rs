//! Tests of the histogram.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn spanned(since: Option<&str>, until: Option<&str>) -> Option<(String, String, i64)> {
    let filter = CallFilter { since: since.map(at), until: until.map(at), ..CallFilter::default() };
    let span = span(&filter, at("2026-03-01T12:34:56Z"))?;
    Some((span.since.to_string(), span.until.to_string(), span.width_seconds))
}

#[test]
fn bars_begin_at_whole_units_and_are_few() {
    let of = |since: &str, until: &str, width| Some((since.to_owned(), until.to_owned(), width));
    for (since, until, expected) in [
        (None, None, of("2026-02-28T12:00:00Z", "2026-03-01T12:34:56Z", 3_600)),
        (Some("2026-03-01T11:34:56Z"), None, of("2026-03-01T11:34:00Z", "2026-03-01T12:34:56Z", 60)),
        (Some("2026-03-01T09:01:00Z"), None, of("2026-03-01T09:00:00Z", "2026-03-01T12:34:56Z", 300)),
        (Some("2026-02-01T00:00:00Z"), None, of("2026-02-01T00:00:00Z", "2026-03-01T12:34:56Z", 86_400)),
        (None, Some("2026-01-31T00:00:00Z"), of("2026-01-30T00:00:00Z", "2026-01-31T00:00:00Z", 3_600)),
        (Some("1999-01-01T00:00:00Z"), None, of("2025-11-29T00:00:00Z", "2026-03-01T12:34:56Z", 86_400)),
        (Some("2026-03-01T12:34:56Z"), None, None),
        (Some("2026-02-01T00:00:00Z"), Some("2026-01-01T00:00:00Z"), None),
    ] {
        assert_eq!(spanned(since, until), expected, "{since:?} {until:?}");
        let filter = CallFilter { since: since.map(at), until: until.map(at), ..CallFilter::default() };
        let span = span(&filter, at("2026-03-01T12:34:56Z"));
        assert!(span.is_none_or(|span| bars(&span, &[]).len() <= 97));
    }
}

#[test]
fn every_bar_has_its_calls_and_its_link() {
    let span =
        Span { since: at("2026-03-01T00:00:00Z"), until: at("2026-03-01T02:30:00Z"), width_seconds: 3_600 };
    let bins = [
        Bin { since: at("2026-03-01T00:00:00Z"), completed: 96, ..Bin::default() },
        Bin { since: at("2026-03-01T02:00:00Z"), completed: 1, to_person: 2, failed: 45, live: 0 },
    ];
    let all = bars(&span, &bins);
    assert_eq!(all.iter().map(|bar| sum(&bar.bin)).collect::<Vec<_>>(), [96, 0, 48]);
    let drawn = drawing(&Asked::parse("line=a").unwrap(), &span, &bins).into_string();
    assert!(drawn.contains("2026-03-01 02:00 UTC: 1 completed, 2 to a person, 45 failed"), "{drawn}");
    let link = "/calls?line=a&amp;since=2026-03-01T02%3A00%3A00Z&amp;until=2026-03-01T03%3A00%3A00Z";
    assert_eq!(drawn.matches(link).count(), 2, "{drawn}");
    for rect in [
        "<rect class=\"h-completed\" x=\"1\" y=\"0\" width=\"8\" height=\"96\"></rect>",
        "<rect class=\"h-failed\" x=\"21\" y=\"51\" width=\"8\" height=\"45\"></rect>",
        "<rect class=\"h-hatched\" fill=\"url(#hatch)\" x=\"21\" y=\"49\" width=\"8\" height=\"2\"></rect>",
        "<rect class=\"h-completed\" x=\"21\" y=\"48\" width=\"8\" height=\"1\"></rect>",
    ] {
        assert!(drawn.contains(rect), "{rect} in {drawn}");
    }
}
