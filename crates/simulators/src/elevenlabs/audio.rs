//! Audio of answers: a quiet tone in the requested format. It is no speech; length, format and framing are right.

use std::f64::consts::TAU;
use std::time::Duration;

use bytes::Bytes;

use super::ids;
use crate::shared::wav::wav;

/// The tones of clones. A telephone carries them and those of the other voices.
const CLONES: Band = Band { lowest: 300, steps: 60 };
/// The tones of all other voices. No clone sounds like one of them, whatever id it is given: a test may then judge by
/// ear which of the two speaks.
const OTHERS: Band = Band { lowest: 910, steps: 59 };
/// Enough to distinguish two tones in 400 ms of sound, the shortest there is. In 20 ms, neighbours sound the same.
const STEP_HZ: u32 = 10;

/// Tones at steps of [`STEP_HZ`].
struct Band {
    lowest: u32,
    steps: u32,
}

/// A tenth of full scale: audible, not unpleasant.
const AMPLITUDE: f64 = 3_276.0;

/// The time that one character takes to say: about fifteen characters a second.
const PER_CHARACTER: Duration = Duration::from_millis(66);
const SHORTEST_SPEECH: Duration = Duration::from_millis(400);
const LONGEST_SPEECH: Duration = Duration::from_secs(60);

/// The tone of a voice, in hertz. The same id gives the same tone, so that a test can recognise the voice. Clones are
/// known by the form of their ids, which [`ids::voice`] makes. They lie between 300 and 890 Hz, all others between 910
/// and 1,490 Hz.
#[must_use]
pub fn voice_tone_hz(voice_id: &str) -> u32 {
    // FNV-1a: short, and its result does not depend on the compiler.
    let hash = voice_id
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let band = if ids::is_voice(voice_id) { CLONES } else { OTHERS };
    band.lowest + STEP_HZ * ((hash ^ (hash >> 16)) % band.steps)
}

/// How long it takes to say a text.
pub(super) fn speaking_time(text: &str) -> Duration {
    let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    PER_CHARACTER.saturating_mul(characters).clamp(SHORTEST_SPEECH, LONGEST_SPEECH)
}

/// How samples are put into bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    /// Signed 16 bit little endian, mono, no header.
    Pcm,
    /// The same with a RIFF header.
    Wav,
    Ulaw,
    Alaw,
    /// Frames of silence: a tone would need an encoder.
    Mp3 {
        kbps: u32,
    },
    /// Not simulated.
    Opus,
}

/// A value of `output_format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    pub codec: Codec,
    pub rate: u32,
}

/// Every format of the OpenAPI file.
const FORMATS: [(&str, Codec, u32); 28] = [
    ("alaw_8000", Codec::Alaw, 8_000),
    ("mp3_22050_32", Codec::Mp3 { kbps: 32 }, 22_050),
    ("mp3_24000_48", Codec::Mp3 { kbps: 48 }, 24_000),
    ("mp3_44100_128", Codec::Mp3 { kbps: 128 }, 44_100),
    ("mp3_44100_192", Codec::Mp3 { kbps: 192 }, 44_100),
    ("mp3_44100_32", Codec::Mp3 { kbps: 32 }, 44_100),
    ("mp3_44100_64", Codec::Mp3 { kbps: 64 }, 44_100),
    ("mp3_44100_96", Codec::Mp3 { kbps: 96 }, 44_100),
    ("opus_48000_128", Codec::Opus, 48_000),
    ("opus_48000_192", Codec::Opus, 48_000),
    ("opus_48000_32", Codec::Opus, 48_000),
    ("opus_48000_64", Codec::Opus, 48_000),
    ("opus_48000_96", Codec::Opus, 48_000),
    ("pcm_16000", Codec::Pcm, 16_000),
    ("pcm_22050", Codec::Pcm, 22_050),
    ("pcm_24000", Codec::Pcm, 24_000),
    ("pcm_32000", Codec::Pcm, 32_000),
    ("pcm_44100", Codec::Pcm, 44_100),
    ("pcm_48000", Codec::Pcm, 48_000),
    ("pcm_8000", Codec::Pcm, 8_000),
    ("ulaw_8000", Codec::Ulaw, 8_000),
    ("wav_16000", Codec::Wav, 16_000),
    ("wav_22050", Codec::Wav, 22_050),
    ("wav_24000", Codec::Wav, 24_000),
    ("wav_32000", Codec::Wav, 32_000),
    ("wav_44100", Codec::Wav, 44_100),
    ("wav_48000", Codec::Wav, 48_000),
    ("wav_8000", Codec::Wav, 8_000),
];

impl Format {
    /// The format of this name.
    pub fn named(name: &str) -> Option<Self> {
        FORMATS.iter().find(|(known, _, _)| *known == name).map(|&(_, codec, rate)| Self { codec, rate })
    }

    /// The names there are, as FastAPI lists them in a refusal.
    pub fn names() -> String {
        FORMATS.iter().map(|(name, _, _)| format!("'{name}'")).collect::<Vec<_>>().join(", ")
    }

