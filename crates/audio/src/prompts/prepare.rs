//! Prepares all prompts of all lines at once. A sound that several lines use is prepared once: local sounds first, then
//! remote ones, four at a time. When the time is over, the missing ones are replaced.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use awc::Client;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use precall_call::LineId;
use precall_providers::elevenlabs::{ElevenLabs, Speech};

use super::bundled;
use super::cache::PromptCache;
use super::prompt_order::{HoldOrder, PromptOrder, Words};
use super::prompt_set::{Notice, NoticeMissing, Origin, Origins, Prompts, notice_version};
use super::source::{LocalLookup, PreparedSound, PromptError, Source, key_in_use, local, remote};
use crate::clip::Clip;

#[cfg(test)]
mod tests;

/// Sounds prepared in parallel. The provider's smallest plan allows this many requests.
const AT_ONCE: usize = 4;

/// Settings for the prompts of all lines.
#[derive(Clone, Debug)]
pub struct PromptSettings {
    /// Folder of the cache; created when missing.
    pub cache_dir: PathBuf,
    /// The provider's speech model; none for its default.
    pub model: Option<String>,
}

/// Prepares prompts at start and on reload. Not `Send`, because its HTTP clients are not.
pub struct PromptMaker {
    provider: ElevenLabs,
    web: Client,
    cache: PromptCache,
    model: Option<String>,
}

/// The result of [`PromptMaker::prepare`].
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The prompts of every line in the order.
    pub by_line: HashMap<LineId, Arc<Prompts>>,
    /// Problems that concern all lines, such as a cache folder that cannot be written.
    pub problems: Vec<String>,
}

type Sound = (Clip, Origin);

/// The sounds so far. Kept outside the future, so that a timeout keeps what is ready.
#[derive(Default)]
struct Gathered {
    sounds: HashMap<Source, Result<PreparedSound, PromptError>>,
    /// Earlier downloads, by address.
    earlier: HashMap<Source, Clip>,
}

impl PromptMaker {
    /// Call it on the arbiter that will use it. Give it a client of its own, not the one of live calls.
    #[must_use]
    pub fn new(provider: ElevenLabs, settings: PromptSettings) -> Self {
        let PromptSettings { cache_dir, model } = settings;
        Self { provider, web: super::download::client(), cache: PromptCache::new(cache_dir), model }
    }

    /// Prepares everything within `within`. A prompt that takes longer is replaced like one that fails. Never fails.
    pub async fn prepare(&self, orders: &[(LineId, PromptOrder)], within: Duration) -> Prepared {
        let mut gathered = Gathered::default();
        // A late sound is missing from `gathered`; the timeout itself needs no handling.
        let _in_time = tokio::time::timeout(within, self.gather(orders, &mut gathered)).await.is_ok();
        let unsaved = gathered.sounds.values().find_map(|sound| sound.as_ref().ok()?.unsaved);
        let by_line = orders
            .iter()
            .map(|(line, order)| (line.clone(), Arc::new(self.assemble(order, &gathered))))
            .collect();
        Prepared { by_line, problems: unsaved.map(unsaved_problem).into_iter().collect() }
    }

    /// The hold music, as far as it can be had without the network. Never fails.
    pub async fn local_hold(&self, order: &PromptOrder) -> Clip {
        let mut gathered = Gathered::default();
        let source = hold_source(&order.hold).into_iter().collect();
        self.gather_local(source, &mut gathered).await;
        hold(order, &gathered, &mut Vec::new()).0
    }

