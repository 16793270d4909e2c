//! The recording a voice is cloned from: found strictly inside one folder, bounded, recognised, hashed. A mapping's
//! `voice_sample_url` comes from people and imports; it must never make precall send another file of the machine away.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use url::Url;

use crate::prompts::{AudioError, FILE_BYTES_MAX, decode};

#[cfg(test)]
mod tests;

/// Larger files are refused, as other recordings are. The provider documents no limit; two minutes of a studio's stereo have 20 MiB, and
/// more than three minutes make a clone worse (ElevenLabs facts, section 1).
pub const SAMPLE_BYTES_MAX: u64 = FILE_BYTES_MAX;
/// Shorter samples are refused: there is too little of the voice in them.
const LENGTH_MIN: Duration = Duration::from_secs(3);
/// Samples this near to full scale, and so many in a thousand of them, are what a recording has whose level was too high.
const CLIPPED_LEVEL: u16 = 32_000;
const CLIPPED_PER_MILLE: usize = 20;
/// As long as a path may be on Linux.
const REFERENCE_BYTES_MAX: usize = 4096;
/// How far into an `.mp3` the first frame may stand, after whatever a recorder wrote in front of it.
const MP3_SEARCH_BYTES: usize = 4096;

/// A recording, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct VoiceSample {
    /// What it is, by its own first bytes.
    pub format: AudioFormat,
    /// The whole file, at most [`SAMPLE_BYTES_MAX`].
    pub content: Bytes,
    /// SHA-256 of the content: what a consent or a cached clone refers to.
    pub sha256: [u8; 32],
}

impl std::fmt::Debug for VoiceSample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VoiceSample({:?}, {} bytes)", self.format, self.content.len())
    }
}

/// Formats that ElevenLabs is known to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioFormat {
    /// RIFF or RF64 WAVE.
    Wav,
    /// MPEG layer III.
    Mp3,
    /// FLAC.
    Flac,
    /// Vorbis or Opus in Ogg.
    Ogg,
    /// AAC in MP4.
    M4a,
}

impl AudioFormat {
    /// Media type of the multipart part.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::Mp3 => "audio/mpeg",
            Self::Flac => "audio/flac",
            Self::Ogg => "audio/ogg",
            Self::M4a => "audio/mp4",
        }
    }

    /// The name it is sent under. Never the name on disk, which often is a person's name or number.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Wav => "sample.wav",
            Self::Mp3 => "sample.mp3",
            Self::Flac => "sample.flac",
            Self::Ogg => "sample.ogg",
            Self::M4a => "sample.m4a",
        }
    }
}

/// Why a sample cannot be used. The texts say what to change and never repeat the path: it often holds a number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SampleError {
    /// Another scheme than `file`.
    #[error(
        "voice_sample_url begins with {scheme}://, which is not read here: copy the file into LOCAL_VOICE_SAMPLES_PATH and store its path"
    )]
    Scheme {
        /// The scheme, at most 16 characters.
        scheme: String,
    },
    /// Not a path at all.
    #[error("voice_sample_url is not a path or file URL: store a path inside LOCAL_VOICE_SAMPLES_PATH")]
    Malformed,
    /// The folder itself cannot be used.
    #[error("LOCAL_VOICE_SAMPLES_PATH cannot be opened ({0}): create the folder or correct the variable")]
    NoFolder(io::ErrorKind),
    /// The path leads out of the folder, by itself or through a link.
    #[error(
        "the sample lies outside LOCAL_VOICE_SAMPLES_PATH: move the file into that folder and store its path there"
    )]
    Outside,
    /// Nothing is there.
    #[error(
        "the sample does not exist: put the file into LOCAL_VOICE_SAMPLES_PATH or correct voice_sample_url"
    )]
    Missing,
    /// A folder, a pipe, a device.
    #[error("the sample is not a regular file: store the path of a recording")]
    NotAFile,
    /// It is there but cannot be read.
    #[error("the sample cannot be read ({0}): check owner and permissions of the file")]
    Unreadable(io::ErrorKind),
    /// No bytes.
    #[error("the sample is empty: record or upload it again")]
    Empty,
    /// More than [`SAMPLE_BYTES_MAX`].
    #[error(
        "the sample is larger than {SAMPLE_BYTES_MAX} bytes: one or two minutes of clean speech are best, cut or compress it"
    )]
    TooLarge,
    /// Not one of the formats.
    #[error("the sample is not WAV, MP3, FLAC, OGG or M4A audio: convert it, WAV of 16 bits is safest")]
    NotAudio,
    /// It is named or begins as audio, and is none that can be heard.
    #[error("the sample cannot be used: {0}")]
    Unusable(AudioError),
    /// Less than three seconds.
    #[error("the sample is only {0} ms long: record at least 3 seconds, one or two minutes are best")]
    TooShort(u64),
    /// It was recorded too loud.
    #[error("the sample is distorted, since its level was too high: record it again with a lower one")]
    Clipped,
}

