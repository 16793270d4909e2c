//! What is remembered of callers' voices: clones that count, and what is known not to work. Both bounded: the least recently used goes.

use std::num::NonZeroUsize;

use lru::LruCache;
use precall_call::{At, NoVoice, VoiceId};

use crate::caller_key::CallerKey;
use crate::voices::terms::CachedClone;

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
    clones: LruCache<CallerKey, Cached>,
    refused: LruCache<CallerKey, Refused>,
}

impl Memory {
    pub(crate) fn new(capacity: NonZeroUsize) -> Self {
        Self { clones: LruCache::new(capacity), refused: LruCache::new(capacity) }
    }

    pub(crate) fn remember(&mut self, key: CallerKey, clone: CachedClone, expires: At) {
        self.refused.pop(&key);
        self.clones.put(key, Cached { clone, expires });
    }

    /// The cached voice of a sample that turned out to be the same one.
    pub(crate) fn renew(&mut self, key: &CallerKey, mark: Option<String>, now: At) -> Option<VoiceId> {
        let cached = self.clones.get_mut(key).filter(|cached| cached.expires > now)?;
        // Where it lies may have changed as well: from now on that is not known.
        (cached.clone.mark, cached.clone.sample) = (mark, None);
        Some(cached.clone.voice.clone())
    }

    pub(crate) fn refuse(&mut self, key: CallerKey, refused: Refused) {
        self.refused.put(key, refused);
    }

    pub(crate) fn forget(&mut self, key: &CallerKey) -> bool {
        self.refused.pop(key);
        self.clones.pop(key).is_some()
    }

    pub(crate) fn peek(&self, key: &CallerKey, now: At) -> Option<&CachedClone> {
        self.clones.peek(key).filter(|cached| cached.expires > now).map(|cached| &cached.clone)
    }

    /// The same, counted as used.
    pub(crate) fn served(&mut self, key: &CallerKey, now: At) -> Option<&CachedClone> {
        self.clones.get(key).filter(|cached| cached.expires > now).map(|cached| &cached.clone)
    }

    /// Why this very sample is known not to work.
    pub(crate) fn refused(
        &mut self,
        key: &CallerKey,
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
