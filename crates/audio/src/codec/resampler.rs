//! One live stream from one sample rate to another, in blocks short enough that nobody hears the delay.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

/// Of a telephone.
pub const RATE: u32 = 8_000;
/// Blocks a second: 10 ms of audio are transformed together, and the filter delays by half of that.
const BLOCKS: u32 = 100;

/// The rates cannot be converted into each other; nobody who speaks uses such a one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadRate;

/// See the file.
pub struct StreamResampler {
    filter: Fft<f32>,
    waiting: Vec<f32>,
    block: Vec<f32>,
}

impl StreamResampler {
    /// None where nothing is to be converted.
    ///
    /// # Errors
    /// When no filter can be built for these rates.
    pub fn between(from: u32, to: u32) -> Result<Option<Self>, BadRate> {
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

    /// Takes a sample.
    pub fn push(&mut self, sample: i16) {
        self.waiting.push(f32::from(sample) / 32_768.0);
    }

    /// Hands over what can be converted of what was taken.
    pub fn convert(&mut self, mut out: impl FnMut(i16)) {
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
                    out(quantised(*sample));
                }
            }
        }
        self.waiting.drain(..done);
    }

    /// Forgets what it has heard.
    pub fn reset(&mut self) {
        self.waiting.clear();
        self.filter.reset();
    }
}

#[allow(clippy::cast_possible_truncation, reason = "a float beyond the range becomes the nearest sample")]
fn quantised(sample: f32) -> i16 {
    (sample * 32_768.0).round() as i16
}
