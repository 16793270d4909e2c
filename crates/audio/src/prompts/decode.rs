//! Decodes a recording in any format of [`RecordingFormat`], within bounds. A recording that would sound wrong to
//! callers is refused here, with an error that says what to do.

use std::io::{Cursor, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_FLAC, CODEC_ID_MP3, CODEC_ID_OPUS, CODEC_ID_VORBIS,
};
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions, ReadOnlySource};
use symphonia::core::meta::MetadataOptions;

use super::audio_error::AudioError;
use super::mono::Mono;
use super::mp4::Mp4;
use super::packet_decoder::PacketDecoder;
use super::pcm::{RATE, clip_of, is_silent, to_i16};
use super::recording_format::{RecordingFormat, recognise};
use super::wave::Wave;
use super::whole::{ends_within_a_frame, ends_within_the_segment};
use crate::clip::Clip;

#[cfg(test)]
mod tests;

/// Larger files are refused. Enough for two minutes of studio stereo or half an hour of MP3.
pub const FILE_BYTES_MAX: u64 = 20 * 1024 * 1024;
/// Packets in a file. Ten minutes have 240,000 of the shortest Opus packets, and a film has pictures beside them.
const PACKETS_MAX: u32 = 1_000_000;
/// Size of the head of an Ogg Vorbis file, which holds its code books.
const OGG_HEAD: usize = 8 * 1024;
/// A WAV of this length at most keeps the recording's rate; a longer one has [`WAV_RATE_LONG`]. Both fit into
/// [`FILE_BYTES_MAX`].
const WAV_LENGTH_FINE: Duration = Duration::from_secs(200);
const WAV_RATE_MAX: u32 = 48_000;
const WAV_RATE_LONG: u32 = 16_000;

/// A decoded recording.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The sound as a telephone plays it.
    pub clip: Clip,
    /// The format of the file.
    pub format: RecordingFormat,
    /// The file is what programs commonly write in this format: a sound track alone, in the usual codec, with a right
    /// header. Other programs read it.
    pub is_common: bool,
}

/// Decodes the whole file to a clip. A long file takes seconds: run it on the blocking pool.
///
/// Channels are averaged. The level stays as it is, unless samples would clip at full scale.
///
/// # Errors
/// When the recording cannot be played, and why.
pub fn decode(content: &Bytes) -> Result<Clip, AudioError> {
    read_recording(content).map(|recording| recording.clip)
}

/// As [`decode`], and says what the file is.
///
/// # Errors
/// As [`decode`].
pub fn read_recording(content: &Bytes) -> Result<Recording, AudioError> {
    guarded(|| read(content))
}

fn read(content: &Bytes) -> Result<Recording, AudioError> {
    let file = RecordingFile::of(content)?;
    let samples = file.samples(RATE)?;
    let clip = clip_of(&samples);
    if is_silent(&clip) {
        return Err(AudioError::Silent);
    }
    Ok(Recording { clip, format: file.format, is_common: file.is_common()? })
}

/// Converts a recording to WAV of 16 bits, one channel, with its own rate up to 48,000. Blocks, as [`decode`] does.
///
/// # Errors
/// As [`decode`].
pub fn to_wav(content: &Bytes, length: Duration) -> Result<Bytes, AudioError> {
    guarded(|| convert(content, length))
}

/// A decoder that panics has met a damaged file. It owns all that it changes.
fn guarded<T>(work: impl FnOnce() -> Result<T, AudioError>) -> Result<T, AudioError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(AudioError::Damaged))
}

fn convert(content: &Bytes, length: Duration) -> Result<Bytes, AudioError> {
    let file = RecordingFile::of(content)?;
    let own = file.rate()?;
    let rate = if length > WAV_LENGTH_FINE { WAV_RATE_LONG } else { own.clamp(RATE, WAV_RATE_MAX) };
    let samples = file.samples(rate)?;
    let size = u32::try_from(samples.len().saturating_mul(2)).map_err(|_| AudioError::TooLarge)?;
    let mut wav = BytesMut::with_capacity(samples.len().saturating_mul(2).saturating_add(44));
    wav.extend_from_slice(b"RIFF");
    wav.put_u32_le(size.saturating_add(36));
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.put_u32_le(rate);
    wav.put_u32_le(rate.saturating_mul(2));
    wav.extend_from_slice(b"\x02\0\x10\0data");
    wav.put_u32_le(size);
    let peak = samples.iter().fold(1.0_f32, |peak, sample| peak.max(sample.abs()));
    samples.iter().for_each(|sample| wav.put_i16_le(to_i16(sample / peak)));
    Ok(wav.freeze())
}

