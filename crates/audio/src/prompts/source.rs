//! One source of sound: a local file, the cache, the provider's speech or a download, with retries.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use awc::Client;
use bytes::Bytes;
use precall_providers::elevenlabs::{ElevenLabs, ProviderError, Speech};
use url::Url;

use super::audio_error::AudioError;
use super::cache::{CacheKey, PromptCache};
use super::decode::{FILE_BYTES_MAX, decode};
use super::download::{DownloadError, download};
use super::pcm::is_silent;
use super::prompt_set::Origin;
use crate::clip::Clip;

/// For one attempt to synthesise a text.
const SPEECH_MAX: Duration = Duration::from_secs(30);
/// Attempts while the error is a passing one.
const ATTEMPTS: u32 = 3;
/// Wait before the second attempt; twice that before the third. `PAUSE_MAX` bounds a longer wait that the provider asks
/// for.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Shorter speech cannot be the text.
const SHORTEST_SPEECH: Duration = Duration::from_millis(200);

/// Where a sound comes from. Equal sources are prepared once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    Speech(Speech),
    File(PathBuf),
    Address(Url),
}

/// Why a prompt could not be prepared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PromptError {
    /// The recording cannot be played.
    #[error("{0}")]
    Audio(#[from] AudioError),
    /// The provider failed.
    #[error("it could not be spoken: {0}")]
    Provider(#[from] ProviderError),
    /// The provider's audio cannot be the text.
    #[error("it could not be spoken: the provider's audio is silent or too short")]
    NotSpeech,
    /// The text has no voice.
    #[error("it could not be spoken: no voice is known; set GREETING_VOICE_ID")]
    NoVoice,
    /// The download failed.
    #[error("{0}")]
    Download(#[from] DownloadError),
    /// The time for all prompts ran out.
    #[error("it was not ready in time")]
    Late,
}

/// A sound that is ready.
#[derive(Clone, Debug)]
pub(super) struct PreparedSound {
    pub(super) clip: Clip,
    pub(super) origin: Origin,
    /// Why it could not be cached for the next start.
    pub(super) unsaved: Option<io::ErrorKind>,
}

/// Result of looking for a sound without the network.
pub(super) enum LocalLookup {
    Found(PreparedSound),
    /// A local recording that cannot be played.
    Failed(PromptError),
    /// The network is needed. The clip is the last download, if any.
    NotLocal(Option<Clip>),
}

/// Looks for the sound in local files and in the cache.
pub(super) async fn local(source: &Source, cache: &PromptCache) -> LocalLookup {
    let (source, cache) = (source.clone(), cache.clone());
    let looking = tokio::task::spawn_blocking(move || match source {
        Source::File(path) => recording(&path, &cache).map_or_else(LocalLookup::Failed, LocalLookup::Found),
        Source::Speech(speech) => match cache.read(&CacheKey::speech(&speech)) {
            Some(clip) => LocalLookup::Found(PreparedSound { clip, origin: Origin::Cached, unsaved: None }),
            None => LocalLookup::NotLocal(None),
        },
        Source::Address(url) => LocalLookup::NotLocal(cache.read(&CacheKey::address(&url))),
    });
    // A panic of the decoder means a damaged file.
    looking.await.unwrap_or(LocalLookup::Failed(PromptError::Audio(AudioError::Damaged)))
}

/// Fetches the sound from the provider or the web. A local file is reported as missing.
pub(super) async fn remote(
    source: &Source,
    provider: &ElevenLabs,
    web: &Client,
    cache: &PromptCache,
) -> Result<PreparedSound, PromptError> {
    match source {
        Source::Speech(speech) => {
            let clip = spoken(speech, provider).await?;
            Ok(save(CacheKey::speech(speech), clip, Origin::Synthesised, cache).await)
        }
        Source::Address(url) => {
            let content = download(web, url).await?;
            let decoding = tokio::task::spawn_blocking(move || decode(&content));
            let clip = decoding.await.unwrap_or(Err(AudioError::Damaged))?;
            Ok(save(CacheKey::address(url), clip, Origin::Downloaded, cache).await)
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

async fn save(key: CacheKey, clip: Clip, origin: Origin, cache: &PromptCache) -> PreparedSound {
    let (cache, kept) = (cache.clone(), clip.clone());
    let saving = tokio::task::spawn_blocking(move || cache.save(&key, &kept));
    let outcome = saving.await.unwrap_or_else(|_| Err(ErrorKind::Other.into()));
    PreparedSound { clip, origin, unsaved: outcome.err().map(|error| error.kind()) }
}

/// Decodes a local recording; the same bytes are decoded once.
fn recording(path: &Path, cache: &PromptCache) -> Result<PreparedSound, PromptError> {
    let content = read_bounded(path)?;
    let key = CacheKey::file(&content);
    if let Some(clip) = cache.read(&key) {
        return Ok(PreparedSound { clip, origin: Origin::File, unsaved: None });
    }
    let clip = decode(&content)?;
    let unsaved = cache.save(&key, &clip).err().map(|error| error.kind());
    Ok(PreparedSound { clip, origin: Origin::File, unsaved })
}

fn read_bounded(path: &Path) -> Result<Bytes, AudioError> {
    let unreadable = |error: io::Error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => AudioError::Missing,
        kind => AudioError::Unreadable(kind),
    };
    // Checked before opening: opening a pipe blocks until a program writes into it.
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

/// The cache key of a source that is in use.
pub(super) fn key_in_use(source: &Source) -> Option<CacheKey> {
    match source {
        Source::Speech(speech) => Some(CacheKey::speech(speech)),
        Source::Address(url) => Some(CacheKey::address(url)),
        // Its key needs the file's bytes. Reading them is not worth it: decoding again is cheap.
        Source::File(_) => None,
    }
}
