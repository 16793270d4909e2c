//! One thing to be heard and how it is got: from this machine at once, or from somebody else with patience.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use awc::Client;
use bytes::Bytes;
use precall_providers::elevenlabs::{ElevenLabs, ProviderError, Speech};
use url::Url;

use super::Origin;
use super::cache::{Key, PromptCache};
use super::decode::{AudioError, FILE_BYTES_MAX, decode};
use super::download::{DownloadError, download};
use super::pcm::is_silent;
use crate::clip::Clip;

/// One attempt to have a text spoken.
const SPEECH_MAX: Duration = Duration::from_secs(30);
/// Asked so often while the trouble is of the kind that passes.
const ATTEMPTS: u32 = 3;
/// Before the second attempt; twice that before the third. A provider that asks for more gets it, within bounds.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Nobody says anything in less.
const SHORTEST_SPEECH: Duration = Duration::from_millis(200);

/// Where sound comes from; equal ones are got once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    Speech(Speech),
    File(PathBuf),
    Address(Url),
}

/// Why a prompt could not be prepared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// The recording.
    #[error("{0}")]
    Audio(#[from] AudioError),
    /// The provider of voices.
    #[error("it could not be spoken: {0}")]
    Provider(#[from] ProviderError),
    /// The provider's answer cannot be the text.
    #[error("it could not be spoken: the provider's answer is silent or too short for any text")]
    NotSpeech,
    /// Nobody to speak it.
    #[error("it could not be spoken: no voice is known; set GREETING_VOICE_ID")]
    NoVoice,
    /// The web.
    #[error("{0}")]
    Download(#[from] DownloadError),
    /// The time for all prompts together was over.
    #[error("it was not ready in time")]
    Late,
}

/// Sound that was got.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) clip: Clip,
    pub(super) origin: Origin,
    /// Why it could not be kept for the next start.
    pub(super) unsaved: Option<io::ErrorKind>,
}

/// What this machine has.
pub(super) enum Local {
    Here(Made),
    /// A recording that cannot be played; nobody else has it.
    Bad(PromptError),
    /// Somebody else has it; the clip is what was got last.
    Elsewhere(Option<Clip>),
}

/// Looks on this machine alone.
pub(super) async fn local(source: &Source, cache: &PromptCache) -> Local {
    let (source, cache) = (source.clone(), cache.clone());
    let looking = tokio::task::spawn_blocking(move || match source {
        Source::File(path) => recording(&path, &cache).map_or_else(Local::Bad, Local::Here),
        Source::Speech(speech) => match cache.read(&Key::of_speech(&speech)) {
            Some(clip) => Local::Here(Made { clip, origin: Origin::Cached, unsaved: None }),
            None => Local::Elsewhere(None),
        },
        Source::Address(url) => Local::Elsewhere(cache.read(&Key::of_address(&url))),
    });
    // A decoder that panics has met a file that it cannot decode.
    looking.await.unwrap_or(Local::Bad(PromptError::Audio(AudioError::Damaged)))
}

/// Asks who has it. A file of this machine is not there.
pub(super) async fn remote(
    source: &Source,
    provider: &ElevenLabs,
    web: &Client,
    cache: &PromptCache,
) -> Result<Made, PromptError> {
    match source {
        Source::Speech(speech) => {
            let clip = spoken(speech, provider).await?;
            Ok(keep(Key::of_speech(speech), clip, Origin::Synthesised, cache).await)
        }
        Source::Address(url) => {
            let content = download(web, url).await?;
            let decoding = tokio::task::spawn_blocking(move || decode(&content));
            let clip = decoding.await.unwrap_or(Err(AudioError::Damaged))?;
            Ok(keep(Key::of_address(url), clip, Origin::Downloaded, cache).await)
        }
        Source::File(_) => Err(PromptError::Audio(AudioError::Missing)),
    }
}

async fn spoken(speech: &Speech, provider: &ElevenLabs) -> Result<Clip, PromptError> {
    let mut attempt = 1;
    let pcm = loop {
        let error = match provider.speak(speech, SPEECH_MAX).await {
            Ok(pcm) => break pcm,
            Err(error) => error,
        };
        if attempt >= ATTEMPTS || !error.is_passing() {
            return Err(error.into());
        }
        let pause = PAUSE.saturating_mul(attempt).max(error.retry_after.unwrap_or_default());
        tokio::time::sleep(pause.min(PAUSE_MAX)).await;
        attempt = attempt.saturating_add(1);
    };
    let clip = Clip::new(pcm);
    if clip.duration() < SHORTEST_SPEECH || is_silent(&clip) {
        return Err(PromptError::NotSpeech);
    }
    Ok(clip)
}

async fn keep(key: Key, clip: Clip, origin: Origin, cache: &PromptCache) -> Made {
    let (cache, kept) = (cache.clone(), clip.clone());
    let keeping = tokio::task::spawn_blocking(move || cache.save(&key, &kept));
    let outcome = keeping.await.unwrap_or_else(|_| Err(ErrorKind::Other.into()));
    Made { clip, origin, unsaved: outcome.err().map(|error| error.kind()) }
}

/// Decoded once for the same bytes.
fn recording(path: &Path, cache: &PromptCache) -> Result<Made, PromptError> {
    let content = read_bounded(path)?;
    let key = Key::of_file(&content);
    if let Some(clip) = cache.read(&key) {
        return Ok(Made { clip, origin: Origin::File, unsaved: None });
    }
    let clip = decode(&content)?;
    let unsaved = cache.save(&key, &clip).err().map(|error| error.kind());
    Ok(Made { clip, origin: Origin::File, unsaved })
}

fn read_bounded(path: &Path) -> Result<Bytes, AudioError> {
    let unreadable = |error: io::Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => AudioError::Missing,
        kind => AudioError::Unreadable(kind),
    };
    // Asked before opening: opening a pipe waits for somebody to write into it.
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err(AudioError::NotAFile);
    }
    let mut content = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content))
        .map_err(unreadable)?;
    // The decoder refuses what is too large.
    Ok(Bytes::from(content))
}

/// What a source is kept under, if it is.
pub(super) fn key_in_use(source: &Source) -> Option<Key> {
    match source {
        Source::Speech(speech) => Some(Key::of_speech(speech)),
        Source::Address(url) => Some(Key::of_address(url)),
        // By its bytes, which are not read for this; it is cheap to make again.
        Source::File(_) => None,
    }
}