    async fn gather(&self, orders: &[(LineId, PromptOrder)], gathered: &mut Gathered) {
        let orders: Vec<&PromptOrder> = orders.iter().map(|(_, order)| order).collect();
        let sources = self.sources(&orders, |order| order.greeting_file.is_none());
        let mut missing = self.gather_local(sources, gathered).await;
        // The spoken greeting is needed where the recorded one failed.
        let needs_text = |order: &PromptOrder| {
            let file = order.greeting_file.clone().map(Source::File);
            file.is_none_or(|file| !matches!(gathered.sounds.get(&file), Some(Ok(_))))
        };
        let more = self.sources(&orders, needs_text);
        let more = more
            .into_iter()
            .filter(|source| !gathered.sounds.contains_key(source) && !missing.contains(source));
        let more: Vec<Source> = more.collect();
        missing.extend(self.gather_local(more, gathered).await);
        let asked = stream::iter(missing).map(|source| async move {
            let outcome = remote(&source, &self.provider, &self.web, &self.cache).await;
            (source, outcome)
        });
        let mut asked = std::pin::pin!(asked.buffer_unordered(AT_ONCE));
        while let Some((source, outcome)) = asked.next().await {
            gathered.sounds.insert(source, outcome);
        }
        let in_use: HashSet<_> = gathered.sounds.keys().filter_map(key_in_use).collect();
        let cache = self.cache.clone();
        // Pruning runs on its own: its result is not needed.
        drop(tokio::task::spawn_blocking(move || cache.prune(&in_use)));
    }

    /// Gathers the local sounds and returns the sources that need the network.
    async fn gather_local(&self, sources: Vec<Source>, gathered: &mut Gathered) -> Vec<Source> {
        let looked = stream::iter(sources).map(|source| async move {
            let outcome = local(&source, &self.cache).await;
            (source, outcome)
        });
        // Keeps the order of the sources, in which they are fetched later.
        let mut looked = std::pin::pin!(looked.buffered(AT_ONCE));
        let mut missing = Vec::new();
        while let Some((source, outcome)) = looked.next().await {
            match outcome {
                LocalLookup::Found(sound) => {
                    gathered.sounds.insert(source, Ok(sound));
                }
                LocalLookup::Failed(error) => {
                    gathered.sounds.insert(source, Err(error));
                }
                LocalLookup::NotLocal(earlier) => {
                    if let Some(clip) = earlier {
                        gathered.earlier.insert(source.clone(), clip);
                    }
                    missing.push(source);
                }
            }
        }
        missing
    }

    /// All sources, each once. Notices come first, since they cannot be replaced.
    fn sources(
        &self,
        orders: &[&PromptOrder],
        speaks_greeting: impl Fn(&PromptOrder) -> bool,
    ) -> Vec<Source> {
        let mut sources = Vec::new();
        sources.extend(orders.iter().filter_map(|order| self.speech(order.notice.as_ref()?)));
        sources.extend(orders.iter().filter_map(|order| order.greeting_file.clone().map(Source::File)));
        let greeted = orders.iter().filter(|order| speaks_greeting(order));
        sources.extend(greeted.filter_map(|order| self.speech(order.greeting.as_ref()?)));
        sources.extend(orders.iter().filter_map(|order| self.speech(order.apology.as_ref()?)));
        sources.extend(orders.iter().filter_map(|order| hold_source(&order.hold)));
        let mut seen = HashSet::new();
        sources.retain(|source| seen.insert(source.clone()));
        sources
    }

    fn speech(&self, words: &Words) -> Option<Source> {
        let Words { text, voice, language } = words.clone();
        Some(Source::Speech(Speech { text, voice: voice?, model: self.model.clone(), language }))
    }

    fn spoken(&self, words: &Words, gathered: &Gathered) -> Result<Sound, PromptError> {
        let source = self.speech(words).ok_or(PromptError::NoVoice)?;
        gathered.result(&source)
    }

    fn assemble(&self, order: &PromptOrder, gathered: &Gathered) -> Prompts {
        let mut problems = Vec::new();
        let notice = self.notice(order, gathered, &mut problems);
        let greeting = self.greeting(order, gathered, &mut problems);
        let hold = hold(order, gathered, &mut problems);
        let apology = self.apology(order, gathered, &mut problems);
        let origins = Origins {
            notice: notice.as_ref().ok().and_then(Option::as_ref).map(|(_, origin)| *origin),
            greeting: greeting.1,
            hold: hold.1,
            apology: apology.1,
        };
        let notice = notice.map(|notice| notice.map(|(notice, _)| notice));
        Prompts { notice, greeting: greeting.0, hold: hold.0, apology: apology.0, origins, problems }
    }