/// A recognised file, ready to be decoded, any number of times.
struct RecordingFile {
    format: RecordingFormat,
    /// What is in the content: MPEG frames for a WAV file of such, else the format.
    inner: RecordingFormat,
    /// Without tags, and with a right header.
    content: Bytes,
    mp4: Option<Mp4>,
    is_repaired: bool,
    /// The codec is not the usual one of its format; known before decoding for WAV alone.
    is_odd: bool,
}

impl RecordingFile {
    fn of(content: &Bytes) -> Result<Self, AudioError> {
        if content.is_empty() {
            return Err(AudioError::Empty);
        }
        if u64::try_from(content.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
            return Err(AudioError::TooLarge);
        }
        let (format, start) = recognise(content)?;
        let content = content.slice(start..);
        // Tags belong before MPEG frames alone.
        let is_repaired = start > 0 && format != RecordingFormat::Mp3;
        let mut file = Self { format, inner: format, content, mp4: None, is_repaired, is_odd: false };
        match format {
            RecordingFormat::Wav => file.take_apart()?,
            RecordingFormat::Mp4 => {
                let mp4 = Mp4::read(&file.content);
                if !mp4.is_whole {
                    return Err(AudioError::Truncated);
                }
                file.mp4 = Some(mp4);
            }
            RecordingFormat::Caf => {
                file.content = super::caf::with_size(&file.content).unwrap_or(file.content)
            }
            RecordingFormat::Aiff => {
                file.content = super::aiff::with_size(&file.content).unwrap_or(file.content)
            }
            RecordingFormat::Ogg => ogg_codec(&file.content)?,
            RecordingFormat::Aac if !is_adts_lc(&file.content) => {
                return Err(AudioError::Codec("AAC Main, SSR or LTP"));
            }
            RecordingFormat::WebM if ends_within_the_segment(&file.content) => {
                return Err(AudioError::Truncated);
            }
            _ => {}
        }
        Ok(file)
    }

    fn take_apart(&mut self) -> Result<(), AudioError> {
        let wave = Wave::read(&self.content)?;
        if let Some(codec) = wave.unsupported() {
            return Err(AudioError::Codec(codec));
        }
        if wave.data.is_empty() {
            return Err(AudioError::Empty);
        }
        self.is_repaired |= wave.is_repaired;
        self.is_odd = !wave.is_pcm();
        if wave.is_mpeg() {
            let (format, start) = recognise(&wave.data)?;
            (self.inner, self.content) = (format, wave.data.slice(start..));
        } else {
            self.content = wave.plain();
        }
        Ok(())
    }

    /// Decodes the sound track to one channel with `target` samples a second.
    fn samples(&self, target: u32) -> Result<Vec<f32>, AudioError> {
        let mut reader = self.open()?;
        let track = self.sound_track(reader.as_ref())?;
        let (id, codec) = (track.id, audio(track).ok_or(AudioError::NoSound)?);
        let is_swapped = self.mp4.as_ref().is_some_and(|mp4| mp4.is_big_endian(id));
        let mut decoder = PacketDecoder::of(codec, self.inner, is_swapped)?;
        let declared_rate = codec.sample_rate;
        let packet_frames = codec.max_frames_per_packet.unwrap_or(0);
        let played = self.mp4.as_ref().map_or(Ok(None), |mp4| mp4.played(id))?;
        let mut mono = Mono::new(target, played);
        let (mut packets, mut last) = (Packets::default(), Box::default());
        loop {
            let packet = match reader.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => break,
                Err(Error::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => break,
                Err(Error::ResetRequired) => return Err(AudioError::Several),
                Err(_) => return Err(AudioError::Damaged),
            };
            packets.all = packets.all.saturating_add(1);
            if packets.all > PACKETS_MAX {
                return Err(AudioError::TooDetailed);
            }
            if packet.track_id != id {
                continue;
            }
            match decoder.decode(&packet, &mut mono)? {
                true => packets.good = packets.good.saturating_add(1),
                // Players skip bad packets too; `check_complete` judges their number at the end.
                false => packets.bad = packets.bad.saturating_add(1),
            }
            if packets.are_hopeless() {
                return Err(AudioError::Damaged);
            }
            last = packet.data;
        }
        let declared = self.declared(reader.as_ref(), id, declared_rate);
        check_complete(declared, packet_frames, &packets, &mono)?;
        if ends_within_a_frame(self.inner, &self.content, &last) {
            return Err(AudioError::Truncated);
        }
        mono.finish()
    }

