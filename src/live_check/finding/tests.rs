//! Tests of finding.

use super::{Findings, Verdict, words};

#[test]
fn a_line_names_value_and_verdict_and_hides_numbers() {
    let mut findings = Findings::default();
    findings.measured("caller", "+491701234567 rang", "a number", true);
    findings.measured("status", 418, "200 or 202", false);
    findings.not_measured("mailbox", "never tried");
    let lines: Vec<String> = findings.into_lines().iter().map(ToString::to_string).collect();
    let expected = [
        ("caller", "+*****567 rang (as the facts expect)"),
        ("status", "418 (differs); expected: 200 or 202"),
        ("mailbox", "never tried (not measured)"),
    ];
    for (line, (name, rest)) in lines.iter().zip(expected) {
        assert_eq!(*line, format!("{name:<38} {rest}"));
    }
    assert_eq!(serde_json::json!(Verdict::AsExpected), "as_expected");
}

#[test]
fn a_body_is_one_short_line() {
    assert_eq!(words(b" \r\n"), "no body");
    assert_eq!(words(b"{\n\"a\":1}"), "`{ \"a\":1}`");
    assert!(words(&[b'x'; 5_000]).len() < 180);
}
