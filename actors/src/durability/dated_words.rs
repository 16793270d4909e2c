//! Problems in words, each with the time since when it is known.

use std::sync::{Mutex, MutexGuard, PoisonError};

use precall_base::clock;
use precall_call::At;

/// The problems of one subject.
#[derive(Debug, Default)]
pub(super) struct DatedWords(Mutex<Vec<(At, String)>>);

impl DatedWords {
    /// The problems, and since when.
    pub(super) fn now(&self) -> Vec<(At, String)> {
        self.held().clone()
    }

    /// Takes the place of the problems before. One that stays keeps its time. Returns whether they changed.
    pub(super) fn replace(&self, problems: &[String]) -> bool {
        let mut held = self.held();
        let is_news = !held.iter().map(|(_, words)| words).eq(problems);
        if is_news {
            let now = clock::now();
            let since =
                |words: &String| held.iter().find(|(_, old)| old == words).map_or(now, |(since, _)| *since);
            *held = problems.iter().map(|words| (since(words), words.clone())).collect();
        }
        is_news
    }

    fn held(&self) -> MutexGuard<'_, Vec<(At, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
