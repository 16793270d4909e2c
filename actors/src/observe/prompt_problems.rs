//! Prompts that differ from the configuration, for health.

use std::sync::{Mutex, PoisonError};

use precall_base::clock;
use precall_call::At;

/// Written when prompts are prepared, read by health.
#[derive(Debug, Default)]
pub(crate) struct PromptProblems(Mutex<Vec<(At, String)>>);

impl PromptProblems {
    /// Replaces the problems; one that stays keeps its time. Returns whether they changed.
    pub fn set(&self, problems: Vec<String>) -> bool {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = current.len() != problems.len()
            || current.iter().zip(&problems).any(|((_, known), problem)| known != problem);
        let now = clock::now();
        let since = |problem: &String| {
            current.iter().find(|(_, known)| known == problem).map_or(now, |(since, _)| *since)
        };
        let dated: Vec<(At, String)> =
            problems.into_iter().map(|problem| (since(&problem), problem)).collect();
        *current = dated;
        is_news
    }

    /// The problems and since when, as text.
    #[must_use]
    pub fn all(&self) -> Vec<(At, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
