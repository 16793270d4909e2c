//! Converts between a leg's audio, PCM of 8 kHz, and the agent's format: mu-law and other rates. Equal formats pass
//! through.

use audio_codec_algorithms::{decode_ulaw, encode_ulaw};
use bytes::{BufMut, BytesMut};
use precall_providers::elevenlabs::AudioFormat;

use crate::clip::SAMPLE;
use crate::codec::resampler::{RATE, StreamResampler};

/// Converts the agent's audio for the caller.
pub(crate) struct ToCaller(Transcoder);

/// Converts the caller's audio for the agent.
pub(crate) struct ToAgent(Transcoder);

/// One direction. Half a sample at the end of a piece waits for the next piece.
struct Transcoder {
    from: AudioFormat,
    to: AudioFormat,
    rate: Option<StreamResampler>,
    half: Option<u8>,
}

impl ToCaller {
    /// `from` is the agent's output format.
    #[must_use]
    pub(crate) fn new(from: AudioFormat) -> Self {
        Self(Transcoder::new(from, AudioFormat::Pcm(RATE)))
    }

    /// Converts a piece and appends it to `out`, as 8 kHz PCM.
    pub(crate) fn take(&mut self, piece: &[u8], out: &mut BytesMut) {
        self.0.take(piece, out);
    }

    /// Drops partly converted audio, after an interruption.
    pub(crate) fn reset(&mut self) {
        self.0.reset();
    }
}

impl ToAgent {
    /// `to` is the agent's input format.
    #[must_use]
    pub(crate) fn new(to: AudioFormat) -> Self {
        Self(Transcoder::new(AudioFormat::Pcm(RATE), to))
    }

    /// Converts a piece and appends it to `out`, in the agent's format.
    pub(crate) fn take(&mut self, piece: &[u8], out: &mut BytesMut) {
        self.0.take(piece, out);
    }
}

impl Transcoder {
    fn new(from: AudioFormat, to: AudioFormat) -> Self {
        let rate_of = |format| match format {
            AudioFormat::Pcm(rate) => rate,
            AudioFormat::Ulaw => RATE,
        };
        // All rates of the provider can be converted; a test checks each.
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
                    self.push_sample(decode_ulaw(*byte), out);
                }
            }
            AudioFormat::Pcm(_) => self.take_pcm(piece, out),
        }
        self.flush(out);
    }

    fn take_pcm(&mut self, mut piece: &[u8], out: &mut BytesMut) {
        if let (Some(low), Some((high, rest))) = (self.half, piece.split_first()) {
            self.half = None;
            self.push_sample(i16::from_le_bytes([low, *high]), out);
            piece = rest;
        }
        let (samples, rest) = piece.as_chunks::<SAMPLE>();
        self.half = rest.first().copied().or(self.half);
        if self.rate.is_none() && self.to != AudioFormat::Ulaw {
            return out.extend_from_slice(samples.as_flattened());
        }
        for sample in samples {
            self.push_sample(i16::from_le_bytes(*sample), out);
        }
    }

    fn push_sample(&mut self, sample: i16, out: &mut BytesMut) {
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