    fn notice(
        &self,
        order: &PromptOrder,
        gathered: &Gathered,
        problems: &mut Vec<String>,
    ) -> Result<Option<(Notice, Origin)>, NoticeMissing> {
        let Some(words) = &order.notice else { return Ok(None) };
        match self.spoken(words, gathered) {
            Ok((clip, origin)) => {
                let version = notice_version(words.language.as_deref(), &words.text);
                Ok(Some((Notice { clip, version }, origin)))
            }
            Err(error) => {
                problems
                    .push(format!("notice: {error}; callers of this line cannot be connected to an agent"));
                Err(NoticeMissing(error.to_string()))
            }
        }
    }

    fn greeting(&self, order: &PromptOrder, gathered: &Gathered, problems: &mut Vec<String>) -> Sound {
        let mut wrong = Vec::new();
        if let Some(file) = &order.greeting_file {
            match gathered.result(&Source::File(file.clone())) {
                Ok(sound) => return sound,
                Err(error) => wrong.push(format!("GREETING_AUDIO_FILE: {error}")),
            }
        }
        let tones = || ((bundled::greeting(), Origin::Bundled), "two notes are played instead");
        let (sound, instead) = match order.greeting.as_ref().map(|words| self.spoken(words, gathered)) {
            Some(Ok(sound)) => (sound, "GREETING_MESSAGE is spoken instead"),
            Some(Err(error)) => {
                wrong.push(error.to_string());
                tones()
            }
            None => tones(),
        };
        if !wrong.is_empty() {
            problems.push(format!("greeting: {}; {instead}", wrong.join("; ")));
        }
        sound
    }

    fn apology(&self, order: &PromptOrder, gathered: &Gathered, problems: &mut Vec<String>) -> Sound {
        let tones = || (bundled::apology(), Origin::Bundled);
        let Some(words) = &order.apology else { return tones() };
        self.spoken(words, gathered).unwrap_or_else(|error| {
            problems.push(format!("apology: {error}; three notes are played instead"));
            tones()
        })
    }
}

impl Gathered {
    fn result(&self, source: &Source) -> Result<Sound, PromptError> {
        match self.sounds.get(source) {
            Some(Ok(sound)) => Ok((sound.clip.clone(), sound.origin)),
            Some(Err(error)) => Err(error.clone()),
            None => Err(PromptError::Late),
        }
    }
}

fn hold_source(order: &HoldOrder) -> Option<Source> {
    match order {
        HoldOrder::BuiltIn | HoldOrder::Silence => None,
        HoldOrder::File(path) => Some(Source::File(path.clone())),
        HoldOrder::Address(url) => Some(Source::Address(url.clone())),
    }
}

fn hold(order: &PromptOrder, gathered: &Gathered, problems: &mut Vec<String>) -> (Clip, Option<Origin>) {
    let source = match &order.hold {
        HoldOrder::Silence => return (Clip::new(Bytes::new()), None),
        HoldOrder::BuiltIn => return (bundled::hold(), Some(Origin::Bundled)),
        HoldOrder::File(path) => Source::File(path.clone()),
        HoldOrder::Address(url) => Source::Address(url.clone()),
    };
    let error = match gathered.result(&source) {
        Ok((clip, origin)) => return (clip, Some(origin)),
        Err(error) => error,
    };
    let (clip, origin, instead) = match gathered.earlier.get(&source) {
        Some(clip) => (clip.clone(), Origin::Cached, "the last download is played instead"),
        None => (bundled::hold(), Origin::Bundled, "the bundled loop is played instead"),
    };
    problems.push(format!("hold music: GREETING_MUSIC_URL: {error}; {instead}"));
    (clip, Some(origin))
}

fn unsaved_problem(kind: io::ErrorKind) -> String {
    format!("PROMPT_CACHE_DIR cannot be written ({kind}): every start prepares all prompts again")
}
