//! Tests of the filters in the URL.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use super::*;

#[test]
fn filters_are_read_and_empty_ones_left_out() {
    let asked = Asked::parse("line=support&cause=&caller_id=%2B3161&cursor=abc").unwrap();
    assert_eq!((asked.get("line"), asked.get("cause")), (Some("support"), None));
    assert_eq!(asked.get("caller_id"), Some("+3161"));
    assert_eq!(asked.names(), ["line", "caller_id"]);
    for (query, words) in [
        ("colour=red", "a filter is not known here: there are since,"),
        ("line=a&line=b", "`line` is given twice"),
        ("line=%00", "`line` must have at most 256"),
        (&format!("pbx={}", "x".repeat(257)), "`pbx` must have at most 256"),
    ] {
        let problem = Asked::parse(query).unwrap_err();
        assert!(problem.detail.starts_with(words), "{query}: {}", problem.detail);
        assert!(!problem.detail.contains("colour"), "what was sent may be personal");
    }
}

#[test]
fn links_keep_the_filters_and_begin_at_the_first_page() {
    let asked = Asked::parse("line=a+b&cursor=abc&since=-1h").unwrap();
    assert_eq!(asked.link("/calls", &[]), "/calls?line=a+b&since=-1h");
    assert_eq!(
        asked.link("/calls", &[("since", None), ("status", Some("failed"))]),
        "/calls?line=a+b&status=failed"
    );
    assert_eq!(asked.link("/calls", &[("cursor", Some("next"))]), "/calls?line=a+b&since=-1h&cursor=next");
    assert_eq!(Asked::default().link("/calls", &[]), "/calls");
}

#[test]
fn times_are_relative_or_in_utc() {
    let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    for (text, expected) in [
        ("-1h", "2026-03-01T11:00:00Z"),
        ("-90m", "2026-03-01T10:30:00Z"),
        ("-7d", "2026-02-22T12:00:00Z"),
        ("-0s", "2026-03-01T12:00:00Z"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("2026-01-31T12:00:00+01:00", "2026-01-31T11:00:00Z"),
        ("2026-01-31T12:00", "2026-01-31T12:00:00Z"),
        ("2026-01-31 12:00", "2026-01-31T12:00:00Z"),
        ("2026-01-31", "2026-01-31T00:00:00Z"),
    ] {
        assert_eq!(moment("since", text, now).unwrap().to_string(), expected, "{text}");
    }
    for text in
        ["1h", "-h", "-1y", "--1h", "-9223372036854775807w", "-99999999999d", "yesterday", "2026-13-01", "-"]
    {
        assert!(moment("since", text, now).is_err(), "{text}");
    }
}
