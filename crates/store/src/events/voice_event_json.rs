//! The JSON of the clone jobs' log.

use precall_call::VoiceId;
use serde_json::{Value, json};

/// What happened in a clone job.
#[derive(Clone, Debug)]
pub enum VoiceEvent<'a> {
    /// Intent: a sample is about to be uploaded under this name.
    CloneRequested {
        /// The provider's name for the voice.
        name: &'a str,
        /// SHA-256 of the sample, hex.
        sample_sha256: &'a str,
        /// Its size.
        sample_bytes: usize,
        /// On whose word: its place in `consent_log`; none where no consent is needed.
        consent: Option<i64>,
    },
    /// There is a voice.
    CloneSucceeded {
        /// The voice.
        voice: &'a VoiceId,
        /// How long the provider took.
        took_ms: i32,
        /// Whether the answer was lost and the voice was found by its name.
        found_by_name: bool,
    },
    /// The voice is gone from the provider.
    VoiceDeleted {
        /// The voice.
        voice: &'a VoiceId,
        /// `expired` or `evicted`.
        why: &'static str,
        /// Whether it was gone before.
        was_gone: bool,
    },
    /// There is none.
    CloneFailed {
        /// The closed name.
        reason: &'static str,
        /// For people.
        message: &'a str,
    },
}

/// The event as it is stored.
#[must_use]
pub fn encode(event: &VoiceEvent<'_>) -> Value {
    match event {
        VoiceEvent::CloneRequested { name, sample_sha256, sample_bytes, consent: Some(consent) } => json!({
            "v": 1, "kind": "clone_requested", "name": name, "sample_sha256": sample_sha256,
            "sample_bytes": sample_bytes, "consent": consent }),
        VoiceEvent::CloneRequested { name, sample_sha256, sample_bytes, consent: None } => json!({
            "v": 1, "kind": "clone_requested", "name": name, "sample_sha256": sample_sha256,
            "sample_bytes": sample_bytes }),
        VoiceEvent::CloneSucceeded { voice, took_ms, found_by_name } => json!({
            "v": 1, "kind": "clone_succeeded", "voice_id": voice.as_str(), "took_ms": took_ms,
            "found_by_name": found_by_name }),
        VoiceEvent::VoiceDeleted { voice, why, was_gone } => json!({
            "v": 1, "kind": "voice_deleted", "voice_id": voice.as_str(), "why": why, "was_gone": was_gone }),
        VoiceEvent::CloneFailed { reason, message } => json!({
            "v": 1, "kind": "clone_failed", "reason": reason, "message": message }),
    }
}
