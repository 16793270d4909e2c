//! What is remembered of callers' voices: clones that count, and what is known not to work. Both bounded: the least recently used goes.

use std::num::NonZeroUsize;

use lru::LruCache;
use precall_call::{At, NoVoice, VoiceId};

use super::VoiceKey;

/// A clone, and what it was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedClone {
    /// The voice.
    pub voice: VoiceId,
    /// SHA-256 of its sample, lower-case hex; none for rows of the service before this one.
    pub sample_sha256: Option<String>,
    /// Where its sample lay; none where that is not known, as after a start.
    pub sample: Option<String>,
    /// Its sample's mark when it was read; none where that is not known.
    pub mark: Option<String>,
}

impl CachedClone {
    /// Whether the sample that lies there now is the one it was made of, as far as can be told. What is not known speaks for it.
    pub(crate) fn is_of(&self, sample: &str, mark: Option<&str>) -> bool {
        let same_place = self.sample.as_deref().is_none_or(|of| of == sample);
        let same_mark = match (self.mark.as_deref(), mark) {
            (Some(of), Some(now)) => of == now,
            (None, _) | (_, None) => true,
        };
        same_place && same_mark
    }
}

/// A sample that cannot be cloned.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) why: NoVoice,
    pub(crate) sample: String,
    pub(crate) mark: Option<String>,
    pub(crate) until: At,
}

#[derive(Clone, Debug)]
struct Cached {
    clone: CachedClone,
    expires: At,
}

/// See the file.
#[derive(Debug)]
pub(crate) struct Memory {
    clones: LruCache<VoiceKey, Cached>,
    refused: LruCache<VoiceKey, Refused>,
}

impl Memory {
    pub(crate) fn new(capacity: NonZeroUsize) -> Self {
        Self { clones: LruCache::new(capacity), refused: LruCache::new(capacity) }
    }

    pub(crate) fn remember(&mut self, key: VoiceKey, clone: CachedClone, expires: At) {
        self.refused.pop(&key);
        self.clones.put(key, Cached { clone, expires });
    }

    /// The cached voice of a sample that turned out to be the same one.
    pub(crate) fn renew(&mut self, key: &VoiceKey, mark: Option<String>, now: At) -> Option<VoiceId> {
        let cached = self.clones.get_mut(key).filter(|cached| cached.expires > now)?;
        // Where it lies may have changed as well: from now on that is not known.
        (cached.clone.mark, cached.clone.sample) = (mark, None);
        Some(cached.clone.voice.clone())
    }

    pub(crate) fn refuse(&mut self, key: VoiceKey, refused: Refused) {
        self.refused.put(key, refused);
    }

    pub(crate) fn forget(&mut self, key: &VoiceKey) -> bool {
        self.refused.pop(key);
        self.clones.pop(key).is_some()
    }

    pub(crate) fn peek(&self, key: &VoiceKey, now: At) -> Option<&CachedClone> {
        self.clones.peek(key).filter(|cached| cached.expires > now).map(|cached| &cached.clone)
    }

    /// The same, counted as used.
    pub(crate) fn served(&mut self, key: &VoiceKey, now: At) -> Option<&CachedClone> {
        self.clones.get(key).filter(|cached| cached.expires > now).map(|cached| &cached.clone)
    }

    /// Why this very sample is known not to work.
    pub(crate) fn refused(
        &mut self,
        key: &VoiceKey,
        sample: &str,
        mark: Option<&str>,
        now: At,
    ) -> Option<NoVoice> {
        let refused = self.refused.get(key)?;
        let is_same = refused.sample == sample && refused.mark.as_deref() == mark;
        if is_same && refused.until > now {
            return Some(refused.why);
        }
        self.refused.pop(key);
        None
    }
}
