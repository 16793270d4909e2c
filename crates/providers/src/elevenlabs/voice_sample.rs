//! A recording as it goes to `/v1/voices/add`.

use std::time::Duration;

use bytes::Bytes;

/// A recording, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct VoiceSample {
    /// What it is, by its own first bytes.
    pub format: SampleFormat,
    /// The whole file, at most 20 MiB.
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
}

impl SampleFormat {
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
