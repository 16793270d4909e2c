//! Whether the read replica is current enough to read from.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::VecDeque;
use std::time::Duration;

use precall_call::At;
use precall_store::reads::replica::WalPosition;

#[cfg(test)]
mod tests;

/// A replica that lacks what was written longer ago than this is not read from.
pub const BEHIND_MAX: Duration = Duration::from_secs(10);
/// Positions that are kept. The oldest one says how far the replica is behind.
const LACKING_MAX: usize = 64;

/// What is new for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// History is read from the replica from now on.
    Used,
    /// It is read from the database from now on, for this reason.
    NotUsed(String),
}

/// What was seen of the replica.
#[derive(Debug, Default)]
pub(crate) struct ReplicaState {
    /// When the database had written up to which position, as far as the replica lacks it.
    lacking: VecDeque<(At, i64)>,
    of: Option<(i64, String)>,
    is_used: bool,
    trouble: Option<(At, String)>,
}

impl ReplicaState {
    /// Takes a look at both. The database may be away: then nothing is written, and the replica may be read from.
    pub(crate) fn look(
        &mut self,
        written: Option<WalPosition>,
        replayed: Result<WalPosition, String>,
        now: At,
    ) -> Option<News> {
        if let Some(WalPosition { of, position }) = written {
            self.of = Some(of);
            if let Some(position) = position.filter(|_| self.lacking.len() < LACKING_MAX) {
                self.lacking.push_back((now, position));
            }
        }
        let trouble = replayed.and_then(|replayed| self.judge(&replayed, now)).err();
        let is_used = trouble.is_none() && self.of.is_some();
        let was_used = std::mem::replace(&mut self.is_used, is_used);
        let was_well = self.trouble.is_none();
        self.trouble = trouble.map(|words| {
            let since = self.trouble.as_ref().map_or(now, |(since, _)| *since);
            (since, words)
        });
        match &self.trouble {
            None if is_used && !was_used => Some(News::Used),
            Some((_, words)) if was_well => Some(News::NotUsed(words.clone())),
            None | Some(_) => None,
        }
    }

    /// Whether history is to be read from it.
    pub(crate) fn is_used(&self) -> bool {
        self.is_used
    }

    /// Why not, and since when.
    pub(crate) fn problem(&self) -> Option<(At, String)> {
        let (since, words) = self.trouble.as_ref()?;
        Some((*since, format!("history and statistics are read from the database itself: {words}")))
    }

    fn judge(&mut self, replayed: &WalPosition, now: At) -> Result<(), String> {
        let position = replayed.as_replica_of(self.of.as_ref()).map_err(|error| error.to_string())?;
        while self.lacking.front().is_some_and(|(_, lacked)| *lacked <= position) {
            self.lacking.pop_front();
        }
        let behind = self.lacking.front().map_or(Duration::ZERO, |(at, _)| now.since(*at));
        if behind > BEHIND_MAX {
            return Err(format!("the replica is {} s behind", behind.as_secs()));
        }
        Ok(())
    }
}
