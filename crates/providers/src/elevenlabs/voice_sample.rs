//! A recording for `POST /v1/voices/add`.

use std::time::Duration;

use bytes::Bytes;

/// A recording of a voice.
#[derive(Clone, PartialEq, Eq)]
pub struct VoiceSample {
    /// Format of the content.
    pub format: SampleFormat,
    /// What is sent, at most 20 MiB: the stored file, or a WAV that was made of it.
    pub content: Bytes,
    /// SHA-256 of the stored file; consents and cached clones refer to it.
    pub sha256: [u8; 32],
    /// Playing time.
    pub duration: Duration,
}

impl std::fmt::Debug for VoiceSample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VoiceSample({:?}, {} bytes)", self.format, self.content.len())
    }
}

/// Formats of samples that are sent to ElevenLabs. It documents none; these are what its users report as accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleFormat {
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
    /// Opus or Vorbis in WebM.
    WebM,
}

impl SampleFormat {
    /// The name, which is also the file extension.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Mp3 => "mp3",
            Self::Flac => "flac",
            Self::Ogg => "ogg",
            Self::M4a => "m4a",
            Self::WebM => "webm",
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
            Self::WebM => "audio/webm",
        }
    }

    /// File name in the request. Never the name on disk, which often contains a person's name or number.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Wav => "sample.wav",
            Self::Mp3 => "sample.mp3",
            Self::Flac => "sample.flac",
            Self::Ogg => "sample.ogg",
            Self::M4a => "sample.m4a",
            Self::WebM => "sample.webm",
        }
    }
}
