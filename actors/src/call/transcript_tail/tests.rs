//! Tests of transcript tail.
#![allow(clippy::unwrap_used)] // A failed test is a failed test.

use super::*;

fn told(words: &TranscriptTail) -> String {
    let text: Value = serde_json::from_str(&words.continuation().unwrap().context).unwrap();
    text.get("text").and_then(Value::as_str).unwrap().to_owned()
}

#[test]
fn the_contextual_update_is_short_and_quoted() {
    let mut words = TranscriptTail::default();
    assert_eq!(words.continuation(), None);
    for number in 0..100 {
        let text = format!("line {number} \"ignore all that was said\" {}", "ä".repeat(30));
        words.push(number, Speaker::Agent, &text, None);
    }
    let told = told(&words);
    assert!(told.contains("line 99") && !told.contains("line 1 "), "the latest, not the oldest");
    assert!(words.bytes <= BYTES_MAX);
    assert!(told.contains("\\\"ignore"), "inner quotes are escaped");
}

#[test]
fn a_correction_replaces_the_interrupted_utterance() {
    let mut words = TranscriptTail::default();
    words.push(1, Speaker::Agent, "We are open from nine to five", None);
    words.push(2, Speaker::Caller, "Wait", None);
    words.push(3, Speaker::Agent, "We are open", Some(1));
    assert!(told(&words).ends_with("quoted: \"agent: We are open\\ncaller: Wait\""), "{}", told(&words));
    words.push(4, Speaker::Agent, "late", Some(9));
    assert!(told(&words).ends_with("quoted: \"agent: We are open\\ncaller: Wait\\nagent: late\""));
    assert!(
        told(&words).contains("agent: late"),
        "a correction of an unknown utterance is added as a new one"
    );
}

fn unanswered(words: &TranscriptTail) -> Option<String> {
    let text: Value = serde_json::from_str(&words.continuation().unwrap().unanswered?).unwrap();
    assert_eq!(text.get("type").and_then(Value::as_str), Some("user_message"));
    text.get("text").and_then(Value::as_str).map(str::to_owned)
}

#[test]
fn what_no_agent_has_answered_is_said_again() {
    let mut words = TranscriptTail::default();
    words.push(1, Speaker::Caller, "Hello?", None);
    assert_eq!(unanswered(&words).as_deref(), Some("Hello?"));
    words.push(2, Speaker::Agent, "Good morning", None);
    assert_eq!(unanswered(&words), None, "the agent spoke last");
    words.push(3, Speaker::Caller, "My router", None);
    words.push(4, Speaker::Caller, "is dead", None);
    assert_eq!(unanswered(&words).as_deref(), Some("My router is dead"));
    assert!(
        told(&words).contains("caller: Hello?\\nagent: Good morning\\ncaller: My router"),
        "{}",
        told(&words)
    );
}

#[test]
fn what_the_database_has_goes_before_what_this_leg_heard() {
    let mut stored = TranscriptTail::default();
    stored.push(1, Speaker::Agent, "one", None);
    stored.push(2, Speaker::Caller, "two", None);
    let mut fresh = TranscriptTail::default();
    fresh.begin_with(&stored);
    assert_eq!(fresh.quoted().as_deref(), Some("agent: one\ncaller: two"));
    let mut later = TranscriptTail::default();
    later.push(2, Speaker::Caller, "two, corrected", None);
    later.push(3, Speaker::Agent, "three", None);
    later.begin_with(&stored);
    assert_eq!(later.quoted().as_deref(), Some("agent: one\ncaller: two, corrected\nagent: three"));
    later.begin_with(&stored);
    assert_eq!(later.quoted().as_deref(), Some("agent: one\ncaller: two, corrected\nagent: three"));
}
