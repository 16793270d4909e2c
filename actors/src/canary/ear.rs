//! Whether audio of a leg is sound or silence.
//!
//! Pure: no clock, no I/O, no actor.

/// Samples of 20 ms.
const FRAME: usize = 160;
/// A sample beyond this is a sound: about -36 dB. Line noise and comfort noise stay below.
const AUDIBLE: u16 = 500;

/// Counts the frames of 20 ms that hold a sound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ear {
    /// Half a sample that waits for its other half: pieces have odd sizes too.
    half: Option<u8>,
    samples: usize,
    is_loud: bool,
    loud_frames: u32,
}

impl Ear {
    /// Takes samples of 16 bits, little-endian, 8 kHz.
    pub(super) fn hear(&mut self, piece: &[u8]) {
        for &byte in piece {
            match self.half.take() {
                None => self.half = Some(byte),
                Some(low) => self.sample(i16::from_le_bytes([low, byte])),
            }
        }
    }

    /// Frames with a sound since the last [`Self::listen_anew`].
    pub(super) fn loud_frames(&self) -> u32 {
        self.loud_frames
    }

    /// Counts from zero again.
    pub(super) fn listen_anew(&mut self) {
        self.loud_frames = 0;
    }

    fn sample(&mut self, sample: i16) {
        self.is_loud |= sample.unsigned_abs() > AUDIBLE;
        self.samples = self.samples.saturating_add(1);
        if self.samples >= FRAME {
            self.loud_frames = self.loud_frames.saturating_add(u32::from(self.is_loud));
            (self.samples, self.is_loud) = (0, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(frames: usize, height: i16) -> Vec<u8> {
        (0..frames * FRAME).flat_map(|n| if n % 16 < 8 { height } else { -height }.to_le_bytes()).collect()
    }

    #[test]
    fn sound_is_counted_in_frames_and_silence_is_not() {
        let mut ear = Ear::default();
        ear.hear(&tone(50, 0));
        ear.hear(&tone(50, 300));
        assert_eq!(ear.loud_frames(), 0);
        // In pieces of odd sizes.
        for piece in tone(10, 6_000).chunks(333) {
            ear.hear(piece);
        }
        assert_eq!(ear.loud_frames(), 10);
        ear.listen_anew();
        ear.hear(&tone(3, i16::MIN + 1));
        assert_eq!(ear.loud_frames(), 3);
    }
}
