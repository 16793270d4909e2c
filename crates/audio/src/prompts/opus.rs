//! Opus packets, which symphonia unpacks from Ogg, WebM and MP4 and does not decode.

use ropus::{Channels, DecodeMode, Decoder};
use symphonia::core::codecs::audio::AudioCodecParameters;

use super::audio_error::AudioError;

/// Rate of the decoded sound.
pub(super) const RATE: u32 = 48_000;
/// Samples of the longest packet, 120 ms.
const PACKET_FRAMES: usize = 5_760;

/// Decodes the packets of one track.
pub(super) struct OpusDecoder {
    decoder: Decoder,
    channels: usize,
    /// Samples that the encoder put before the sound, not yet dropped.
    skip: usize,
    buffer: Vec<f32>,
}

/// A packet that cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadPacket;

impl OpusDecoder {
    /// A decoder for a track. `skips`: the header's number of samples before the sound is to be dropped; an edit list
    /// does it in MP4.
    ///
    /// # Errors
    /// [`AudioError::Codec`] for more than two channels.
    pub(super) fn new(codec: &AudioCodecParameters, skips: bool) -> Result<Self, AudioError> {
        const SKIP: usize = 10;
        const FAMILY: usize = 18;
        // Core Audio has a header of another kind.
        let head =
            codec.extra_data.as_deref().filter(|head| head.starts_with(b"OpusHead")).unwrap_or_default();
        let family = head.get(FAMILY).copied().unwrap_or(0);
        let count = codec.channels.as_ref().map_or(2, |channels| channels.count());
        let surround = AudioError::Codec("Opus with more than two channels");
        let channels = match count {
            1 if family <= 1 => Channels::Mono,
            2 if family <= 1 => Channels::Stereo,
            _ => return Err(surround),
        };
        let decoder = Decoder::new(RATE, channels).map_err(|_| AudioError::Damaged)?;
        let skip =
            head.get(SKIP..).and_then(|rest| rest.first_chunk().copied()).map_or(0, u16::from_le_bytes);
        let skip = if skips { usize::from(skip) } else { 0 };
        Ok(Self { decoder, channels: count, skip, buffer: vec![0.0; PACKET_FRAMES.saturating_mul(count)] })
    }

    /// Channels of the sound.
    pub(super) fn channels(&self) -> usize {
        self.channels
    }

    /// The packet's sound, its channels interleaved, without `padding` samples at its end.
    pub(super) fn decode(&mut self, packet: &[u8], padding: u64) -> Result<&[f32], BadPacket> {
        if packet.is_empty() {
            return Ok(&[]);
        }
        let decoded = self.decoder.decode_float(packet, &mut self.buffer, DecodeMode::Normal);
        let frames = decoded.map_err(|_| BadPacket)?;
        let from = self.skip.min(frames);
        self.skip = self.skip.saturating_sub(frames);
        let to = frames.saturating_sub(usize::try_from(padding).unwrap_or(usize::MAX)).max(from);
        let place = |frame: usize| frame.saturating_mul(self.channels);
        Ok(self.buffer.get(place(from)..place(to)).unwrap_or_default())
    }
}