/// The folder that samples may come from (`LOCAL_VOICE_SAMPLES_PATH`).
#[derive(Clone, Debug)]
pub struct SampleFolder {
    root: PathBuf,
}

impl SampleFolder {
    /// The folder as configured. It need not exist yet: it is looked at with each sample, so that a volume may come late.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Reads the sample that `voice_sample_url` names: an absolute path or `file://` URL inside the folder, or a path
    /// relative to it. Runs on the blocking pool; the caller puts a deadline on it.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub async fn read(&self, reference: &str) -> Result<VoiceSample, SampleError> {
        let (folder, reference) = (self.clone(), reference.to_owned());
        let reading = tokio::task::spawn_blocking(move || folder.read_blocking(&reference));
        reading.await.unwrap_or(Err(SampleError::Unreadable(io::ErrorKind::Interrupted)))
    }

    /// The same, on the caller's thread: for command line tools.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn read_blocking(&self, reference: &str) -> Result<VoiceSample, SampleError> {
        let path = self.resolve(reference)?;
        let content = read_bounded(&path)?;
        let format = recognise(&content, &path).ok_or(SampleError::NotAudio)?;
        let content = Bytes::from(content);
        listen(&content)?;
        let sha256 = Sha256::digest(&content).into();
        Ok(VoiceSample { format, content, sha256 })
    }

    /// Deletes the sample; one that is not there is deleted.
    ///
    /// # Errors
    /// Why it could not be.
    pub async fn delete(&self, reference: &str) -> Result<(), SampleError> {
        let (folder, reference) = (self.clone(), reference.to_owned());
        let deleting = tokio::task::spawn_blocking(move || match folder.resolve(&reference) {
            Ok(path) => std::fs::remove_file(path).map_err(|error| SampleError::Unreadable(error.kind())),
            Err(SampleError::Missing) => Ok(()),
            Err(error) => Err(error),
        });
        deleting.await.unwrap_or(Err(SampleError::Unreadable(io::ErrorKind::Interrupted)))
    }

    /// The real path of the sample, every link followed, and inside the folder.
    fn resolve(&self, reference: &str) -> Result<PathBuf, SampleError> {
        let named = path_of(reference)?;
        let root = self.root.canonicalize().map_err(|error| SampleError::NoFolder(error.kind()))?;
        let real = root.join(named).canonicalize().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => SampleError::Missing,
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => SampleError::Malformed,
            kind => SampleError::Unreadable(kind),
        })?;
        if real.starts_with(&root) { Ok(real) } else { Err(SampleError::Outside) }
    }
}

