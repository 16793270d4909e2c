//! Any sample rate to a telephone's, piece by piece, so that a long recording at a high rate is never in memory at once.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

use super::pcm::RATE;

/// Samples that are transformed together: the more, the steeper the filter below 4 kHz; a clip is not live, so its delay
/// does not matter.
const BLOCK: usize = 4_096;

/// The rate cannot be converted; nothing that plays sound uses such a one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadRate;

/// One channel on its way to a telephone's rate.
pub(super) struct Resampling {
    /// None where nothing is to be done.
    filter: Option<Fft<f32>>,
    rate: u32,
    waiting: Vec<f32>,
    out: Vec<f32>,
    taken: u64,
}

impl Resampling {
    /// From `rate` samples a second, 2,000 to 768,000.
    pub(super) fn from_rate(rate: u32) -> Result<Self, BadRate> {
        if !(2_000..=768_000).contains(&rate) {
            return Err(BadRate);
        }
        let filter = if rate == RATE { None } else { Some(filter(rate)?) };
        Ok(Self { filter, rate, waiting: Vec::new(), out: Vec::new(), taken: 0 })
    }

    /// Takes more samples.
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

    /// Everything that came out, as long as what went in and not delayed against it.
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
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::cast_precision_loss,
        reason = "a test may stop at what it did not expect"
    )]
    use std::f32::consts::TAU;

    use super::super::pcm::clip_of;
    use super::super::pcm::listening::{amplitude, samples};
    use super::Resampling;

    fn tone(rate: u32, hz: f32, frames: u16) -> Vec<f32> {
        (0..frames).map(|n| 0.5 * (TAU * hz * f32::from(n) / rate as f32).sin()).collect()
    }

    fn converted(rate: u32, input: &[f32], piece: usize) -> Vec<f32> {
        let mut resampling = Resampling::from_rate(rate).unwrap();
        for piece in input.chunks(piece) {
            resampling.push(piece).unwrap();
        }
        resampling.finish().unwrap()
    }

    #[test]
    fn a_tone_keeps_its_frequency_its_level_and_its_place() {
        for rate in [4_000_u32, 8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 44_101] {
            let input = tone(rate, 440.0, 30_000);
            let output = converted(rate, &input, 1_152);
            assert_eq!(output.len(), usize::try_from(240_000_000_u64.div_ceil(u64::from(rate))).unwrap());
            let heard = samples(&clip_of(&output));
            // The ends ring: what came before the first sample is not known.
            let middle = &heard[heard.len() / 4..heard.len() * 3 / 4];
            assert!((amplitude(middle, 440.0) - 0.5).abs() < 0.01, "{rate}: {}", amplitude(middle, 440.0));
            // Not late: the tone is where it would be if it had been recorded at 8 kHz, to half a sample.
            let direct = tone(8_000, 440.0, 4_000);
            let apart = (500..900).map(|n| (output[n] - direct[n]).abs()).fold(0.0, f32::max);
            assert!(apart < 0.1, "{rate}: {apart}");
        }
    }

    #[test]
    fn what_a_telephone_cannot_carry_is_gone_and_does_not_come_back_as_something_else() {
        let output = converted(48_000, &tone(48_000, 5_000.0, 48_000), 4_800);
        let heard = samples(&clip_of(&output));
        let middle = &heard[2_000..6_000];
        assert!(amplitude(middle, 3_000.0) < 0.001, "the mirror image of 5 kHz");
        assert!(middle.iter().all(|sample| sample.abs() < 0.001));
        let kept = converted(48_000, &tone(48_000, 3_400.0, 48_000), 4_800);
        assert!(amplitude(&samples(&clip_of(&kept))[2_000..6_000], 3_400.0) > 0.49, "the top of the band");
    }

    #[test]
    fn the_pieces_do_not_matter() {
        let input = tone(44_100, 700.0, 20_000);
        let whole = converted(44_100, &input, 20_000);
        for piece in [1, 7, 4_095, 4_410, 9_999] {
            assert_eq!(converted(44_100, &input, piece), whole, "{piece}");
        }
        assert_eq!(converted(44_100, &[], 1), Vec::<f32>::new());
        assert_eq!(converted(44_100, &[0.1], 1).len(), 1);
    }

    #[test]
    fn a_rate_that_nothing_uses_is_refused() {
        for rate in [0, 1, 1_999, 768_001, u32::MAX] {
            assert!(Resampling::from_rate(rate).is_err(), "{rate}");
        }
    }
}
