//! The events of clone jobs are encoded as version 1 wrote them.

#![allow(clippy::unwrap_used)] // A test that cannot go on should stop.

use super::*;

/// One event of every kind as version 1 wrote it. Never changed: SQL reads the fields of stored events by name.
const FIXTURE_V1: &str = include_str!("../fixtures/voice_events_v1.jsonl");

#[test]
fn every_kind_of_event_is_encoded_as_version_1_wrote_it() {
    let voice = &VoiceId::new("v1");
    let sample_sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let events = [
        VoiceEvent::CloneRequested {
            name: "precall-1",
            sample_sha256,
            sample_bytes: 48_000,
            consent: Some(7),
        },
        VoiceEvent::CloneRequested { name: "precall-2", sample_sha256, sample_bytes: 0, consent: None },
        VoiceEvent::CloneSucceeded { voice, took_ms: 7000, found_by_name: false },
        VoiceEvent::VoiceDeleted { voice, why: "evicted", was_gone: true },
        VoiceEvent::CloneFailed { reason: "provider_error", message: "the provider refused \"it\"" },
    ];
    let stored: Vec<Value> = FIXTURE_V1.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.iter().map(encode).collect::<Vec<_>>(), stored);
}
