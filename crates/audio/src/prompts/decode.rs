//! Decodes a recording in a common format to a clip, within bounds. A recording that would sound wrong to callers is
//! refused here, with an error that says what to do.

use std::io::{self, Cursor, ErrorKind};
use std::time::Duration;

use bytes::Bytes;
use symphonia::core::audio::GenericAudioBufferRef;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions, ReadOnlySource};
use symphonia::core::meta::MetadataOptions;

use super::pcm::{clip_of, is_silent};
use super::resample::{BadRate, FileResampler};
use crate::clip::Clip;

#[cfg(test)]
mod tests;

/// Larger files are refused. Enough for two minutes of studio stereo or half an hour of MP3.
pub const FILE_BYTES_MAX: u64 = 20 * 1024 * 1024;
/// Longer recordings are refused.
pub(super) const LENGTH_MAX: Duration = Duration::from_secs(600);

/// Size of the head of an OGG Vorbis file, which holds its code books.
const OGG_HEAD: usize = 8 * 1024;

/// Why a recording cannot be played. The texts say what to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AudioError {
    /// The file does not exist.
    #[error("the file does not exist: put it there or correct the path")]
    Missing,
    /// A folder, a pipe, a device.
    #[error("it is not a regular file: name a recording")]
    NotAFile,
    /// The file exists but cannot be read.
    #[error("the file cannot be read ({0}): check its owner and permissions")]
    Unreadable(io::ErrorKind),
    /// The file has no bytes, or no samples.
    #[error("the recording is empty: record or export it again")]
    Empty,
    /// More than [`FILE_BYTES_MAX`].
    #[error("the recording is larger than 20 MiB: compress it, or export it with fewer samples a second")]
    TooLarge,
    /// Longer than 10 minutes.
    #[error("the recording is longer than 10 minutes: shorten it")]
    TooLong,
    /// No supported format.
    #[error("it is not WAV, MP3, FLAC or OGG audio: convert it, WAV of 16 bits is safest")]
    NotAudio,
    /// A known container with an unsupported codec: Opus, GSM, video.
    #[error("its codec is not supported (Opus and GSM are not): convert it, WAV of 16 bits is safest")]
    Codec,
    /// An unsupported sample rate.
    #[error("a rate of {0} samples a second is not supported: export it with 8,000 to 48,000")]
    Rate(u32),
    /// The file is shorter than it declares.
    #[error("the recording is cut off, it is shorter than its header says: copy or export it again")]
    Truncated,
    /// Too many packets cannot be decoded.
    #[error("the recording is damaged: copy or export it again")]
    Damaged,
    /// No audible sample.
    #[error("the recording is silent: check its level and its channels")]
    Silent,
}

/// Decodes the whole file. A long file takes seconds: run it on the blocking pool.
///
/// Channels are averaged. The level stays as it is, unless samples would clip at full scale.
///
/// # Errors
/// When the recording cannot be played, and why.
pub fn decode(content: &Bytes) -> Result<Clip, AudioError> {
    if content.is_empty() {
        return Err(AudioError::Empty);
    }
    if u64::try_from(content.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(AudioError::TooLarge);
    }
    let mut reader = open(content)?;
    let track = reader.default_track(TrackType::Audio).ok_or(AudioError::Codec)?;
    let (id, codec) = (track.id, track.codec_params.as_ref().and_then(|params| params.audio()));
    let mut decoder = decoder(codec.ok_or(AudioError::Codec)?)?;
    let mut mono = Mono::default();
    let mut packets = Packets::default();
    let mut last = Vec::new();
    loop {
        let packet = match reader.next_packet() {
            Ok(Some(packet)) if packet.track_id == id => packet,
            Ok(Some(_)) => continue,
            Ok(None) => break,
            Err(Error::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => break,
            Err(_) => return Err(AudioError::Damaged),
        };
        if is_mp3(content) {
            last.clear();
            last.extend_from_slice(&packet.data);
        }
        match decoder.decode(&packet) {
            Ok(buffer) => {
                packets.good = packets.good.saturating_add(1);
                mono.take(&buffer)?;
            }
            // Players skip bad packets too; `check_complete` judges their number at the end.
            Err(Error::DecodeError(_) | Error::IoError(_)) => packets.bad = packets.bad.saturating_add(1),
            Err(_) => return Err(AudioError::Damaged),
        }
    }
    let declared = declared_frames(reader.as_ref(), content);
    check_complete(declared, &packets, &mono)?;
    if is_mp3(content) && ends_within_a_frame(content, &last) {
        return Err(AudioError::Truncated);
    }
    let clip = clip_of(&mono.finish()?);
    if is_silent(&clip) {
        return Err(AudioError::Silent);
    }
    Ok(clip)
}

fn open(content: &Bytes) -> Result<Box<dyn FormatReader + 'static>, AudioError> {
    let cursor = Cursor::new(content.clone());
    // OGG has its length on the last page, so its reader must be able to seek. MP3 must not seek: its reader would
    // guess the length from the file size, and a guess cannot show whether a part is missing.
    let source: Box<dyn MediaSource> =
        if is_ogg(content) { Box::new(cursor) } else { Box::new(ReadOnlySource::new(cursor)) };
    let stream = MediaSourceStream::new(source, MediaSourceStreamOptions::default());
    let (format, metadata) = (FormatOptions::default(), MetadataOptions::default());
    symphonia::default::get_probe().probe(&Hint::new(), stream, format, metadata).map_err(|error| {
        let known: [&[u8]; 4] = [b"RIFF", b"fLaC", b"OggS", b"ID3"];
        if !known.iter().any(|magic| content.starts_with(magic)) {
            return AudioError::NotAudio;
        }
        match error {
            Error::IoError(_) => AudioError::Truncated,
            // The file ends within the OGG head.
            Error::Unsupported(_) if is_ogg(content) && content.len() < OGG_HEAD => AudioError::Truncated,
            Error::Unsupported(_) => AudioError::Codec,
            _ => AudioError::Damaged,
        }
    })
}

