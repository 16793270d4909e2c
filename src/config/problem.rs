//! Everything that is wrong with a configuration, said at once: an operator should not have to start five times.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::value::Read;
use super::variables::{Section, find};

/// One variable that cannot be used as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The variable.
    pub name: String,
    /// What is wrong with it; never a secret's value.
    pub wrong: String,
    /// What would be right.
    pub right: String,
}

/// The configuration cannot be used; lists every wrong variable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// Never empty; in order of the variables' names, each name with its first problem first.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => write!(f, "the configuration has a problem:")?,
            count => write!(f, "the configuration has {count} problems:")?,
        }
        for problem in &self.problems {
            write!(f, "\n  {}: {}; right would be: {}", problem.name, problem.wrong, problem.right)?;
        }
        Ok(())
    }
}

/// Collects problems while sections are read, so that one bad value does not hide the next.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    /// Notes that `name` is wrong.
    pub(super) fn add(
        &mut self,
        name: impl Into<String>,
        wrong: impl Into<String>,
        right: impl Into<String>,
    ) {
        self.0.push(Problem { name: name.into(), wrong: wrong.into(), right: right.into() });
    }

    /// Whether `name` is already known to be wrong.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|problem| problem.name == name)
    }

    /// The value of a variable that may be unset: the outer `None` means wrong, and noted.
    #[expect(
        clippy::option_option,
        reason = "wrong and unset are two things, and callers use `?` on the first"
    )]
    pub(super) fn optional<T>(&mut self, name: &str, read: Option<Read<T>>) -> Option<Option<T>> {
        match read {
            None => Some(None),
            Some(read) => self.value(name, read).map(Some),
        }
    }

    /// The value, or `None` with the problem noted.
    pub(super) fn value<T>(&mut self, name: &str, read: Read<T>) -> Option<T> {
        match read.0 {
            Ok(value) => Some(value),
            Err(complaint) => {
                self.add(name, complaint.wrong, complaint.right);
                None
            }
        }
    }

    /// The value of a variable that must be set, or `None` with the problem noted.
    pub(super) fn required<T>(&mut self, name: &str, read: Option<Read<T>>, right: &str) -> Option<T> {
        match read {
            Some(read) => self.value(name, read),
            None => {
                // Unreadable `NAME_FILE`s are noted before; saying "not set" as well would mislead.
                if !self.has(name) && !self.has(&format!("{name}_FILE")) {
                    self.add(name, "is required and not set", right);
                }
                None
            }
        }
    }

    /// A whole number within `range`.
    pub(super) fn number<N: TryFrom<u64>>(
        &mut self,
        name: &str,
        read: Read<u64>,
        range: RangeInclusive<u64>,
        unit: &str,
    ) -> Option<N> {
        let right = format!("{} to {} {unit}", range.start(), range.end());
        let number = match read.0 {
            Ok(number) => number,
            Err(complaint) => {
                self.add(name, complaint.wrong, right);
                return None;
            }
        };
        let fits = range.contains(&number).then(|| N::try_from(number).ok()).flatten();
        if fits.is_none() {
            self.add(name, format!("`{number}` is out of range"), right);
        }
        fits
    }

    /// A time in whole seconds within `range`.
    pub(super) fn seconds(
        &mut self,
        name: &str,
        read: Read<u64>,
        range: RangeInclusive<u64>,
    ) -> Option<Duration> {
        self.number::<u64>(name, read, range, "seconds").map(Duration::from_secs)
    }

    /// The error, if anything was noted.
    pub(super) fn into_error(mut self) -> Result<(), ConfigError> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.0.sort_by(|a, b| a.name.cmp(&b.name));
        self.0.dedup();
        Err(ConfigError { problems: self.0 })
    }

    /// Forgets what concerns other sections, for commands that need one section alone.
    pub(super) fn only(mut self, section: Section) -> Self {
        self.0.retain(|problem| {
            let name = problem.name.strip_suffix("_FILE").unwrap_or(&problem.name);
            find(&problem.name).or_else(|| find(name)).is_none_or(|variable| variable.section == section)
        });
        self
    }
}
