//! All prompts of all lines in one go: each sound once however many lines use it, this machine's first, then a few at a time
//! from elsewhere, and whatever is not there when the time is over is replaced.

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
use super::source::{Local, Made, PromptError, Source, key_in_use, local, remote};
use super::{HoldOrder, Notice, NoticeMissing, Origin, Origins, PromptOrder, Prompts, Words, notice_version};
use crate::clip::Clip;

#[cfg(test)]
mod tests;

/// Sounds that are got at once. The smallest plan allows so many requests.
const AT_ONCE: usize = 4;

/// What holds for every line.
#[derive(Clone, Debug)]
pub struct PromptSettings {
    /// Where prompts are kept; created when missing.
    pub cache_dir: PathBuf,
    /// Which model speaks; none leaves the provider's default.
    pub model: Option<String>,
}

/// Prepares prompts. Not `Send`, as its clients are not: it lives where it is used, at start and on reload.
pub struct PromptMaker {
    provider: ElevenLabs,
    web: Client,
    cache: PromptCache,
    model: Option<String>,
}

/// What was prepared.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The prompts of every line that was asked for.
    pub by_line: HashMap<LineId, Arc<Prompts>>,
    /// What concerns all of them: the folder that cannot be written.
    pub problems: Vec<String>,
}

type Sound = (Clip, Origin);

/// What was got so far. Filled while the time runs, so that its end leaves what is there.
#[derive(Default)]
struct Gathered {
    got: HashMap<Source, Result<Made, PromptError>>,
    /// What addresses led to earlier.
    earlier: HashMap<Source, Clip>,
}

impl PromptMaker {
    /// To be called on the arbiter that will use it; the client should not be the one of live calls.
    #[must_use]
    pub fn new(provider: ElevenLabs, settings: PromptSettings) -> Self {
        let PromptSettings { cache_dir, model } = settings;
        Self { provider, web: super::download::client(), cache: PromptCache::new(cache_dir), model }
    }

    /// Prepares everything within `within`; what takes longer is replaced like what fails. Never fails itself.
    pub async fn prepare(&self, orders: &[(LineId, PromptOrder)], within: Duration) -> Prepared {
        let mut gathered = Gathered::default();
        // What is late is missing from `gathered`, which is all that counts.
        let _in_time = tokio::time::timeout(within, self.gather(orders, &mut gathered)).await.is_ok();
        let unsaved = gathered.got.values().find_map(|made| made.as_ref().ok()?.unsaved);
        let by_line = orders
            .iter()
            .map(|(line, order)| (line.clone(), Arc::new(self.assembled(order, &gathered))))
            .collect();
        Prepared { by_line, problems: unsaved.map(unsaved_problem).into_iter().collect() }
    }

    async fn gather(&self, orders: &[(LineId, PromptOrder)], gathered: &mut Gathered) {
        let orders: Vec<&PromptOrder> = orders.iter().map(|(_, order)| order).collect();
        let sources = self.sources(&orders, |order| order.greeting_file.is_none());
        let mut missing = self.gather_here(sources, gathered).await;
        // A greeting's words are needed where its recording is not to be had.
        let lost = |order: &PromptOrder| {
            let file = order.greeting_file.clone().map(Source::File);
            file.is_none_or(|file| !matches!(gathered.got.get(&file), Some(Ok(_))))
        };
        let more = self.sources(&orders, lost);
        let more =
            more.into_iter().filter(|source| !gathered.got.contains_key(source) && !missing.contains(source));
        let more: Vec<Source> = more.collect();
        missing.extend(self.gather_here(more, gathered).await);
        let asked = stream::iter(missing).map(|source| async move {
            let outcome = remote(&source, &self.provider, &self.web, &self.cache).await;
            (source, outcome)
        });
        let mut asked = std::pin::pin!(asked.buffer_unordered(AT_ONCE));
        while let Some((source, outcome)) = asked.next().await {
            gathered.got.insert(source, outcome);
        }
        let in_use: HashSet<_> = gathered.got.keys().filter_map(key_in_use).collect();
        let cache = self.cache.clone();
        // Nobody waits for tidying up, and a panic in it would harm nobody.
        drop(tokio::task::spawn_blocking(move || cache.prune(&in_use)));
    }

    /// Takes what this machine has, and returns the rest.
    async fn gather_here(&self, sources: Vec<Source>, gathered: &mut Gathered) -> Vec<Source> {
        let looked = stream::iter(sources).map(|source| async move {
            let outcome = local(&source, &self.cache).await;
            (source, outcome)
        });
        // In their order, which is the one they are asked for in.
        let mut looked = std::pin::pin!(looked.buffered(AT_ONCE));
        let mut missing = Vec::new();
        while let Some((source, outcome)) = looked.next().await {
            match outcome {
                Local::Here(made) => {
                    gathered.got.insert(source, Ok(made));
                }
                Local::Bad(error) => {
                    gathered.got.insert(source, Err(error));
                }
                Local::Elsewhere(earlier) => {
                    if let Some(clip) = earlier {
                        gathered.earlier.insert(source.clone(), clip);
                    }
                    missing.push(source);
                }
            }
        }
        missing
    }

    /// Everything that is to be heard, each once; notices first, since nothing can stand in for them.
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

    fn heard(&self, words: &Words, gathered: &Gathered) -> Result<Sound, PromptError> {
        let source = self.speech(words).ok_or(PromptError::NoVoice)?;
        gathered.result(&source)
    }

    fn assembled(&self, order: &PromptOrder, gathered: &Gathered) -> Prompts {
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
        match self.heard(words, gathered) {
            Ok((clip, origin)) => {
                let version = notice_version(words.language.as_deref(), &words.text);
                Ok(Some((Notice { clip, version }, origin)))
            }
            Err(error) => {
                problems.push(format!("notice: {error}; no caller of this line can be given to an agent"));
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
        let notes = || ((bundled::greeting(), Origin::Bundled), "two notes are played instead");
        let (sound, instead) = match order.greeting.as_ref().map(|words| self.heard(words, gathered)) {
            Some(Ok(sound)) => (sound, "GREETING_MESSAGE is spoken instead"),
            Some(Err(error)) => {
                wrong.push(error.to_string());
                notes()
            }
            None => notes(),
        };
        if !wrong.is_empty() {
            problems.push(format!("greeting: {}; {instead}", wrong.join("; ")));
        }
        sound
    }

    fn apology(&self, order: &PromptOrder, gathered: &Gathered, problems: &mut Vec<String>) -> Sound {
        let notes = || (bundled::apology(), Origin::Bundled);
        let Some(words) = &order.apology else { return notes() };
        self.heard(words, gathered).unwrap_or_else(|error| {
            problems.push(format!("apology: {error}; three notes are played instead"));
            notes()
        })
    }
}

impl Gathered {
    fn result(&self, source: &Source) -> Result<Sound, PromptError> {
        match self.got.get(source) {
            Some(Ok(made)) => Ok((made.clip.clone(), made.origin)),
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
        Some(clip) => (clip.clone(), Origin::Cached, "what it held before is played"),
        None => (bundled::hold(), Origin::Bundled, "the bundled loop is played instead"),
    };
    problems.push(format!("hold music: GREETING_MUSIC_URL: {error}; {instead}"));
    (clip, Some(origin))
}

fn unsaved_problem(kind: io::ErrorKind) -> String {
    format!("PROMPT_CACHE_DIR cannot be written ({kind}): every start prepares all prompts again")
}
