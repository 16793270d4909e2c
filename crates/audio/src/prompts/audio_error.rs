//! Why a recording cannot be used, in words that say what to change.

use std::io;

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
    /// More than [`super::FILE_BYTES_MAX`].
    #[error("the recording is larger than 20 MiB: compress it, or export it with fewer samples a second")]
    TooLarge,
    /// Longer than 10 minutes.
    #[error("the recording is longer than 10 minutes: shorten it")]
    TooLong,
    /// More samples in all channels than [`super::decode::SAMPLES_MAX`], or too many packets.
    #[error("the recording has too many channels or samples a second: export it in mono with 48,000")]
    TooDetailed,
    /// No known format. The list is that of [`super::RecordingFormat`]; a test compares them.
    #[error(
        "it is not a recording in WAV, MP3, FLAC, Ogg, WebM, M4A, MP4, 3GP, AAC, AIFF or CAF: convert it, for example \
         with ffmpeg -i IN OUT.wav"
    )]
    NotAudio,
    /// A known container that is not supported.
    #[error("{name} is not supported: convert it, for example with ffmpeg -i IN.{extension} OUT.wav")]
    Container {
        /// What people call it.
        name: &'static str,
        /// The usual end of its name.
        extension: &'static str,
    },
    /// A file of another kind, which no program converts to sound.
    #[error("it is {0}")]
    Otherwise(&'static str),
    /// Several recordings in one file, one behind the other.
    #[error("it consists of several recordings, one behind the other: export it as one, as WAV or MP3")]
    Several,
    /// A supported container with an unsupported codec.
    #[error("its codec ({0}) is not supported: convert it, for example with ffmpeg -i IN OUT.wav")]
    Codec(&'static str),
    /// A container without sound, such as a film without a sound track.
    #[error("it has no sound: name a recording with an audio track")]
    NoSound,
    /// The recording was cut by an edit list of several parts, which only some players follow.
    #[error("it was edited and still contains the removed parts (edit list): export it again, as WAV or MP3")]
    Edited,
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