    fn open(&self) -> Result<Box<dyn FormatReader + 'static>, AudioError> {
        let cursor = Cursor::new(self.content.clone());
        // Ogg has its length on the last page, and MP4 its table at the end, so that their readers must seek. MPEG
        // must not seek: its reader would guess the length from the file size, and a guess cannot show whether a part
        // is missing.
        let source: Box<dyn MediaSource> = match self.inner {
            RecordingFormat::Ogg
            | RecordingFormat::Mp4
            | RecordingFormat::WebM
            | RecordingFormat::Aiff
            | RecordingFormat::Caf => Box::new(cursor),
            RecordingFormat::Wav
            | RecordingFormat::Mp3
            | RecordingFormat::Mp2
            | RecordingFormat::Flac
            | RecordingFormat::Aac => Box::new(ReadOnlySource::new(cursor)),
        };
        let stream = MediaSourceStream::new(source, MediaSourceStreamOptions::default());
        let (format, metadata) = (FormatOptions::default(), MetadataOptions::default());
        symphonia::default::get_probe().probe(&Hint::new(), stream, format, metadata).map_err(|error| {
            match error {
                Error::IoError(_) => AudioError::Truncated,
                // The file ends within the Ogg head, or before the table of an MP4.
                Error::Unsupported(_)
                    if self.format == RecordingFormat::Ogg && self.content.len() < OGG_HEAD =>
                {
                    AudioError::Truncated
                }
                Error::Unsupported(_) => match &self.mp4 {
                    Some(mp4) if mp4.tracks.is_empty() => AudioError::Truncated,
                    Some(mp4) => mp4.unread(),
                    None => AudioError::Codec("one that precall does not know"),
                },
                _ => AudioError::Damaged,
            }
        })
    }

    fn sound_track<'r>(&self, reader: &'r dyn FormatReader) -> Result<&'r Track, AudioError> {
        let default = reader.default_track(TrackType::Audio).filter(|track| audio(track).is_some());
        let default = default.or_else(|| reader.tracks().iter().find(|track| audio(track).is_some()));
        default.ok_or_else(|| match &self.mp4 {
            Some(mp4) => mp4.unread(),
            None if reader.tracks().iter().all(|track| track.codec_params.is_some()) => AudioError::NoSound,
            None => AudioError::Codec("one that precall does not know"),
        })
    }

    /// The length that the file declares, in samples of `rate`.
    fn declared(&self, reader: &dyn FormatReader, id: u32, rate: Option<u32>) -> Declared {
        let track = reader.tracks().iter().find(|track| track.id == id);
        match track.and_then(|track| track.num_frames) {
            // A file in fragments does not know its length.
            Some(0) if self.mp4.is_some() => Declared::Nothing,
            Some(frames) => Declared::Frames { frames, rate },
            None if self.format == RecordingFormat::Ogg => Declared::Missing,
            None => Declared::Nothing,
        }
    }

    /// The recording's own rate.
    fn rate(&self) -> Result<u32, AudioError> {
        let reader = self.open()?;
        let codec = audio(self.sound_track(reader.as_ref())?).and_then(|codec| codec.sample_rate);
        Ok(codec.unwrap_or(WAV_RATE_MAX))
    }

    fn is_common(&self) -> Result<bool, AudioError> {
        if self.is_repaired || self.is_odd || self.mp4.as_ref().is_some_and(Mp4::has_video) {
            return Ok(false);
        }
        let reader = self.open()?;
        let only_sound = reader.tracks().iter().all(|track| audio(track).is_some());
        let codec = audio(self.sound_track(reader.as_ref())?).map(|codec| codec.codec);
        let usual: &[AudioCodecId] = match self.format {
            RecordingFormat::Wav => return Ok(true),
            RecordingFormat::Mp3 => &[CODEC_ID_MP3],
            RecordingFormat::Flac => &[CODEC_ID_FLAC],
            RecordingFormat::Ogg | RecordingFormat::WebM => &[CODEC_ID_OPUS, CODEC_ID_VORBIS],
            RecordingFormat::Mp4 => &[CODEC_ID_AAC],
            RecordingFormat::Mp2 | RecordingFormat::Aac | RecordingFormat::Aiff | RecordingFormat::Caf => &[],
        };
        Ok(only_sound && codec.is_some_and(|codec| usual.contains(&codec)))
    }
}

