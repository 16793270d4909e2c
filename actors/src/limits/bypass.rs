//! Bypass: an operator sends the new calls of a line, or of all lines, to the fallback destination, without any contact
//! to the provider. Admission asks here; `admission::bypass_keeper` keeps it in a file and in the
//! database.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use precall_base::clock;
use precall_call::{At, LineId};
use precall_store::bypass::BypassRow;

/// What operators last said of each line. The key is the line, empty for every line.
#[derive(Debug, Default)]
pub struct Bypass(Mutex<BTreeMap<String, BypassRow>>);

impl Bypass {
    /// Whether a new call of this line is sent away.
    #[must_use]
    pub(crate) fn covers(&self, line: &LineId) -> bool {
        let (said, now) = (self.said(), clock::wall());
        ["", line.as_str()].iter().any(|line| said.get(*line).is_some_and(|row| is_in_force(row, now)))
    }

    /// The bypasses in force, that of every line first.
    #[must_use]
    pub fn in_force(&self) -> Vec<BypassRow> {
        let now = clock::wall();
        self.said().values().filter(|row| is_in_force(row, now)).cloned().collect()
    }

    /// Everything that was said.
    #[must_use]
    pub(crate) fn all(&self) -> Vec<BypassRow> {
        self.said().values().cloned().collect()
    }

    /// Takes what is newer than what is known of its line. Returns whether that was something.
    pub(crate) fn take(&self, rows: Vec<BypassRow>) -> bool {
        let mut said = self.said();
        let mut is_news = false;
        for row in rows {
            if said.get(&row.line).is_none_or(|known| known.changed_at < row.changed_at) {
                said.insert(row.line.clone(), row);
                is_news = true;
            }
        }
        is_news
    }

    /// Takes back a change that could not be kept.
    pub(crate) fn restore(&self, line: &str, before: Option<BypassRow>) {
        let mut said = self.said();
        match before {
            Some(before) => said.insert(line.to_owned(), before),
            None => said.remove(line),
        };
    }

    /// What was last said of a line.
    #[must_use]
    pub(crate) fn of_line(&self, line: &str) -> Option<BypassRow> {
        self.said().get(line).cloned()
    }

    fn said(&self) -> MutexGuard<'_, BTreeMap<String, BypassRow>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_in_force(row: &BypassRow, now: At) -> bool {
    row.is_on && row.until.is_none_or(|until| now < until)
}

/// A bypass as a sentence, for health and logs.
#[must_use]
pub fn words(row: &BypassRow) -> String {
    let line = if row.line.is_empty() { "every line".to_owned() } else { format!("line {}", row.line) };
    format!("bypass is on for {line}: new calls go to FALLBACK_DESTINATION. Reason: {}", row.reason)
}

#[cfg(test)]
mod tests;
