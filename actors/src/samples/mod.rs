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

use bytes::Bytes;

pub use check::SAMPLE_BYTES_MAX;
pub use error::SampleError;
pub use store::{SampleStore, UploadPlace};

/// A recording, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct VoiceSample {
    /// What it is, by its own first bytes.
    pub format: AudioFormat,
    /// The whole file, at most [`SAMPLE_BYTES_MAX`].
    pub content: Bytes,
    /// SHA-256 of the content: what a consent or a cached clone refers to.
    pub sha256: [u8; 32],
    /// How long it is heard.
    pub duration: Duration,
}

impl std::fmt::Debug for VoiceSample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VoiceSample({:?}, {} bytes)", self.format, self.content.len())
    }
}

/// Formats that ElevenLabs is known to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioFormat {
    /// RIFF or RF64 WAVE.
    Wav,
    /// MPEG layer III.
    Mp3,
    /// FLAC.
    Flac,
    /// Vorbis or Opus in Ogg.
    Ogg,
    /// AAC in MP4.
    M4a,
}

impl AudioFormat {
    /// Its name, which is also the ending of its files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Mp3 => "mp3",
            Self::Flac => "flac",
            Self::Ogg => "ogg",
            Self::M4a => "m4a",
        }
    }

    /// Media type of the multipart part.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::Mp3 => "audio/mpeg",
            Self::Flac => "audio/flac",
            Self::Ogg => "audio/ogg",
            Self::M4a => "audio/mp4",
        }
    }

    /// The name it is sent under. Never the name on disk, which often is a person's name or number.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Wav => "sample.wav",
            Self::Mp3 => "sample.mp3",
            Self::Flac => "sample.flac",
            Self::Ogg => "sample.ogg",
            Self::M4a => "sample.m4a",
        }
    }
}

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
