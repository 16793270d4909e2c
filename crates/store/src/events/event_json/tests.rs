//! The stored events are decoded and encoded as version 1 wrote them.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test that cannot go on should stop.

use std::collections::BTreeSet;

use super::*;

/// One event of every kind as version 1 wrote it. Never changed: precall must stay able to read what it stored.
const FIXTURE_V1: &str = include_str!("../fixtures/events_v1.jsonl");

#[test]
fn every_stored_event_of_version_1_is_decoded_and_encoded_as_it_was() {
    let mut kinds = BTreeSet::new();
    for line in FIXTURE_V1.lines() {
        let stored: Value = serde_json::from_str(line).unwrap();
        let event = decode(&stored).unwrap();
        assert_eq!(encode(&event), stored);
        assert_eq!(kind(&event), stored["kind"]);
        kinds.insert(kind(&event));
    }
    assert_eq!(kinds, KINDS.iter().copied().collect(), "a kind has no fixture");
    assert_eq!(KINDS.len(), 38);
}

#[test]
fn the_error_names_what_cannot_be_decoded() {
    let error = |text: &str| decode(&serde_json::from_str(text).unwrap()).unwrap_err();
    assert_eq!(error(r#"{"v":9,"kind":"leg_gone"}"#), EventJsonError::Version(9));
    assert_eq!(error(r#"{"v":1,"kind":"sung"}"#), EventJsonError::Kind("sung".into()));
    assert_eq!(error("[]"), EventJsonError::Field("v"));
    assert_eq!(error(r#"{"v":1}"#), EventJsonError::Field("kind"));
    let text = |text: &str| error(text).to_string();
    assert_eq!(
        text(r#"{"v":1,"kind":"voice_missing","why":"bored"}"#),
        r#"the event "voice_missing" cannot be decoded: unknown value "bored""#
    );
    assert_eq!(
        text(r#"{"v":1,"kind":"voice_missing"}"#),
        r#"the event "voice_missing" cannot be decoded: missing field `why`"#
    );
}

#[test]
fn an_unknown_name_in_an_optional_field_counts_as_absent() {
    let stored = r#"{"v":1,"kind":"reported","conversation_id":"c","purpose":"chat","grade":"failed",
        "failure":"bored","has_words":false}"#;
    let Event::Reported(report) = decode(&serde_json::from_str(stored).unwrap()).unwrap() else { panic!() };
    assert_eq!((report.purpose, report.failure), (None, None));
}
