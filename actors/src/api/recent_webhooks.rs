//! Keys of recently stored webhooks, so that a repeated delivery needs no database access.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use precall_call::At;
use precall_store::events::rows::{Name, WebhookRow};

/// Senders repeat a delivery within minutes.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(19_999);

/// The primary key of the table.
type Key = (Name, String, At, String);

/// Bounded. If a key was dropped, a repeated webhook costs one transaction that changes nothing.
#[derive(Debug)]
pub(crate) struct RecentlyKept(Mutex<LruCache<Key, ()>>);

impl Default for RecentlyKept {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(REMEMBERED)))
    }
}

impl RecentlyKept {
    fn keys(&self) -> MutexGuard<'_, LruCache<Key, ()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key of a webhook; `None` if the webhook is known to be durable.
    pub(crate) fn key_if_new(&self, webhook: &WebhookRow) -> Option<Key> {
        let (kind, id) = (webhook.kind.clone(), webhook.provider_id.clone());
        let key = (kind, id, webhook.event_timestamp.0, webhook.body_sha256.clone());
        let is_known = self.keys().get(&key).is_some();
        (!is_known).then_some(key)
    }

    /// The webhook of this key is durable.
    pub(crate) fn kept(&self, key: Key) {
        self.keys().put(key, ());
    }
}

#[cfg(test)]
mod tests;
