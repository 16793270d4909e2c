//! Writes a part of a left-behind spool: an entry enters its log only as the next one.
//!
//! A database that was restored from a backup may lack what was written between the backup and the spool. Such a log
//! must not get a gap.

use std::collections::HashMap;
use std::sync::Arc;

use deadpool_postgres::{Pool, Transaction};
use uuid::Uuid;

use super::derived::{rows_of, write_rows};
use super::event_log;
use super::raw::{RawBatch, RawEntry};
use super::refused::write_rows_apart;
use super::rows::Stream;
use super::write::append_in;
use crate::error::StoreError;
use crate::leader::engine_lock;

/// Why an entry does not fit its log.
const MISSING: &str = "its log in this database ends before the event before it: the database was restored from an \
                       older backup, or that event is in quarantine";

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Imported {
    /// Entries and rows that went into quarantine.
    pub(crate) quarantined: usize,
    /// The last position that it gave.
    pub(crate) last: Option<i64>,
}

impl Imported {
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            quarantined: self.quarantined.saturating_add(other.quarantined),
            last: self.last.max(other.last),
        }
    }
}

/// Writes a batch, in one transaction if the database takes it. `acting` is the generation that must be the active
/// one.
///
/// # Errors
/// The outcome is unknown. If the error is passing, write the same batch again. [`StoreError::Superseded`] when
/// another start has become active.
pub(crate) async fn import(pool: &Pool, batch: Arc<RawBatch>, acting: u64) -> Result<Imported, StoreError> {
    match together(pool, Arc::clone(&batch), acting).await {
        Err(StoreError::Refused(_)) => apart(pool, &batch, acting).await,
        outcome => outcome,
    }
}

async fn together(pool: &Pool, batch: Arc<RawBatch>, acting: u64) -> Result<Imported, StoreError> {
    let mut client = pool.get().await?;
    let transaction = client.transaction().await?;
    engine_lock::still_acts(&transaction, acting).await?;
    let (fitting, others) = fitting(&transaction, &batch.entries).await?;
    event_log::quarantine_all(&*transaction, &others, MISSING).await?;
    let new = append_in(&transaction, fitting.iter().copied()).await?;
    // Megabytes of JSON: not on the thread that other connections wait for.
    let of_rows = Arc::clone(&batch);
    let last = new.last;
    let rows = tokio::task::spawn_blocking(move || rows_of(&of_rows, |entry| new.has(entry))).await;
    let rows = rows.map_err(|error| StoreError::Unavailable(error.to_string()))??;
    write_rows(&transaction, rows).await?;
    transaction.commit().await?;
    Ok(Imported { quarantined: others.len(), last })
}

/// Writes each entry in its own transaction.
async fn apart(pool: &Pool, batch: &RawBatch, acting: u64) -> Result<Imported, StoreError> {
    let mut all = Imported::default();
    for entry in &batch.entries {
        let alone = Arc::new(RawBatch { entries: vec![entry.clone()], rows: Vec::new() });
        all = all.and(match together(pool, alone, acting).await {
            Err(StoreError::Refused(reason)) => {
                let client = pool.get().await?;
                event_log::quarantine_all(&**client, &[entry], &reason).await?;
                Imported { quarantined: 1, last: None }
            }
            outcome => outcome?,
        });
    }
    let rows = write_rows_apart(pool, &batch.rows, acting).await?;
    Ok(all.and(Imported { quarantined: rows, last: None }))
}

/// The entries that are in their log or are its next ones, and the others.
async fn fitting<'a>(
    transaction: &Transaction<'_>,
    entries: &'a [RawEntry],
) -> Result<(Vec<&'a RawEntry>, Vec<&'a RawEntry>), StoreError> {
    let mut ends = HashMap::new();
    for stream in [Stream::Call, Stream::Voice] {
        let of_stream = entries.iter().filter(|entry| entry.stream == stream);
        let mut owners: Vec<Uuid> = of_stream.map(|entry| entry.owner).collect();
        owners.sort_unstable();
        owners.dedup();
        let found = event_log::ends(&**transaction, stream, &owners).await?;
        ends.extend(found.into_iter().map(|(owner, end)| ((stream, owner), end)));
    }
    Ok(entries.iter().partition(|entry| is_next(&mut ends, entry)))
}

/// Whether an entry is in its log already, or the next one, which is then its end.
fn is_next(ends: &mut HashMap<(Stream, Uuid), i64>, entry: &RawEntry) -> bool {
    let end = ends.entry((entry.stream, entry.owner)).or_insert(0);
    let fits = entry.seq > 0 && entry.seq <= end.saturating_add(1);
    if fits {
        *end = entry.seq.max(*end);
    }
    fits
}

#[cfg(test)]
mod tests;
