//! Refused requests in the log: counted, and summarised once a second by source and outcome. A flood of requests
//! without a signature or a key writes a few dozen lines a second at most. What was refused of late is kept for the
//! page of the webhooks.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use lru::LruCache;
use precall_call::At;
use slog::{Logger, warn};

use super::fair_share::source_of;
use crate::http::clock;

/// Pause between two summaries.
const EVERY: Duration = Duration::from_secs(1);
/// Lines of single sources in one second. The other sources share one line for each outcome, and those are few.
const SOURCES_MAX: usize = 32;
/// Client in the line of the other sources.
const OTHERS: &str = "others";
/// Sources and outcomes that are kept. The one that was seen longest ago goes first.
const KEPT_MAX: NonZeroUsize = NonZeroUsize::new(100).unwrap();

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Refused {
    /// A webhook, by its name.
    Webhook(&'static str),
    /// A request of the API.
    Api,
}

/// The refused requests since the last summary, and what was refused of late.
pub(crate) struct Refusals {
    counted: Mutex<HashMap<Key, Counted>>,
    kept: Mutex<LruCache<Key, RefusedOfLate>>,
    log: Logger,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    what: Refused,
    outcome: &'static str,
    /// None for the others.
    source: Option<IpAddr>,
}

struct Counted {
    count: u64,
    /// The first address of the source.
    client: Option<IpAddr>,
    /// By how much the time of the latest signature is off, in words.
    clock: Option<String>,
}

/// Requests of one source that were refused for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusedOfLate {
    /// What was refused.
    pub(crate) what: Refused,
    /// Why: the name of a code.
    pub(crate) outcome: &'static str,
    /// The first address of the source; none for many sources together.
    pub(crate) client: Option<IpAddr>,
    /// By how much the time of the latest signature was off, in words.
    pub(crate) clock: Option<String>,
    /// How many, since precall runs.
    pub(crate) count: u64,
    /// When the first came.
    pub(crate) first: At,
    /// When the latest came.
    pub(crate) latest: At,
}

impl Refusals {
    /// Counts nothing yet. A task of this thread writes the summaries until the value is dropped.
    pub(crate) fn new(log: Logger) -> Arc<Self> {
        let kept = Mutex::new(LruCache::new(KEPT_MAX));
        let refusals = Arc::new(Self { counted: Mutex::default(), kept, log });
        actix_web::rt::spawn(summarise(Arc::downgrade(&refusals)));
        refusals
    }

    /// Counts one refused request. It never waits for the log.
    pub(crate) fn count(
        &self,
        what: Refused,
        outcome: &'static str,
        client: Option<IpAddr>,
        clock: Option<String>,
    ) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let own = Key { what, outcome, source: client.map(source_of) };
        let has_line = counted.contains_key(&own) || counted.len() < SOURCES_MAX;
        let key = if has_line { own } else { Key { source: None, ..own } };
        let client = client.filter(|_| has_line);
        let counted = counted.entry(key).or_insert(Counted { count: 0, client, clock: None });
        counted.count = counted.count.saturating_add(1);
        counted.clock = clock;
    }

    /// Writes one line for each source and outcome, and begins again.
    fn flush(&self) {
        let counted = std::mem::take(&mut *self.counted.lock().unwrap_or_else(PoisonError::into_inner));
        for (key, Counted { count, client, clock }) in counted {
            self.keep(key, client, clock.clone(), count);
            let client = client.map_or_else(|| OTHERS.to_owned(), |client| client.to_string());
            match key.what {
                Refused::Webhook(webhook) => warn!(self.log, "webhook refused";
                    "webhook" => webhook, "outcome" => key.outcome, "count" => count, "client" => client,
                    "clock" => clock),
                Refused::Api => warn!(self.log, "API request refused";
                    "outcome" => key.outcome, "count" => count, "client" => client),
            }
        }
    }
}

impl Refusals {
    fn keep(&self, key: Key, client: Option<IpAddr>, clock: Option<String>, count: u64) {
        let now = clock::now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || RefusedOfLate {
            what: key.what,
            outcome: key.outcome,
            client,
            clock: None,
            count: 0,
            first: now,
            latest: now,
        };
        let known = kept.get_or_insert_mut(key, new);
        known.count = known.count.saturating_add(count);
        known.latest = now;
        known.clock = clock;
    }

    /// What was refused of late, the latest first.
    pub(crate) fn of_late(&self) -> Vec<RefusedOfLate> {
        self.flush();
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().map(|(_, refused)| refused.clone()).collect()
    }
}

impl Drop for Refusals {
    fn drop(&mut self) {
        self.flush();
    }
}

async fn summarise(refusals: Weak<Refusals>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(refusals) = refusals.upgrade() else { return };
        refusals.flush();
    }
}

#[cfg(test)]
mod tests;
