//! The JSON of the clone jobs' log: `{v, kind, ...}`. SQL reads it; no code decodes it.

use precall_call::VoiceId;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// The version that is written.
const VERSION: u64 = 1;

/// What happened in a clone job.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum VoiceEvent<'a> {
    /// Intent: precall is about to upload a sample under this name.
    CloneRequested {
        /// The name of the voice at the provider.
        name: &'a str,
        /// SHA-256 of the sample, hex.
        sample_sha256: &'a str,
        /// Size of the sample.
        sample_bytes: usize,
        /// The consent that allows it, by its place in `consent_log`; none where no consent is needed.
        #[serde(skip_serializing_if = "Option::is_none")]
        consent: Option<i64>,
    },
    /// The provider made the voice.
    CloneSucceeded {
        /// The voice.
        #[serde(rename = "voice_id", serialize_with = "as_text")]
        voice: &'a VoiceId,
        /// How long the provider took.
        took_ms: i32,
        /// Whether the answer was lost and precall found the voice by its name.
        found_by_name: bool,
    },
    /// The voice is gone from the provider.
    VoiceDeleted {
        /// The voice.
        #[serde(rename = "voice_id", serialize_with = "as_text")]
        voice: &'a VoiceId,
        /// `expired` or `evicted`.
        why: &'static str,
        /// Whether it was gone before precall deleted it.
        was_gone: bool,
    },
    /// The job ended without a voice.
    CloneFailed {
        /// The closed name of the reason.
        reason: &'static str,
        /// For people.
        message: &'a str,
    },
}

/// Encodes an event as the log stores it.
#[must_use]
pub fn encode(event: &VoiceEvent<'_>) -> Value {
    let mut stored = match serde_json::to_value(event) {
        Ok(Value::Object(fields)) => fields,
        // Cannot happen: no field has an error of its own, and all keys are text.
        Ok(_) | Err(_) => Map::new(),
    };
    stored.insert("v".to_owned(), VERSION.into());
    Value::Object(stored)
}

fn as_text<S: Serializer>(voice: &VoiceId, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(voice.as_str())
}

#[cfg(test)]
mod tests;