    /// Whether the plan of this account (Creator) lacks it (facts page, section 2).
    pub(crate) fn needs_pro(self) -> bool {
        matches!(self.codec, Codec::Pcm | Codec::Wav) && self.rate == 44_100
    }

    /// The content type that was seen on the wire for it.
    pub fn content_type(self) -> &'static str {
        match self.codec {
            Codec::Pcm => "audio/pcm",
            Codec::Wav => "audio/wav",
            Codec::Ulaw | Codec::Alaw => "audio/basic",
            Codec::Mp3 { .. } => "audio/mpeg",
            Codec::Opus => "audio/opus",
        }
    }

    /// A tone of this length; None for a format that is not simulated.
    pub fn sound(self, tone_hz: u32, length: Duration) -> Option<Bytes> {
        let samples = || tone(self.rate, tone_hz, length);
        match self.codec {
            Codec::Pcm => Some(pcm(samples())),
            Codec::Wav => Some(wav(self.rate, &pcm(samples())).into()),
            Codec::Ulaw => Some(samples().map(ulaw).collect()),
            Codec::Alaw => Some(samples().map(alaw).collect()),
            Codec::Mp3 { kbps } => Some(mp3_silence(self.rate, kbps, length)),
            Codec::Opus => None,
        }
    }
}

fn tone(rate: u32, hz: u32, length: Duration) -> impl Iterator<Item = i16> {
    let millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let count = u32::try_from(u64::from(rate).saturating_mul(millis) / 1_000).unwrap_or(u32::MAX);
    let step = TAU * f64::from(hz) / f64::from(rate);
    (0..count).map(move |n| to_i16((f64::from(n) * step).sin() * AMPLITUDE))
}

#[allow(clippy::cast_possible_truncation)] // The tone stays within a tenth of the range; `as` saturates anyway.
fn to_i16(value: f64) -> i16 {
    value as i16
}

fn pcm(samples: impl Iterator<Item = i16>) -> Bytes {
    samples.flat_map(i16::to_le_bytes).collect()
}

/// G.711: the segment is the position of the highest bit, the mantissa the four bits below it.
fn ulaw(sample: i16) -> u8 {
    const BIAS: u16 = 0x84;
    const CLIP: u16 = 32_635;
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = sample.unsigned_abs().min(CLIP).saturating_add(BIAS);
    let segment = 8_u32.saturating_sub(magnitude.leading_zeros());
    let mantissa = (magnitude >> segment.saturating_add(3)) & 0x0F;
    !(sign | low_byte(segment << 4) | low_byte(u32::from(mantissa)))
}

/// The middle of the step that a byte of G.711 stands for.
pub(super) fn ulaw_to_linear(byte: u8) -> i16 {
    const BIAS: i16 = 0x84;
    let byte = !byte;
    let segment = u32::from((byte >> 4) & 0x07);
    let magnitude = (((i16::from(byte & 0x0F)) << 3) + BIAS) << segment;
    let magnitude = magnitude - BIAS;
    if byte & 0x80 == 0 { magnitude } else { -magnitude }
}

fn alaw(sample: i16) -> u8 {
    let sign = if sample < 0 { 0 } else { 0x80 };
    // A negative sample counts from -1: the curve has no zero of its own.
    let magnitude = if sample < 0 { !sample } else { sample }.unsigned_abs() >> 3;
    let segment = 11_u32.saturating_sub(magnitude.leading_zeros());
    let code = match segment {
        0 => magnitude >> 1,
        _ => ((magnitude >> segment) & 0x0F) | (u16::try_from(segment).unwrap_or(7) << 4),
    };
    (sign | low_byte(u32::from(code))) ^ 0x55
}

fn low_byte(value: u32) -> u8 {
    let [low, ..] = value.to_le_bytes();
    low
}

/// Layer III frames whose side information is all zero: every decoder plays them as silence.
fn mp3_silence(rate: u32, kbps: u32, length: Duration) -> Bytes {
    const MPEG1_KBPS: [u32; 14] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    const MPEG2_KBPS: [u32; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    let mpeg1 = rate >= 32_000;
    let (table, version, samples) = if mpeg1 { (MPEG1_KBPS, 0xFB, 1_152) } else { (MPEG2_KBPS, 0xF3, 576) };
    let position =
        table.iter().position(|&known| known == kbps).and_then(|at| u8::try_from(at).ok()).unwrap_or(0);
    let rate_bits = if rate == 24_000 { 0x04 } else { 0x00 };
    let frame_length = samples / 8 * kbps * 1_000 / rate;
    let mut frame = vec![0xFF, version, (position.saturating_add(1) << 4) | rate_bits, 0xC0];
    frame.resize(usize::try_from(frame_length).unwrap_or(4).max(4), 0);
    let millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let frames = u64::from(rate).saturating_mul(millis) / 1_000 / u64::from(samples);
    frame.repeat(usize::try_from(frames.max(1)).unwrap_or(1)).into()
}
