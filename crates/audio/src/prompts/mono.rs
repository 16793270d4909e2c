//! Mixes the channels of a recording to one, takes the part that is played, and resamples it.

use std::time::Duration;

use super::audio_error::AudioError;
use super::mp4::Played;
use super::resample::{BadRate, FileResampler};

/// Longer recordings are refused.
pub(super) const LENGTH_MAX: Duration = Duration::from_secs(600);
/// More samples in all channels are refused: ten minutes of stereo with 192,000 a second. It bounds the time that a
/// small file can take: compressed silence has no size.
pub(super) const SAMPLES_MAX: u64 = 230_400_000;

/// Takes decoded sound, piece by piece.
pub(super) struct Mono {
    /// Samples a second of the result.
    target: u32,
    played: Option<Played>,
    /// `None` before the first piece.
    resampler: Option<FileResampler>,
    /// Samples a second of the recording; 0 before the first piece.
    pub(super) rate: u32,
    /// Samples of each channel so far.
    pub(super) frames: u64,
    samples: u64,
    skip: u64,
    left: u64,
    mixed: Vec<f32>,
}

impl Mono {
    pub(super) fn new(target: u32, played: Option<Played>) -> Self {
        Self {
            target,
            played,
            resampler: None,
            rate: 0,
            frames: 0,
            samples: 0,
            skip: 0,
            left: u64::MAX,
            mixed: Vec::new(),
        }
    }

    /// Takes a piece whose channels are interleaved.
    pub(super) fn take(&mut self, rate: u32, channels: usize, interleaved: &[f32]) -> Result<(), AudioError> {
        let frames = u64_of(interleaved.len().checked_div(channels).unwrap_or(0));
        if frames == 0 {
            return Ok(());
        }
        if self.resampler.is_none() {
            self.begin(rate)?;
        }
        if rate != self.rate {
            return Err(AudioError::Damaged);
        }
        self.frames = self.frames.saturating_add(frames);
        self.samples = self.samples.saturating_add(u64_of(interleaved.len()));
        if self.frames > u64::from(rate).saturating_mul(LENGTH_MAX.as_secs()) {
            return Err(AudioError::TooLong);
        }
        if self.samples > SAMPLES_MAX {
            return Err(AudioError::TooDetailed);
        }
        let share = 1.0 / f32::from(u16::try_from(channels).unwrap_or(u16::MAX));
        self.mixed.clear();
        // A float file may contain NaN.
        let sound = |sum: f32| if sum.is_finite() { sum * share } else { 0.0 };
        self.mixed.extend(interleaved.chunks_exact(channels).map(|frame| sound(frame.iter().sum())));
        let from = self.skip.min(frames);
        let taken = frames.saturating_sub(from).min(self.left);
        self.skip = self.skip.saturating_sub(from);
        self.left = self.left.saturating_sub(taken);
        let place = |frame: u64| usize::try_from(frame).unwrap_or(usize::MAX);
        let played = self.mixed.get(place(from)..place(from.saturating_add(taken))).unwrap_or_default();
        match &mut self.resampler {
            Some(resampler) => resampler.push(played).map_err(|BadRate| AudioError::Rate(rate)),
            None => Ok(()),
        }
    }

    /// The result.
    pub(super) fn finish(self) -> Result<Vec<f32>, AudioError> {
        let Some(resampler) = self.resampler else { return Err(AudioError::Empty) };
        resampler.finish().map_err(|BadRate| AudioError::Rate(self.rate))
    }

    fn begin(&mut self, rate: u32) -> Result<(), AudioError> {
        let resampler = FileResampler::new(rate, self.target);
        self.resampler = Some(resampler.map_err(|BadRate| AudioError::Rate(rate))?);
        self.rate = rate;
        if let Some(Played { from, length }) = self.played {
            self.skip = frames_of(from, rate);
            self.left = length.map_or(u64::MAX, |length| frames_of(length, rate));
        }
        Ok(())
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // `as` saturates.
fn frames_of(seconds: f64, rate: u32) -> u64 {
    (seconds * f64::from(rate)).round() as u64
}

fn u64_of(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
