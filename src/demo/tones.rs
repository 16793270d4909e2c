//! Finds tones in a recording, in pieces of 20 ms. The demo and the tests judge by it what a caller heard. Pure.

use std::f64::consts::TAU;

#[cfg(test)]
mod tests;

const RATE: f64 = 8_000.0;
/// 20 ms.
const PIECE: usize = 160;
const PIECE_MS: u64 = 20;
/// A mean amplitude below this is silence on a telephone.
const SILENT: f64 = 60.0;
/// A piece counts as a tone when the tone has this share of its power. A piece in which one tone replaces another
/// counts as neither.
const SHARE: f64 = 0.6;
/// The share in [`Recording::tone_ms`], where music at nearly the same frequency may play too.
const STRICT_SHARE: f64 = 0.8;
/// A tone counts as heard after this many pieces in a row.
const RUN: usize = 3;
/// A sample below this is silent.
const QUIET: u16 = 60;
const SAMPLES_PER_MS: u64 = 8;

/// A tone in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    /// Its frequency in hertz.
    pub(super) hz: u32,
    /// From the beginning of the recording, in milliseconds.
    pub(super) from: u64,
    /// Where it ends.
    pub(super) to: u64,
}

/// A recording, in samples of 8 kHz.
#[derive(Debug)]
pub struct Recording(Vec<i16>);

impl Recording {
    /// Reads a WAV file with a 44-byte header: 16-bit signed PCM, mono, 8 kHz.
    #[must_use]
    pub fn of_wav(wav: &[u8]) -> Self {
        let (samples, _) = wav.get(44..).unwrap_or_default().as_chunks::<2>();
        Self(samples.iter().map(|sample| i16::from_le_bytes(*sample)).collect())
    }

    /// The runs of these tones, in order. Silence does not end a run, only another tone does.
    pub(super) fn runs(&self, tones: &[u32]) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let (mut last, mut count) = (None, 0_usize);
        for (place, piece) in (0_u64..).zip(self.0.chunks_exact(PIECE)) {
            let heard = tones.iter().copied().find(|hz| is_of(piece, *hz));
            count = if heard.is_some() && heard == last { count.saturating_add(1) } else { 1 };
            last = heard;
            let Some(hz) = heard.filter(|_| count >= RUN) else { continue };
            let to = (place + 1) * PIECE_MS;
            match runs.last_mut() {
                Some(run) if run.hz == hz => run.to = to,
                _ => runs.push(Run { hz, from: to - 3 * PIECE_MS, to }),
            }
        }
        runs
    }

    /// Total milliseconds of this tone without other sound.
    #[must_use]
    pub fn tone_ms(&self, hz: u32) -> u64 {
        let pieces = self.0.chunks_exact(PIECE);
        let tones = pieces.filter(|piece| loudness(piece) > 0.0 && share(piece, hz) > STRICT_SHARE);
        tones.map(|_| PIECE_MS).sum()
    }

    /// Where this tone is last heard between two moments, in milliseconds after the first.
    pub(super) fn last_heard(&self, hz: u32, from: u64, to: u64) -> u64 {
        let heard = (1_u64..).zip(self.pieces(from, to)).filter(|(_, piece)| is_of(piece, hz)).last();
        heard.map_or(0, |(place, _)| place * PIECE_MS)
    }

    /// The longest silence between two moments, in milliseconds.
    pub(super) fn longest_silence(&self, from: u64, to: u64) -> u64 {
        let (mut longest, mut present) = (0_u64, 0_u64);
        for sample in self.samples(from, to) {
            present = if sample.unsigned_abs() < QUIET { present.saturating_add(1) } else { 0 };
            longest = longest.max(present);
        }
        longest / SAMPLES_PER_MS
    }

    fn pieces(&self, from: u64, to: u64) -> impl Iterator<Item = &[i16]> {
        self.samples(from, to).chunks_exact(PIECE)
    }

    fn samples(&self, from: u64, to: u64) -> &[i16] {
        let at = |ms: u64| usize::try_from(ms * SAMPLES_PER_MS).unwrap_or(usize::MAX).min(self.0.len());
        self.0.get(at(from)..at(to).max(at(from))).unwrap_or_default()
    }
}

/// Whether this piece counts as the tone.
fn is_of(piece: &[i16], hz: u32) -> bool {
    loudness(piece) >= SILENT && share(piece, hz) >= SHARE
}

/// The root of the mean square.
fn loudness(piece: &[i16]) -> f64 {
    let (power, count) = piece.iter().fold((0.0, 0.0), |(power, count), sample| {
        (power + f64::from(*sample) * f64::from(*sample), count + 1.0)
    });
    (power / f64::max(count, 1.0)).sqrt()
}

/// The share of the piece's power that is this tone (the Goertzel algorithm, written as a sum): 0 to 1.
fn share(piece: &[i16], hz: u32) -> f64 {
    let turn = TAU * f64::from(hz) / RATE;
    let (mut re, mut im, mut all, mut angle, mut count) = (0.0, 0.0, 0.0, 0.0_f64, 0.0);
    for sample in piece {
        let sample = f64::from(*sample);
        re += sample * angle.cos();
        im += sample * angle.sin();
        all += sample * sample;
        angle += turn;
        count += 1.0;
    }
    if all > 0.0 { 2.0 * (re * re + im * im) / (count * all) } else { 0.0 }
}

/// A recording of tones and silences (0 Hz), each with its length in milliseconds.
#[cfg(test)]
pub(super) fn recording(parts: &[(u32, u32)]) -> Recording {
    let mut samples = Vec::new();
    for (hz, ms) in parts {
        for n in 0..ms * 8 {
            let t = f64::from(n) / RATE;
            #[allow(clippy::cast_possible_truncation)] // Within 5,000 either way.
            samples.push(((t * TAU * f64::from(*hz)).sin() * 5_000.0) as i16);
        }
    }
    Recording(samples)
}
