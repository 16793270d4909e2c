//! Prompts that differ from the configuration, for health.

use std::sync::{Mutex, PoisonError};

/// Written when prompts are prepared, read by health.
#[derive(Debug, Default)]
pub struct PromptProblems(Mutex<Vec<String>>);

impl PromptProblems {
    /// Replaces the problems. Returns whether they changed.
    pub fn set(&self, problems: Vec<String>) -> bool {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = *current != problems;
        *current = problems;
        is_news
    }

    /// The problems, as text.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
