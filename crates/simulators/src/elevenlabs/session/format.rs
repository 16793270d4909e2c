//! The formats of audio on the agent's WebSocket: fewer than text to speech has, and the same both ways.

use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::elevenlabs::audio::{Codec, Format, ulaw_to_linear};

/// A format of the agent's WebSocket (AsyncAPI: `AudioFormat`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentAudio {
    /// Signed 16 bit little endian, mono, 8,000 samples a second.
    #[default]
    #[serde(rename = "pcm_8000")]
    Pcm8000,
    /// The same at 16,000 samples: what the provider's agents have unless they are told otherwise.
    #[serde(rename = "pcm_16000")]
    Pcm16000,
    /// The same at 22,050 samples.
    #[serde(rename = "pcm_22050")]
    Pcm22050,
    /// The same at 24,000 samples.
    #[serde(rename = "pcm_24000")]
    Pcm24000,
    /// The same at 44,100 samples.
    #[serde(rename = "pcm_44100")]
    Pcm44100,
    /// The same at 48,000 samples.
    #[serde(rename = "pcm_48000")]
    Pcm48000,
    /// G.711 of North America: 8,000 samples of 8 bits.
    #[serde(rename = "ulaw_8000")]
    Ulaw8000,
}

/// No format of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of pcm_8000, pcm_16000, pcm_22050, pcm_24000, pcm_44100, pcm_48000, ulaw_8000")]
pub struct NoSuchFormat;

impl FromStr for AgentAudio {
    type Err = NoSuchFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or(NoSuchFormat)
    }
}

impl AgentAudio {
    /// Every format.
    pub const ALL: [Self; 7] = [
        Self::Pcm8000,
        Self::Pcm16000,
        Self::Pcm22050,
        Self::Pcm24000,
        Self::Pcm44100,
        Self::Pcm48000,
        Self::Ulaw8000,
    ];

    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcm8000 => "pcm_8000",
            Self::Pcm16000 => "pcm_16000",
            Self::Pcm22050 => "pcm_22050",
            Self::Pcm24000 => "pcm_24000",
            Self::Pcm44100 => "pcm_44100",
            Self::Pcm48000 => "pcm_48000",
            Self::Ulaw8000 => "ulaw_8000",
        }
    }

    /// Samples a second.
    #[must_use]
    pub fn rate(self) -> u32 {
        match self {
            Self::Pcm8000 | Self::Ulaw8000 => 8_000,
            Self::Pcm16000 => 16_000,
            Self::Pcm22050 => 22_050,
            Self::Pcm24000 => 24_000,
            Self::Pcm44100 => 44_100,
            Self::Pcm48000 => 48_000,
        }
    }

    /// Bytes of one sample.
    pub(super) fn width(self) -> u64 {
        match self {
            Self::Ulaw8000 => 1,
            _ => 2,
        }
    }

    /// Whole samples of so much time.
    pub(super) fn samples(self, ms: u64) -> u64 {
        ms.saturating_mul(u64::from(self.rate())) / 1_000
    }

    /// How long this many samples play.
    pub(super) fn time(self, samples: u64) -> Duration {
        let nanos = samples.saturating_mul(1_000_000_000).checked_div(u64::from(self.rate()));
        Duration::from_nanos(nanos.unwrap_or(0))
    }

    /// A tenth of a second of a tone. Tones are multiples of 10 Hz, so it can be repeated without a click.
    pub(super) fn cycle(self, hz: u32) -> Bytes {
        let codec = if self == Self::Ulaw8000 { Codec::Ulaw } else { Codec::Pcm };
        Format { codec, rate: self.rate() }.sound(hz, Duration::from_millis(100)).unwrap_or_default()
    }

    /// Its samples as linear PCM; half a sample at the end is left out.
    pub(super) fn decoded(self, audio: &[u8]) -> Vec<i16> {
        match self {
            Self::Ulaw8000 => audio.iter().map(|byte| ulaw_to_linear(*byte)).collect(),
            _ => audio.as_chunks::<2>().0.iter().map(|sample| i16::from_le_bytes(*sample)).collect(),
        }
    }

    /// How loud it is on average: the mean height of its samples.
    pub(super) fn loudness(self, audio: &[u8]) -> u32 {
        let (sum, count) = match self {
            Self::Ulaw8000 => audio.iter().fold((0_u64, 0_u64), |(sum, count), byte| {
                (sum + u64::from(ulaw_to_linear(*byte).unsigned_abs()), count + 1)
            }),
            _ => audio.as_chunks::<2>().0.iter().fold((0_u64, 0_u64), |(sum, count), sample| {
                (sum + u64::from(i16::from_le_bytes(*sample).unsigned_abs()), count + 1)
            }),
        };
        sum.checked_div(count).and_then(|mean| u32::try_from(mean).ok()).unwrap_or(0)
    }
}
