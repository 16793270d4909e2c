//! Recognises that the caller speaks, from the level of the audio alone.
//!
//! Where the caller speaks first, nothing else would show that a dead agent owes an answer: it transcribes nothing. The
//! turn timer uses the level as well.
//!
//! Pure: no clock, no I/O, no actor.

use std::time::Duration;

use crate::clip::duration_of;

/// Mean level of a piece with speech, of 32,767. Line noise of a telephone stays well below it.
const SPEECH_LEVEL: u64 = 500;
/// Speech in all before the caller counts as speaking: a click or a cough is shorter.
const SPEECH_MIN: Duration = Duration::from_millis(400);

/// Adds up the caller's speech.
#[derive(Debug, Default)]
pub(crate) struct CallerSpeech {
    heard: Duration,
}

impl CallerSpeech {
    /// Takes whole samples of 8 kHz PCM. True from the piece on with which the caller has spoken.
    pub(crate) fn push(&mut self, pcm: &[u8]) -> bool {
        if is_speech(pcm) {
            self.heard = self.heard.saturating_add(duration_of(pcm.len()));
        }
        self.heard >= SPEECH_MIN
    }
}

/// Whether this piece of 8 kHz PCM has speech, by its mean level.
pub(crate) fn is_speech(pcm: &[u8]) -> bool {
    let samples = pcm.chunks_exact(2).filter_map(|pair| <[u8; 2]>::try_from(pair).ok());
    let (mut sum, mut count) = (0_u64, 0_u64);
    for sample in samples {
        sum = sum.saturating_add(u64::from(i16::from_le_bytes(sample).unsigned_abs()));
        count = count.saturating_add(1);
    }
    sum >= SPEECH_LEVEL.saturating_mul(count) && count > 0
}

#[cfg(test)]
mod tests;
