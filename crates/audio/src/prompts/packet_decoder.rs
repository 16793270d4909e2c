//! Decodes the packets of one track, by symphonia's codecs and by that for Opus.

use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_AC3, CODEC_ID_DCA, CODEC_ID_EAC3, CODEC_ID_MP1, CODEC_ID_OPUS, CODEC_ID_PCM_F32BE,
    CODEC_ID_PCM_F32LE, CODEC_ID_PCM_F64BE, CODEC_ID_PCM_F64LE, CODEC_ID_PCM_S24BE, CODEC_ID_PCM_S24LE,
    CODEC_ID_PCM_S32BE, CODEC_ID_PCM_S32LE, CODEC_ID_SPEEX, CODEC_ID_TTA, CODEC_ID_WAVPACK, CODEC_ID_WMA,
};
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::packet::Packet;

use super::audio_error::AudioError;
use super::mono::Mono;
use super::mp4::core_config;
use super::opus::{self, OpusDecoder};
use super::recording_format::RecordingFormat;

/// Samples of a packet in all channels: the library reserves memory for as many as a header declares.
const PACKET_SAMPLES_MAX: u64 = 1 << 22;

/// The decoder of one track.
pub(super) enum PacketDecoder {
    Library { decoder: Box<dyn AudioDecoder>, interleaved: Vec<f32> },
    Opus(Box<OpusDecoder>),
}

impl PacketDecoder {
    /// `is_swapped`: the library takes big-endian PCM for little-endian.
    pub(super) fn of(
        codec: &AudioCodecParameters,
        format: RecordingFormat,
        is_swapped: bool,
    ) -> Result<Self, AudioError> {
        if codec.codec == CODEC_ID_OPUS {
            return OpusDecoder::new(codec, format != RecordingFormat::Mp4).map(Box::new).map(Self::Opus);
        }
        let channels = codec.channels.as_ref().map_or(1, |channels| channels.count());
        let samples = codec
            .max_frames_per_packet
            .unwrap_or(0)
            .saturating_mul(u64::try_from(channels).unwrap_or(u64::MAX));
        if samples > PACKET_SAMPLES_MAX {
            return Err(AudioError::Damaged);
        }
        let mut codec = codec.clone();
        if is_swapped {
            codec.codec = big_endian(codec.codec);
        }
        if codec.codec == CODEC_ID_AAC
            && let Some(config) = &codec.extra_data
        {
            codec.extra_data = Some(Box::from(core_config(config)?));
        }
        let made =
            symphonia::default::get_codecs().make_audio_decoder(&codec, &AudioDecoderOptions::default());
        let decoder = made.map_err(|_| AudioError::Codec(codec_name(codec.codec)))?;
        Ok(Self::Library { decoder, interleaved: Vec::new() })
    }

    /// Whether the packet could be decoded.
    pub(super) fn decode(&mut self, packet: &Packet, mono: &mut Mono) -> Result<bool, AudioError> {
        match self {
            Self::Opus(decoder) => {
                let channels = decoder.channels();
                let Ok(sound) = decoder.decode(&packet.data, packet.trim_end.get()) else { return Ok(false) };
                mono.take(opus::RATE, channels, sound)?;
            }
            Self::Library { decoder, interleaved } => match decoder.decode(packet) {
                Ok(buffer) => {
                    let (rate, channels) = (buffer.spec().rate(), buffer.spec().channels().count());
                    interleaved.clear();
                    buffer.copy_to_vec_interleaved(interleaved);
                    mono.take(rate, channels, interleaved)?;
                }
                Err(Error::DecodeError(_) | Error::IoError(_)) => return Ok(false),
                Err(_) => return Err(AudioError::Damaged),
            },
        }
        Ok(true)
    }
}

fn big_endian(codec: AudioCodecId) -> AudioCodecId {
    match codec {
        CODEC_ID_PCM_S24LE => CODEC_ID_PCM_S24BE,
        CODEC_ID_PCM_S32LE => CODEC_ID_PCM_S32BE,
        CODEC_ID_PCM_F32LE => CODEC_ID_PCM_F32BE,
        CODEC_ID_PCM_F64LE => CODEC_ID_PCM_F64BE,
        other => other,
    }
}

fn codec_name(codec: AudioCodecId) -> &'static str {
    let names: [(AudioCodecId, &'static str); 9] = [
        (CODEC_ID_AAC, "a form of AAC that precall does not know"),
        (CODEC_ID_AC3, "AC-3"),
        (CODEC_ID_EAC3, "E-AC-3"),
        (CODEC_ID_DCA, "DTS"),
        (CODEC_ID_MP1, "MPEG layer I"),
        (CODEC_ID_TTA, "True Audio"),
        (CODEC_ID_WAVPACK, "WavPack"),
        (CODEC_ID_WMA, "WMA"),
        (CODEC_ID_SPEEX, "Speex"),
    ];
    let known = names.iter().find(|(known, _)| *known == codec);
    known.map_or("one that precall does not know", |(_, name)| name)
}
