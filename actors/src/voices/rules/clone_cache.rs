//! Cache of clones and of refused samples. Both are bounded; the least recently used entry is dropped.
//! Pure: no clock, no I/O, no actor.

use std::num::NonZeroUsize;

use lru::LruCache;
use precall_call::{At, NoVoice, VoiceId};

use crate::caller_key::CallerKey;
use crate::voices::terms::CachedClone;

/// A sample that cannot be cloned, until `until` or until it changes.
#[derive(Clone, Debug)]
pub(crate) struct RefusedSample {
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

/// Clones and refused samples by caller.
#[derive(Debug)]
pub(crate) struct CloneCache {
    clones: LruCache<CallerKey, Cached>,
    refused: LruCache<CallerKey, RefusedSample>,
}

impl CloneCache {
    pub(crate) fn new(capacity: NonZeroUsize) -> Self {
        Self { clones: LruCache::new(capacity), refused: LruCache::new(capacity) }
    }

    pub(crate) fn remember(&mut self, key: CallerKey, clone: CachedClone, expires: At) {
        self.refused.pop(&key);
        self.clones.put(key, Cached { clone, expires });
    }

    /// Keeps the clone of an unchanged sample and stores the new mark.
    pub(crate) fn renew(&mut self, key: &CallerKey, mark: Option<String>, now: At) -> Option<VoiceId> {
        let cached = self.clones.get_mut(key).filter(|cached| cached.expires > now)?;
        // The reference may have changed too, so it is unknown from now on.
        (cached.clone.mark, cached.clone.sample) = (mark, None);
        Some(cached.clone.voice.clone())
    }

    pub(crate) fn refuse(&mut self, key: CallerKey, refused: RefusedSample) {
        self.refused.put(key, refused);
    }

    pub(crate) fn forget(&mut self, key: &CallerKey) -> bool {
        self.refused.pop(key);
        self.clones.pop(key).is_some()
    }

    pub(crate) fn forget_refusal(&mut self, key: &CallerKey) {
        self.refused.pop(key);
    }

    pub(crate) fn peek(&self, key: &CallerKey, now: At) -> Option<&CachedClone> {
        self.clones.peek(key).filter(|cached| cached.expires > now).map(|cached| &cached.clone)
    }

    /// Like [`Self::peek`], but counts as a use.
    pub(crate) fn served(&mut self, key: &CallerKey, now: At) -> Option<&CachedClone> {
        self.clones.get(key).filter(|cached| cached.expires > now).map(|cached| &cached.clone)
    }

    /// Why this sample was refused, if it was and has not changed since.
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
