//! Writes one batch of events and their derived rows, in one transaction.

use std::collections::HashSet;

use deadpool_postgres::{Pool, Transaction};
use uuid::Uuid;

pub use super::derived::STATEMENTS;
use super::derived::{rows_of, write_rows};
use super::event_log::{self, Appended};
use super::pipeline::{self, Written};
use super::raw::{RawBatch, RawEntry};
use super::rows::{Batch, Stream};
use crate::error::StoreError;
use crate::leader::engine_lock;

/// Why an entry of a start that is no longer active does not enter its log.
pub(super) const LATE: &str = "it was acknowledged by a start of precall that no longer acted";

/// Writes a batch. Stored events stay unchanged, so the same batch may be written again after an unknown outcome.
/// Returns the highest position, if an event was new.
///
/// # Errors
/// The outcome is unknown. If the error is passing, write the same batch again. [`StoreError::Superseded`] when the
/// start with this `generation` is no longer the active one.
pub async fn write(pool: &Pool, batch: &Batch, generation: u64) -> Result<Option<i64>, StoreError> {
    let batch = RawBatch::of(batch)?;
    if let Written::At(position) = pipeline::write_new(pool, &batch, generation).await? {
        return Ok(position);
    }
    let mut client = pool.get().await?;
    let transaction = client.transaction().await?;
    engine_lock::still_acts(&transaction, generation).await?;
    let position = write_in(&transaction, &batch).await?;
    transaction.commit().await?;
    Ok(position)
}

/// Writes a batch of a start that is no longer active, as a part of the transaction that writes its whole spool. Logs
/// of calls and jobs that begin in this spool are written, and their owners added to `own`. All other entries go into
/// quarantine, because a later start may have continued their logs. Returns the number of quarantined entries.
///
/// # Errors
/// When the query fails. Roll the transaction back.
pub(crate) async fn write_late(
    transaction: &Transaction<'_>,
    batch: &RawBatch,
    own: &mut HashSet<Uuid>,
) -> Result<usize, StoreError> {
    for stream in [Stream::Call, Stream::Voice] {
        let firsts = batch.entries.iter().filter(|entry| entry.stream == stream && entry.seq == 1);
        let firsts: Vec<Uuid> =
            firsts.map(|entry| entry.owner).filter(|owner| !own.contains(owner)).collect();
        let known = event_log::known(&**transaction, stream, &firsts).await?;
        own.extend(firsts.into_iter().filter(|owner| !known.contains(owner)));
    }
    let (ours, others): (Vec<RawEntry>, Vec<RawEntry>) =
        batch.entries.iter().cloned().partition(|entry| own.contains(&entry.owner));
    write_in(transaction, &RawBatch { entries: ours, rows: batch.rows.clone() }).await?;
    event_log::quarantine_all(&**transaction, &others.iter().collect::<Vec<_>>(), LATE).await?;
    Ok(others.len())
}

pub(crate) async fn write_in(
    transaction: &Transaction<'_>,
    batch: &RawBatch,
) -> Result<Option<i64>, StoreError> {
    let new = append_in(transaction, batch.entries.iter()).await?;
    write_rows(transaction, rows_of(batch, |entry| new.has(entry))?).await?;
    Ok(new.last)
}

/// Which entries of a batch were new.
#[derive(Default)]
pub(crate) struct New {
    keys: HashSet<(Stream, Uuid, i64)>,
    /// The highest position.
    pub(crate) last: Option<i64>,
}

impl New {
    pub(crate) fn has(&self, entry: &RawEntry) -> bool {
        self.keys.contains(&(entry.stream, entry.owner, entry.seq))
    }
}

/// Appends entries to their logs.
pub(crate) async fn append_in<'a>(
    transaction: &Transaction<'_>,
    entries: impl Iterator<Item = &'a RawEntry> + Clone,
) -> Result<New, StoreError> {
    let mut new = New::default();
    for stream in [Stream::Call, Stream::Voice] {
        let of_stream: Vec<&RawEntry> = entries.clone().filter(|entry| entry.stream == stream).collect();
        for Appended { owner, seq, position } in event_log::append(transaction, stream, &of_stream).await? {
            new.keys.insert((stream, owner, seq));
            new.last = new.last.max(Some(position));
        }
    }
    Ok(new)
}