fn audio(track: &Track) -> Option<&AudioCodecParameters> {
    track.codec_params.as_ref().and_then(|params| params.audio())
}

/// The length that the file declares.
enum Declared {
    Frames {
        frames: u64,
        /// In samples of this rate; that of the core of HE-AAC is half of it. `None`: of the decoded sound.
        rate: Option<u32>,
    },
    /// No length, as its format allows.
    Nothing,
    /// No length, although a complete file of its format has one.
    Missing,
}

#[derive(Default)]
struct Packets {
    all: u32,
    good: u32,
    bad: u32,
}

impl Packets {
    /// Bad packets take time, and their number has no other bound.
    fn are_hopeless(&self) -> bool {
        const BAD_MAX: u32 = 2_000;
        self.bad > BAD_MAX && self.bad > self.good
    }
}

fn check_complete(
    declared: Declared,
    packet_frames: u64,
    packets: &Packets,
    mono: &Mono,
) -> Result<(), AudioError> {
    // One in ten may be bad, and always two: the first packets of an MP3 cut out of another file are incomplete.
    const BAD_ALWAYS_ALLOWED: u32 = 2;
    if packets.bad > BAD_ALWAYS_ALLOWED && packets.bad > packets.good / 10 {
        return Err(AudioError::Damaged);
    }
    match declared {
        Declared::Missing => Err(AudioError::Truncated),
        Declared::Frames { frames, rate } => {
            let rate = u64::from(rate.filter(|rate| *rate > 0).unwrap_or(mono.rate));
            // A program that writes into a pipe does not know the length and declares an impossible one.
            let longest = rate.saturating_mul(3_600);
            // Encoders add padding, and some do not declare it; some count the last packet as a full one.
            let slack = packet_frames.clamp(rate / 10, rate / 2);
            let core_rate = u64::from(mono.rate.max(1));
            let decoded = mono.frames.saturating_mul(rate).checked_div(core_rate).unwrap_or(0);
            if mono.frames == 0 && frames == 0 {
                Err(AudioError::Empty)
            } else if mono.frames == 0 || frames <= longest && decoded.saturating_add(slack) < frames {
                Err(AudioError::Truncated)
            } else {
                Ok(())
            }
        }
        Declared::Nothing if mono.frames == 0 => Err(AudioError::Empty),
        Declared::Nothing => Ok(()),
    }
}

/// Looks at the first packet of an Ogg file, for codecs that the library does not report.
fn ogg_codec(content: &[u8]) -> Result<(), AudioError> {
    const PAYLOAD: usize = 28;
    const FAMILY: usize = 18;
    let first = content.get(PAYLOAD..).unwrap_or_default();
    if first.starts_with(b"Speex   ") {
        return Err(AudioError::Codec("Speex"));
    }
    let is_mapped = first.starts_with(b"OpusHead") && first.get(FAMILY).is_some_and(|family| *family > 1);
    if is_mapped { Err(AudioError::Codec("Opus with channels of its own mapping")) } else { Ok(()) }
}

/// Whether the first ADTS frame is of the profile that is decoded.
fn is_adts_lc(content: &[u8]) -> bool {
    const LC: u8 = 1;
    content.get(2).is_some_and(|byte| byte >> 6 == LC)
}
