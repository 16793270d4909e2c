//! Between a leg's audio, PCM of 8 kHz, and the agent's: nothing where both are the same, else mu-law and resampling by libraries, with
//! the state that a stream of pieces needs.

use audio_codec_algorithms::{decode_ulaw, encode_ulaw};
use bytes::{BufMut, BytesMut};
use precall_providers::elevenlabs::AudioFormat;

use crate::clip::SAMPLE;
use crate::codec::resampler::{RATE, StreamResampler};

/// From the agent to the caller.
pub struct ToCaller(Transcoder);

/// From the caller to the agent.
pub struct ToAgent(Transcoder);

/// One direction. What does not make a whole sample yet waits for the next piece.
struct Transcoder {
    from: AudioFormat,
    to: AudioFormat,
    rate: Option<StreamResampler>,
    half: Option<u8>,
}

impl ToCaller {
    /// From what the agent speaks.
    #[must_use]
    pub fn new(from: AudioFormat) -> Self {
        Self(Transcoder::new(from, AudioFormat::Pcm(RATE)))
    }

    /// Appends a piece as a leg takes it.
    pub fn take(&mut self, piece: &[u8], out: &mut BytesMut) {
        self.0.take(piece, out);
    }

    /// Forgets what waits for more: it was interrupted.
    pub fn reset(&mut self) {
        self.0.reset();
    }
}

impl ToAgent {
    /// To what the agent hears.
    #[must_use]
    pub fn new(to: AudioFormat) -> Self {
        Self(Transcoder::new(AudioFormat::Pcm(RATE), to))
    }

    /// Appends a piece as the agent takes it.
    pub fn take(&mut self, piece: &[u8], out: &mut BytesMut) {
        self.0.take(piece, out);
    }
}

impl Transcoder {
    fn new(from: AudioFormat, to: AudioFormat) -> Self {
        let rate_of = |format| match format {
            AudioFormat::Pcm(rate) => rate,
            AudioFormat::Ulaw => RATE,
        };
        // The provider's rates can all be converted: a test goes through them.
        let rate = StreamResampler::between(rate_of(from), rate_of(to)).ok().flatten();
        Self { from, to, rate, half: None }
    }

    fn reset(&mut self) {
        self.half = None;
        if let Some(rate) = &mut self.rate {
            rate.reset();
        }
    }

    fn take(&mut self, piece: &[u8], out: &mut BytesMut) {
        match self.from {
            AudioFormat::Ulaw => {
                for byte in piece {
                    self.sample(decode_ulaw(*byte), out);
                }
            }
            AudioFormat::Pcm(_) => self.take_pcm(piece, out),
        }
        self.flush(out);
    }

    fn take_pcm(&mut self, mut piece: &[u8], out: &mut BytesMut) {
        if let (Some(low), Some((high, rest))) = (self.half, piece.split_first()) {
            self.half = None;
            self.sample(i16::from_le_bytes([low, *high]), out);
            piece = rest;
        }
        let (samples, rest) = piece.as_chunks::<SAMPLE>();
        self.half = rest.first().copied().or(self.half);
        if self.rate.is_none() && self.to != AudioFormat::Ulaw {
            return out.extend_from_slice(samples.as_flattened());
        }
        for sample in samples {
            self.sample(i16::from_le_bytes(*sample), out);
        }
    }

    fn sample(&mut self, sample: i16, out: &mut BytesMut) {
        match &mut self.rate {
            Some(rate) => rate.push(sample),
            None => put(self.to, sample, out),
        }
    }

    fn flush(&mut self, out: &mut BytesMut) {
        if let Some(rate) = &mut self.rate {
            let to = self.to;
            rate.convert(|sample| put(to, sample, out));
        }
    }
}

fn put(to: AudioFormat, sample: i16, out: &mut BytesMut) {
    match to {
        AudioFormat::Pcm(_) => out.put_i16_le(sample),
        AudioFormat::Ulaw => out.put_u8(encode_ulaw(sample)),
    }
}

#[cfg(test)]
mod tests;
