//! Recognises a sample's format and checks whether a voice can be cloned from it, by its content alone.

use std::time::Duration;

use bytes::Bytes;
use precall_audio::clip::Clip;
use precall_audio::prompts::{FILE_BYTES_MAX, decode};
use precall_providers::elevenlabs::{SampleFormat, VoiceSample};
use sha2::{Digest, Sha256};

use super::SampleError;

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
/// Maximum offset of the first MP3 frame. Some recorders write other data before it.
const MP3_SEARCH_BYTES: usize = 4096;

/// Checks whether a voice can be cloned from this content. Takes seconds for long samples: run it on the blocking
/// pool.
///
/// An MP3 that ends within a frame, or before the end that its header declares, counts as truncated. Without such a
/// header a cut between two frames cannot be detected.
///
/// # Errors
/// Why the sample cannot be used.
pub(crate) fn check(content: Bytes) -> Result<VoiceSample, SampleError> {
    check_size(content.len())?;
    let (format, start) = recognise(&content).ok_or(SampleError::NotAudio)?;
    let clip = decode(&content.slice(start..))?;
    check_sound(&clip)?;
    let sha256 = Sha256::digest(&content).into();
    Ok(VoiceSample { format, content, sha256, duration: clip.duration() })
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

/// The format, and the offset of the sound. Only an MP3 may have other data before it.
pub(crate) fn recognise(content: &[u8]) -> Option<(SampleFormat, usize)> {
    let at = |offset: usize, magic: &[u8]| content.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    if (at(0, b"RIFF") || at(0, b"RF64")) && at(8, b"WAVE") {
        return Some((SampleFormat::Wav, 0));
    }
    if at(0, b"fLaC") {
        return Some((SampleFormat::Flac, 0));
    }
    if at(0, b"OggS") {
        return Some((SampleFormat::Ogg, 0));
    }
    if at(4, b"ftyp") {
        return Some((SampleFormat::M4a, 0));
    }
    if at(0, b"ID3") || mp3_frame_bytes(content).is_some() {
        return Some((SampleFormat::Mp3, 0));
    }
    let is_followed = |start: &usize| {
        let frame = content.get(*start..).unwrap_or_default();
        let next = mp3_frame_bytes(frame).and_then(|length| frame.get(length..));
        next.is_some_and(|next| mp3_frame_bytes(next).is_some())
    };
    let start = (1..MP3_SEARCH_BYTES.min(content.len())).find(is_followed)?;
    Some((SampleFormat::Mp3, start))
}

/// Size in bytes of the MPEG layer III frame that starts here; `None` if there is none, or if its bit rate is free.
fn mp3_frame_bytes(content: &[u8]) -> Option<usize> {
    const KBITS_1: [usize; 14] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    const KBITS_2: [usize; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    let [0xff, kind, rates, ..] = content else { return None };
    if kind & 0b1110_0110 != 0b1110_0010 {
        return None;
    }
    // Samples per frame / 8, because the frame size is in bytes.
    let (kbits, scale, halved) = match kind & 0b0001_1000 {
        0b0001_1000 => (KBITS_1, 144, 1),
        0b0001_0000 => (KBITS_2, 72, 2),
        0b0000_0000 => (KBITS_2, 72, 4),
        _ => return None,
    };
    let hertz: usize = match rates & 0b0000_1100 {
        0b0000_0000 => 44_100,
        0b0000_0100 => 48_000,
        0b0000_1000 => 32_000,
        _ => return None,
    };
    let kbits = kbits.get(usize::from(rates >> 4).checked_sub(1)?)?;
    let padding = usize::from(rates >> 1 & 1);
    let bits = kbits.saturating_mul(1_000).saturating_mul(scale);
    bits.checked_div(hertz / halved).map(|bytes| bytes.saturating_add(padding))
}
