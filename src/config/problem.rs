//! Collects everything that is wrong with a configuration, so that one start shows all of it.

use std::fmt;

/// What is wrong with one variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The variable.
    pub name: String,
    /// Where it was set, as far as that is known and helps: `.env line 12`.
    pub place: Option<String>,
    /// What is wrong. Never a secret's value.
    pub wrong: String,
    /// What would be right, for the administrator to set.
    pub right: String,
}

/// The configuration cannot be used. Lists every wrong variable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// Never empty. Sorted by name; problems of one variable in the order they were found.
    pub problems: Vec<Problem>,
    /// A sentence for each unknown variable: a misspelt name is often why another is missing.
    pub unknown: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => write!(f, "the configuration has a problem:")?,
            count => write!(f, "the configuration has {count} problems:")?,
        }
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        if !self.unknown.is_empty() {
            write!(f, "\nand these variables are unknown:")?;
        }
        for unknown in &self.unknown {
            write!(f, "\n  {unknown}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, place, wrong, right } = self;
        match place {
            Some(place) => write!(f, "{name} ({place}): {wrong}; right would be: {right}"),
            None => write!(f, "{name}: {wrong}; right would be: {right}"),
        }
    }
}

/// Problems found while sections are read. One wrong value does not hide the next.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    /// Adds a problem of the variable `name`.
    pub(super) fn add(
        &mut self,
        name: impl Into<String>,
        wrong: impl Into<String>,
        right: impl Into<String>,
    ) {
        let problem = Problem { name: name.into(), place: None, wrong: wrong.into(), right: right.into() };
        self.0.push(problem);
    }

    /// Whether `name` has a problem already.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|problem| problem.name == name)
    }

    /// Adds to each problem where its variable was set.
    pub(super) fn locate(&mut self, place: impl Fn(&str) -> Option<String>) {
        for problem in &mut self.0 {
            problem.place = place(&problem.name);
        }
    }

    /// The error, if there are problems. `unknown` has a sentence for each unknown variable.
    pub(super) fn into_error(mut self, unknown: Vec<String>) -> Result<(), ConfigError> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.0.sort_by(|a, b| a.name.cmp(&b.name));
        self.0.dedup();
        Err(ConfigError { problems: self.0, unknown })
    }

    /// Keeps the problems of the variables that `is_wanted` chooses by name.
    pub(super) fn keep(&mut self, is_wanted: impl Fn(&str) -> bool) {
        self.0.retain(|problem| is_wanted(&problem.name));
    }
}
