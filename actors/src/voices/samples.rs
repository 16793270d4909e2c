//! Voice samples: recordings in one folder or one bucket. A `voice_sample_url` is entered or imported by people. It
//! must never make precall send another file of the host away.

mod check;
mod error;
mod local;
mod reference;
mod s3;
mod store;
mod verdicts;

#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
pub use check::SAMPLE_BYTES_MAX;
pub use error::SampleError;
pub use store::{SampleStore, UploadPlace};

/// Shows without a read whether the sample at a reference has changed. Compare only; do not parse.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SampleMark(String);

impl SampleMark {
    /// A mark as it was stored.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A short ASCII text, for a database column.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A stored upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSample {
    /// The value for `voice_sample_url`.
    pub reference: String,
    /// SHA-256 of the content, hex.
    pub sha256: String,
    /// The name of its `RecordingFormat`, such as `wav`.
    pub format: &'static str,
    /// Size in bytes.
    pub bytes: usize,
    /// Length of the sound.
    pub duration: Duration,
}

/// A sample as it is stored, for a player.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleRecording {
    /// The file as it is.
    pub content: Bytes,
    /// The name of its `RecordingFormat`, such as `wav`.
    pub format: &'static str,
    /// The media type of that format.
    pub content_type: &'static str,
}

/// Result of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleDeleted {
    /// The sample was deleted now.
    Now,
    /// The sample did not exist.
    WasGone,
}