fn is_ogg(content: &Bytes) -> bool {
    content.starts_with(b"OggS")
}

/// MP3 has no container: a file begins with a tag or a frame.
fn is_mp3(content: &Bytes) -> bool {
    content.starts_with(b"ID3") || matches!(content.as_ref(), [0xff, second, ..] if second & 0xe0 == 0xe0)
}

/// Whether an MP3 file was cut off: then the start of a frame follows its last whole frame. Few MP3 files declare a
/// length.
fn ends_within_a_frame(content: &Bytes, last: &[u8]) -> bool {
    const SYNC: usize = 4;
    if last.is_empty() {
        return false;
    }
    let end = content.windows(last.len()).rposition(|found| found == last);
    let rest = end.and_then(|start| content.get(start.saturating_add(last.len())..)).unwrap_or_default();
    rest.len() >= SYNC && matches!(rest, [0xff, second, ..] if second & 0xe0 == 0xe0)
}

fn decoder(codec: &AudioCodecParameters) -> Result<Box<dyn AudioDecoder>, AudioError> {
    let options = AudioDecoderOptions::default();
    symphonia::default::get_codecs().make_audio_decoder(codec, &options).map_err(|_| AudioError::Codec)
}

/// The length that the file declares, in frames.
enum Declared {
    Frames(u64),
    /// No length, as its format allows.
    Nothing,
    /// No length, although a complete file of its format has one.
    Missing,
}

fn declared_frames(reader: &dyn FormatReader, content: &Bytes) -> Declared {
    match reader.default_track(TrackType::Audio).and_then(|track| track.num_frames) {
        Some(frames) => Declared::Frames(frames),
        None if is_ogg(content) => Declared::Missing,
        None => Declared::Nothing,
    }
}

#[derive(Default)]
struct Packets {
    good: u32,
    bad: u32,
}

fn check_complete(declared: Declared, packets: &Packets, mono: &Mono) -> Result<(), AudioError> {
    // One in ten may be bad, and always two: the first packets of an MP3 cut out of another file are incomplete.
    const BAD_ALWAYS_ALLOWED: u32 = 2;
    if packets.bad > BAD_ALWAYS_ALLOWED && packets.bad > packets.good / 10 {
        return Err(AudioError::Damaged);
    }
    let rate = u64::from(mono.rate);
    // A program that writes into a pipe does not know the length and declares an impossible one.
    let longest = rate.saturating_mul(3_600);
    // Encoders add padding, and some do not declare it.
    let slack = rate / 10;
    match declared {
        Declared::Missing => Err(AudioError::Truncated),
        Declared::Frames(frames) if frames <= longest && mono.frames.saturating_add(slack) < frames => {
            Err(AudioError::Truncated)
        }
        Declared::Frames(frames) if mono.frames == 0 && frames > 0 => Err(AudioError::Truncated),
        Declared::Frames(_) | Declared::Nothing if mono.frames == 0 => Err(AudioError::Empty),
        Declared::Frames(_) | Declared::Nothing => Ok(()),
    }
}

/// Mixes the channels to one and resamples to 8 kHz.
#[derive(Default)]
struct Mono {
    /// None before the first buffer.
    resampler: Option<FileResampler>,
    rate: u32,
    frames: u64,
    interleaved: Vec<f32>,
    mixed: Vec<f32>,
}

impl Mono {
    fn take(&mut self, buffer: &GenericAudioBufferRef<'_>) -> Result<(), AudioError> {
        let (rate, channels) = (buffer.spec().rate(), buffer.spec().channels().count());
        if buffer.frames() == 0 || channels == 0 {
            return Ok(());
        }
        if self.resampler.is_none() {
            self.resampler = Some(FileResampler::from_rate(rate).map_err(|BadRate| AudioError::Rate(rate))?);
            self.rate = rate;
        }
        if rate != self.rate {
            return Err(AudioError::Damaged);
        }
        self.frames = self.frames.saturating_add(u64::try_from(buffer.frames()).unwrap_or(u64::MAX));
        if self.frames > u64::from(rate).saturating_mul(LENGTH_MAX.as_secs()) {
            return Err(AudioError::TooLong);
        }
        self.interleaved.clear();
        buffer.copy_to_vec_interleaved(&mut self.interleaved);
        let share = 1.0 / f32::from(u16::try_from(channels).unwrap_or(u16::MAX));
        self.mixed.clear();
        // A float file may contain NaN.
        let sound = |sum: f32| if sum.is_finite() { sum * share } else { 0.0 };
        self.mixed.extend(self.interleaved.chunks_exact(channels).map(|frame| sound(frame.iter().sum())));
        match &mut self.resampler {
            Some(resampler) => resampler.push(&self.mixed).map_err(|BadRate| AudioError::Rate(rate)),
            None => Ok(()),
        }
    }

    fn finish(self) -> Result<Vec<f32>, AudioError> {
        let Some(resampler) = self.resampler else { return Err(AudioError::Empty) };
        resampler.finish().map_err(|BadRate| AudioError::Rate(self.rate))
    }
}
