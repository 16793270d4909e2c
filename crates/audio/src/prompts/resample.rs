//! Resamples a recording, piece by piece: a long recording at a high rate is never in memory as a whole.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

/// Samples per transform: the more, the steeper the filter below 4 kHz. Delay does not matter, since a clip is not
/// live.
const BLOCK: usize = 4_096;
/// Longest period of two rates, in samples: after it they coincide again. The filter is as long as one period, and
/// common rates have one of some hundred.
const PERIOD_MAX: u32 = 65_536;

/// The rate cannot be converted. No common format uses such a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadRate;

/// Resamples one channel.
pub(super) struct FileResampler {
    /// None when the rate is right already.
    filter: Option<Fft<f32>>,
    from: u32,
    to: u32,
    waiting: Vec<f32>,
    out: Vec<f32>,
    taken: u64,
}

impl FileResampler {
    /// From and to samples a second, each 2,000 to 768,000, with a common divisor where one is high.
    pub(super) fn new(from: u32, to: u32) -> Result<Self, BadRate> {
        let possible = 2_000..=768_000;
        if !possible.contains(&from) || !possible.contains(&to) || period(from, to) > PERIOD_MAX {
            return Err(BadRate);
        }
        let filter = if from == to { None } else { Some(filter(from, to)?) };
        Ok(Self { filter, from, to, waiting: Vec::new(), out: Vec::new(), taken: 0 })
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
        let wanted = self.taken.saturating_mul(u64::from(self.to)).div_ceil(u64::from(self.from));
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

/// Samples of the higher rate after which both coincide again.
fn period(from: u32, to: u32) -> u32 {
    let (mut divisor, mut rest) = (from, to);
    while let Some(next) = divisor.checked_rem(rest) {
        (divisor, rest) = (rest, next);
    }
    from.max(to).checked_div(divisor).unwrap_or(u32::MAX)
}

fn filter(from: u32, to: u32) -> Result<Fft<f32>, BadRate> {
    let from = usize::try_from(from).map_err(|_| BadRate)?;
    let to = usize::try_from(to).map_err(|_| BadRate)?;
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
