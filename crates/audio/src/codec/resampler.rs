//! Resamples a live stream, in blocks short enough for an inaudible delay.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

/// Sample rate of a leg, in samples a second.
pub(crate) const RATE: u32 = 8_000;
/// Blocks a second: 10 ms per block. The filter delays by half a block.
const BLOCKS: u32 = 100;

/// No filter can be built for these rates. The provider uses no such rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadRate;

/// Resamples one live channel.
pub(crate) struct StreamResampler {
    filter: Fft<f32>,
    waiting: Vec<f32>,
    block: Vec<f32>,
}

impl StreamResampler {
    /// A resampler between two rates; none when they are equal.
    ///
    /// # Errors
    /// When no filter can be built for these rates.
    pub(crate) fn between(from: u32, to: u32) -> Result<Option<Self>, BadRate> {
        if from == to {
            return Ok(None);
        }
        let frames = |rate: u32| usize::try_from(rate).map_err(|_| BadRate);
        let block = frames(from.div_ceil(BLOCKS))?;
        let window = WindowFunction::BlackmanHarris2;
        let filter = Fft::new_custom(frames(from)?, frames(to)?, block, 1, 1, window, FixedSync::Both)
            .map_err(|_| BadRate)?;
        let block = vec![0.0; filter.output_frames_max()];
        Ok(Some(Self { filter, waiting: Vec::new(), block }))
    }

    /// Appends a sample.
    pub(crate) fn push(&mut self, sample: i16) {
        self.waiting.push(f32::from(sample) / 32_768.0);
    }

    /// Passes the samples that can be converted so far to `out`.
    pub(crate) fn convert(&mut self, mut out: impl FnMut(i16)) {
        let frames = self.filter.input_frames_next();
        let mut done = 0_usize;
        while let Some(input) = self.waiting.get(done..done.saturating_add(frames)) {
            done = done.saturating_add(frames);
            let length = self.block.len();
            let (Ok(input), Ok(mut output)) = (
                InterleavedSlice::new(input, 1, frames),
                InterleavedSlice::new_mut(&mut self.block, 1, length),
            ) else {
                continue;
            };
            if let Ok((_, written)) = self.filter.process_into_buffer(&input, &mut output, None) {
                for sample in self.block.iter().take(written) {
                    out(to_i16(*sample));
                }
            }
        }
        self.waiting.drain(..done);
    }

    /// Drops all samples and the filter's history.
    pub(crate) fn reset(&mut self) {
        self.waiting.clear();
        self.filter.reset();
    }
}

#[allow(clippy::cast_possible_truncation, reason = "a float beyond the range becomes the nearest sample")]
fn to_i16(sample: f32) -> i16 {
    (sample * 32_768.0).round() as i16
}
