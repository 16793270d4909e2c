//! Keys of recently stored webhooks, so that a repeated delivery needs no database access.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use precall_store::events::rows::WebhookRow;
use sha2::{Digest as _, Sha256};

/// Senders repeat a delivery within minutes.
const REMEMBERED: usize = 10_000;

/// SHA-256 of the primary key of the table, cut to 16 bytes. Many are remembered, and the key itself takes 200 bytes.
type Key = [u8; 16];

/// Stands for a key that is not there yet.
const NO_KEY: Key = [u8::MAX; 16];

/// Bounded: the key that was kept first is dropped. A repeated webhook whose key was dropped costs one transaction that
/// changes nothing.
#[derive(Debug, Default)]
pub(crate) struct RecentlyKept(Mutex<Keys>);

/// All its memory is taken at the start, 0.7 MiB: a quiet installation takes an hour to fill it. The table has room for
/// twice as many keys, since a table that is more than half full grows when keys are replaced for long.
#[derive(Debug)]
struct Keys {
    known: HashSet<Key>,
    /// In the order in which they were kept, always as many.
    by_age: VecDeque<Key>,
}

impl Default for Keys {
    fn default() -> Self {
        let mut by_age = VecDeque::with_capacity(REMEMBERED);
        by_age.resize(REMEMBERED, NO_KEY);
        Self { known: HashSet::with_capacity(2 * REMEMBERED), by_age }
    }
}

impl Keys {
    fn keep(&mut self, key: Key) {
        if self.known.contains(&key) {
            return;
        }
        if let Some(oldest) = self.by_age.pop_front() {
            self.known.remove(&oldest);
        }
        self.known.insert(key);
        self.by_age.push_back(key);
    }
}

impl RecentlyKept {
    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key of a webhook; `None` if the webhook is known to be durable.
    pub(crate) fn key_if_new(&self, webhook: &WebhookRow) -> Option<Key> {
        let key = key(webhook);
        let is_known = self.keys().known.contains(&key);
        (!is_known).then_some(key)
    }

    /// The webhook of this key is durable.
    pub(crate) fn kept(&self, key: Key) {
        self.keys().keep(key);
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
