//! The recordings that voices are cloned from, wherever they lie: in one folder or in one bucket. A mapping's
//! `voice_sample_url` comes from people and imports; it must never make precall send another file of the machine away.

mod check;
mod error;
mod local;
mod reference;
mod s3;
mod store;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use check::SAMPLE_BYTES_MAX;

pub use error::SampleError;
pub use store::{SampleStore, UploadPlace};

/// By what it would be seen, without reading it, that another sample lies at a reference now. Compared, never taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SampleMark(String);

impl SampleMark {
    /// As it was stored.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A short line of ASCII, for a column.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An upload that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSample {
    /// What to store as `voice_sample_url`.
    pub reference: String,
    /// SHA-256 of the content, hex.
    pub sha256: String,
    /// `wav`, `mp3`, `flac`, `ogg` or `m4a`.
    pub format: &'static str,
    /// Size.
    pub bytes: usize,
    /// How long it is heard.
    pub duration: Duration,
}

/// A sample is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleDeleted {
    /// By this order.
    Now,
    /// Before it.
    WasGone,
}