/// Whether a voice can be heard in it, as far as that can be told without knowing whose it is.
fn listen(content: &Bytes) -> Result<(), SampleError> {
    let clip = decode(content).map_err(|error| match error {
        AudioError::NotAudio => SampleError::NotAudio,
        AudioError::Empty => SampleError::Empty,
        AudioError::TooLarge => SampleError::TooLarge,
        error => SampleError::Unusable(error),
    })?;
    let length = clip.duration();
    if length < LENGTH_MIN {
        return Err(SampleError::TooShort(u64::try_from(length.as_millis()).unwrap_or(u64::MAX)));
    }
    let (samples, _) = clip.pcm().as_chunks::<2>();
    let is_loud = |sample: &&[u8; 2]| i16::from_le_bytes(**sample).unsigned_abs() >= CLIPPED_LEVEL;
    let loud = samples.iter().filter(is_loud).count();
    if loud.saturating_mul(1_000) > samples.len().saturating_mul(CLIPPED_PER_MILLE) {
        return Err(SampleError::Clipped);
    }
    Ok(())
}

fn path_of(reference: &str) -> Result<PathBuf, SampleError> {
    let reference = reference.trim();
    if reference.is_empty() || reference.len() > REFERENCE_BYTES_MAX || reference.contains('\0') {
        return Err(SampleError::Malformed);
    }
    let Some((scheme, _)) = reference.split_once("://") else { return Ok(PathBuf::from(reference)) };
    if !scheme.eq_ignore_ascii_case("file") {
        return Err(SampleError::Scheme {
            scheme: scheme.chars().filter(char::is_ascii_alphanumeric).take(16).collect(),
        });
    }
    // A host other than this one is refused here as well.
    Url::parse(reference).ok().and_then(|url| url.to_file_path().ok()).ok_or(SampleError::Malformed)
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, SampleError> {
    let unreadable = |error: io::Error| SampleError::Unreadable(error.kind());
    // Asked before opening: opening a pipe waits for somebody to write into it.
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err(SampleError::NotAFile);
    }
    let file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    if size > SAMPLE_BYTES_MAX {
        return Err(SampleError::TooLarge);
    }
    let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    // The file may grow while it is read.
    file.take(SAMPLE_BYTES_MAX + 1).read_to_end(&mut content).map_err(unreadable)?;
    match u64::try_from(content.len()) {
        Ok(0) => Err(SampleError::Empty),
        Ok(length) if length <= SAMPLE_BYTES_MAX => Ok(content),
        Ok(_) | Err(_) => Err(SampleError::TooLarge),
    }
}

/// The content decides, not the name; only MP3, which has no signature of its own, needs the name as well when it does not
/// begin with a frame.
fn recognise(content: &[u8], path: &Path) -> Option<AudioFormat> {
    let at = |offset: usize, magic: &[u8]| content.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    if (at(0, b"RIFF") || at(0, b"RF64")) && at(8, b"WAVE") {
        return Some(AudioFormat::Wav);
    }
    if at(0, b"fLaC") {
        return Some(AudioFormat::Flac);
    }
    if at(0, b"OggS") {
        return Some(AudioFormat::Ogg);
    }
    if at(4, b"ftyp") {
        return Some(AudioFormat::M4a);
    }
    if at(0, b"ID3") || is_mp3_frame(content) {
        return Some(AudioFormat::Mp3);
    }
    let named_mp3 = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("mp3"));
    let head = content.get(..MP3_SEARCH_BYTES).unwrap_or(content);
    (named_mp3 && head.windows(4).any(is_mp3_frame)).then_some(AudioFormat::Mp3)
}

/// Eleven set bits, layer III, and neither of the values that the standard keeps free.
fn is_mp3_frame(bytes: &[u8]) -> bool {
    let [sync, kind, rates, ..] = bytes else { return false };
    let version_is_reserved = kind & 0b0001_1000 == 0b0000_1000;
    let bitrate = rates >> 4;
    *sync == 0xff
        && kind & 0b1110_0000 == 0b1110_0000
        && !version_is_reserved
        && kind & 0b0000_0110 == 0b0000_0010
        && bitrate != 0
        && bitrate != 15
        && rates & 0b0000_1100 != 0b0000_1100
}
