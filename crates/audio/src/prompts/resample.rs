//! Resamples a recording to 8 kHz, piece by piece: a long recording at a high rate is never in memory as a whole.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

use super::pcm::RATE;

/// Samples per transform: the more, the steeper the filter below 4 kHz. Delay does not matter, since a clip is not
/// live.
const BLOCK: usize = 4_096;

/// The rate cannot be converted. No common format uses such a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadRate;

/// Resamples one channel to 8 kHz.
pub(super) struct FileResampler {
    /// None when the rate is 8 kHz already.
    filter: Option<Fft<f32>>,
    rate: u32,
    waiting: Vec<f32>,
    out: Vec<f32>,
    taken: u64,
}

impl FileResampler {
    /// From `rate` samples a second, 2,000 to 768,000.
    pub(super) fn from_rate(rate: u32) -> Result<Self, BadRate> {
        if !(2_000..=768_000).contains(&rate) {
            return Err(BadRate);
        }
        let filter = if rate == RATE { None } else { Some(filter(rate)?) };
        Ok(Self { filter, rate, waiting: Vec::new(), out: Vec::new(), taken: 0 })
    }

    /// Appends samples.
    pub(super) fn push(&mut self, samples: &[f32]) -> Result<(), BadRate> {
        self.taken = self.taken.saturating_add(u64::try_from(samples.len()).unwrap_or(u64::MAX));
        let Some(filter) = &mut self.filter else {
            self.out.extend_from_slice(samples);
            return Ok(());
        };
        self.waiting.extend_from_slice(samples);
        let block = filter.input_frames_next();
        let mut rest = self.waiting.as_slice();
        while let Some((head, tail)) = rest.split_at_checked(block) {
            convert(filter, head, &mut self.out)?;
            rest = tail;
        }
        self.waiting = rest.to_vec();
        Ok(())
    }

    /// The whole output: as long as the input, without the filter's delay.
    pub(super) fn finish(mut self) -> Result<Vec<f32>, BadRate> {
        let Some(mut filter) = self.filter else { return Ok(self.out) };
        let wanted = self.taken.saturating_mul(u64::from(RATE)).div_ceil(u64::from(self.rate));
        let wanted = usize::try_from(wanted).map_err(|_| BadRate)?;
        let delay = filter.output_delay();
        let mut block = self.waiting;
        while self.out.len() < wanted.saturating_add(delay) {
            block.resize(filter.input_frames_next(), 0.0);
            convert(&mut filter, &block, &mut self.out)?;
            block.clear();
        }
        self.out.drain(..delay.min(self.out.len()));
        self.out.truncate(wanted);
        Ok(self.out)
    }
}

fn filter(rate: u32) -> Result<Fft<f32>, BadRate> {
    let from = usize::try_from(rate).map_err(|_| BadRate)?;
    let to = usize::try_from(RATE).map_err(|_| BadRate)?;
    let window = WindowFunction::BlackmanHarris2;
    Fft::new_custom(from, to, BLOCK, 1, 1, window, FixedSync::Both).map_err(|_| BadRate)
}

fn convert(filter: &mut Fft<f32>, block: &[f32], out: &mut Vec<f32>) -> Result<(), BadRate> {
    let block = InterleavedSlice::new(block, 1, block.len()).map_err(|_| BadRate)?;
    let converted = filter.process(&block, None).map_err(|_| BadRate)?;
    out.extend_from_slice(&converted.take_data());
    Ok(())
}

#[cfg(test)]
mod tests;
