//! Keys of recently stored webhooks, so that a repeated delivery needs no database access.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use precall_store::events::rows::WebhookRow;
use sha2::{Digest as _, Sha256};

/// Senders repeat a delivery within minutes.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);

/// SHA-256 of the primary key of the table, cut to 16 bytes. Many are remembered, and the key itself takes 200 bytes.
type Key = [u8; 16];

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
        let key = key(webhook);
        let is_known = self.keys().get(&key).is_some();
        (!is_known).then_some(key)
    }

    /// The webhook of this key is durable.
    pub(crate) fn kept(&self, key: Key) {
        self.keys().put(key, ());
    }
}

fn key(webhook: &WebhookRow) -> Key {
    let mut digest = Sha256::new();
    for part in [webhook.kind.as_bytes(), webhook.provider_id.as_bytes(), webhook.body_sha256.as_bytes()] {
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    digest.update(webhook.event_timestamp.0.0.to_be_bytes());
    let mut key = Key::default();
    key.iter_mut().zip(digest.finalize()).for_each(|(byte, digested)| *byte = digested);
    key
}

#[cfg(test)]
mod tests;
