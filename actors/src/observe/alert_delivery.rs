//! Whether messages about alerts reach people. Health shows it: an alert that nobody gets is none.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use precall_call::At;

/// The channels whose last message was not taken, by name.
#[derive(Debug, Default)]
pub struct AlertDelivery(Mutex<BTreeMap<&'static str, (At, String)>>);

impl AlertDelivery {
    /// A message went out.
    pub fn succeeded(&self, channel: &'static str) {
        self.lock().remove(channel);
    }

    /// A message was not taken. The words are without secrets and whole numbers.
    pub fn failed(&self, channel: &'static str, words: &str, now: At) {
        let mut failing = self.lock();
        let since = failing.get(channel).map_or(now, |(since, _)| *since);
        failing.insert(channel, (since, words.to_owned()));
    }

    /// What needs a person, and since when.
    #[must_use]
    pub fn problems(&self) -> Vec<(At, String)> {
        let failing = self.lock();
        let said = failing
            .iter()
            .map(|(channel, (since, words))| (*since, format!("alerts by {channel} do not go out: {words}")));
        said.collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, (At, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
