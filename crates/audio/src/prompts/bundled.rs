//! Sound that precall generates itself: two notes as a greeting, a gentle loop as hold music, three falling notes as an
//! apology. So there is no file to lose and no licence to pay.

use std::f32::consts::TAU;
use std::sync::LazyLock;

use super::pcm::{RATE, clip_of};
use crate::clip::Clip;

/// Level (RMS) against full scale, -18 dBFS: that of speech on a telephone.
const LEVEL: f32 = 0.125_9;

/// One note.
struct Note {
    /// Start, in milliseconds.
    at: u32,
    /// Length, in milliseconds.
    length: u32,
    hz: f32,
}

const GREETING: [Note; 2] =
    [Note { at: 0, length: 320, hz: 523.25 }, Note { at: 240, length: 460, hz: 783.99 }];

const APOLOGY: [Note; 3] = [
    Note { at: 0, length: 420, hz: 659.26 },
    Note { at: 340, length: 420, hz: 523.25 },
    Note { at: 680, length: 720, hz: 392.0 },
];

/// Milliseconds from one note of the loop to the next.
const STEP: u32 = 500;
/// Up and down through two chords: C major with its ninth, A minor with its seventh.
const LOOP: [f32; 16] = [
    261.63, 392.0, 523.25, 587.33, 659.26, 587.33, 523.25, 392.0, 220.0, 329.63, 440.0, 523.25, 659.26,
    523.25, 440.0, 329.63,
];

static GREETING_CLIP: LazyLock<Clip> = LazyLock::new(|| at_level(mixed(&GREETING, 700)));
static APOLOGY_CLIP: LazyLock<Clip> = LazyLock::new(|| at_level(mixed(&APOLOGY, 1_400)));
static HOLD_CLIP: LazyLock<Clip> = LazyLock::new(|| {
    let notes: Vec<Note> =
        (0_u32..).zip(LOOP).map(|(n, hz)| Note { at: n.saturating_mul(STEP), length: 1_900, hz }).collect();
    at_level(mixed(&notes, 8_000))
});

/// Two soft notes, 0.7 s.
#[must_use]
pub(super) fn greeting() -> Clip {
    GREETING_CLIP.clone()
}

/// Hold music, 8 s, to be played in a loop: notes that ring past its end continue at its start.
#[must_use]
pub fn hold() -> Clip {
    HOLD_CLIP.clone()
}

/// Three falling notes, 1.4 s.
#[must_use]
pub(super) fn apology() -> Clip {
    APOLOGY_CLIP.clone()
}

/// Mixes the notes into a strip of `length` milliseconds. A note that reaches the end continues at the start.
fn mixed(notes: &[Note], length: u32) -> Vec<f32> {
    let mut strip = vec![0.0_f32; samples(length)];
    let total = strip.len().max(1);
    for note in notes {
        let heard = note_samples(note);
        for (offset, sample) in heard.into_iter().enumerate() {
            let place = samples(note.at).saturating_add(offset) % total;
            if let Some(sum) = strip.get_mut(place) {
                *sum += sample;
            }
        }
    }
    strip
}

/// A sine with a little of its octave, a soft attack and a decay to zero.
fn note_samples(note: &Note) -> Vec<f32> {
    const ATTACK: f32 = 0.02;
    let seconds = f32_of(note.length) / 1_000.0;
    let count = u32::try_from(samples(note.length)).unwrap_or(0);
    let sample = |n: u32| {
        let at = f32_of(n) / f32_of(RATE);
        let begun = (at / ATTACK).min(1.0);
        let left = 1.0 - at / seconds;
        let wave = (TAU * note.hz * at).sin() + 0.2 * (2.0 * TAU * note.hz * at).sin();
        wave * begun * left * left
    };
    (0..count).map(sample).collect()
}

fn samples(millis: u32) -> usize {
    usize::try_from(u64::from(millis).saturating_mul(u64::from(RATE)) / 1_000).unwrap_or(0)
}

/// Exact for all values used here.
#[allow(clippy::cast_precision_loss)] // Below 2^24.
fn f32_of(number: u32) -> f32 {
    number as f32
}

/// Scales the strip to [`LEVEL`].
fn at_level(mut strip: Vec<f32>) -> Clip {
    let count = f32_of(u32::try_from(strip.len()).unwrap_or(u32::MAX)).max(1.0);
    let rms = (strip.iter().map(|sample| sample * sample).sum::<f32>() / count).sqrt();
    let gain = if rms > 0.0 { LEVEL / rms } else { 0.0 };
    strip.iter_mut().for_each(|sample| *sample *= gain);
    clip_of(&strip)
}

#[cfg(test)]
mod tests;
