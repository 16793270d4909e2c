//! Checks whether a voice can be cloned from a sample, by its content alone. Which formats are read is the decoder's
//! matter, so that a file is readable as a prompt and as a sample, or as neither.

use std::time::Duration;

use bytes::Bytes;
use precall_audio::clip::Clip;
use precall_audio::prompts::{FILE_BYTES_MAX, RecordingFormat, read_recording, to_wav};
use precall_providers::elevenlabs::{SampleFormat, VoiceSample};
use sha2::{Digest, Sha256};

use super::SampleError;
use super::verdicts::{Verdict, Verdicts};

/// Larger files are refused. The provider documents no limit; two minutes of studio stereo have 20 MiB, and more than
/// three minutes make a clone worse (ElevenLabs facts, section 1).
pub const SAMPLE_BYTES_MAX: u64 = FILE_BYTES_MAX;
/// Shorter samples are refused: they hold too little of the voice. The decoder refuses more than 10 minutes.
const LENGTH_MIN: Duration = Duration::from_secs(3);
/// PCM values at this level or above count as clipped; more than 20 per mille of them mean that the level was too
/// high.
const CLIPPED_LEVEL: u16 = 32_000;
const CLIPPED_PER_MILLE: usize = 20;
/// 50 ms at 8,000 samples a second: shorter than a syllable, longer than a period of the deepest voice.
const WINDOW: usize = 400;
/// RMS of a window with speech: 50 dB below full scale. A quiet room has -60 dB, a soft voice -40 dB.
const SPOKEN_LEVEL: i64 = 104;
/// Minimum of speech: one second in all, and one window in twenty. Pauses do not matter.
const SPOKEN_WINDOWS_MIN: usize = 20;
const SPOKEN_ONE_IN: usize = 20;

/// A sample from which a voice can be cloned.
#[derive(Debug)]
pub(crate) struct CheckedSample {
    pub(crate) format: RecordingFormat,
    /// The file as it is.
    pub(crate) content: Bytes,
    pub(crate) sha256: [u8; 32],
    pub(crate) duration: Duration,
    /// The format for ElevenLabs; `None` when the sample is sent as WAV.
    sent_as: Option<SampleFormat>,
}

impl CheckedSample {
    /// The sample as it is sent. ElevenLabs names no formats that it accepts: what is not among the common ones, or has
    /// a header that other programs may misread, is sent as WAV. Takes as long as the check.
    ///
    /// # Errors
    /// When the conversion fails.
    pub(crate) fn into_voice_sample(self) -> Result<VoiceSample, SampleError> {
        let Self { content, sha256, duration, .. } = self;
        let (format, content) = match self.sent_as {
            Some(format) => (format, content),
            None => (SampleFormat::Wav, to_wav(&content, duration)?),
        };
        Ok(VoiceSample { format, content, sha256, duration })
    }
}

/// Checks whether a voice can be cloned from this content. Takes seconds for a long sample that is not known: run it on
/// the blocking pool.
///
/// An MP3 that ends within a frame, or before the end that its header declares, counts as truncated. Without such a
/// header a cut between two frames cannot be detected.
///
/// # Errors
/// Why the sample cannot be used.
pub(super) fn check(content: Bytes, verdicts: &Verdicts) -> Result<CheckedSample, SampleError> {
    check_size(content.len())?;
    let sha256 = Sha256::digest(&content).into();
    if let Some(Verdict { format, duration, sent_as }) = verdicts.of(&sha256) {
        return Ok(CheckedSample { format, content, sha256, duration, sent_as });
    }
    let recording = read_recording(&content)?;
    check_sound(&recording.clip)?;
    let (format, duration) = (recording.format, recording.clip.duration());
    let sent_as = if recording.is_common { format.as_sample() } else { None };
    verdicts.remember(sha256, Verdict { format, duration, sent_as });
    Ok(CheckedSample { format, content, sha256, duration, sent_as })
}

/// Checks the size alone.
pub(crate) fn check_size(bytes: usize) -> Result<(), SampleError> {
    match u64::try_from(bytes) {
        Ok(0) => Err(SampleError::Empty),
        Ok(bytes) if bytes <= SAMPLE_BYTES_MAX => Ok(()),
        Ok(_) | Err(_) => Err(SampleError::TooLarge),
    }
}

/// Checks length, level and amount of speech.
fn check_sound(clip: &Clip) -> Result<(), SampleError> {
    let length = clip.duration();
    if length < LENGTH_MIN {
        return Err(SampleError::TooShort(u64::try_from(length.as_millis()).unwrap_or(u64::MAX)));
    }
    let (pairs, _) = clip.pcm().as_chunks::<2>();
    let is_loud = |pair: &&[u8; 2]| i16::from_le_bytes(**pair).unsigned_abs() >= CLIPPED_LEVEL;
    let loud = pairs.iter().filter(is_loud).count();
    if loud.saturating_mul(1_000) > pairs.len().saturating_mul(CLIPPED_PER_MILLE) {
        return Err(SampleError::Clipped);
    }
    let windows = pairs.chunks_exact(WINDOW);
    let all = windows.len();
    let spoken = windows.filter(|window| is_spoken(window)).count();
    if spoken < SPOKEN_WINDOWS_MIN || spoken.saturating_mul(SPOKEN_ONE_IN) < all {
        return Err(SampleError::Silent);
    }
    Ok(())
}

/// Whether the window has the level of speech. A constant offset of the microphone does not count.
fn is_spoken(window: &[[u8; 2]]) -> bool {
    let (mut count, mut sum, mut squares) = (0_i64, 0_i64, 0_i64);
    for pair in window {
        let sample = i64::from(i16::from_le_bytes(*pair));
        count = count.saturating_add(1);
        sum = sum.saturating_add(sample);
        squares = squares.saturating_add(sample.saturating_mul(sample));
    }
    // Both sides of `variance >= level * level`, times the square of the count, so that nothing is rounded.
    let variance = count.saturating_mul(squares).saturating_sub(sum.saturating_mul(sum));
    variance >= SPOKEN_LEVEL.saturating_mul(count).saturating_pow(2)
}
