//! Writes a batch whose events are all new, in two exchanges with the server instead of five. That is the common case.
//! At a low rate the exchanges are most of the time of a write, and wake both processes each time.

use deadpool_postgres::{Object, Pool};
use futures_util::future::{join, join4};
use scopeguard::ScopeGuard;

use super::derived::{self, rows_of};
use super::event_log;
use super::raw::{RawBatch, RawEntry};
use super::rows::Stream;
use crate::error::StoreError;
use crate::leader::engine_lock;

/// What became of a batch.
pub(super) enum Written {
    /// It is in the database. With the highest position, if it had an event.
    At(Option<i64>),
    /// Nothing: one of its events is not new.
    NotNew,
}

/// Writes a batch in one transaction, if its events are all new.
///
/// # Errors
/// As [`write`](super::write::write).
pub(super) async fn write_new(pool: &Pool, batch: &RawBatch, generation: u64) -> Result<Written, StoreError> {
    let rows = rows_of(batch, |_| true)?;
    // Given up in the middle, the connection is closed: the next user of the pool must not get its transaction.
    let held = scopeguard::guard(pool.get().await?, |client| drop(Object::take(client)));
    let client: &Object = &held;
    let of = |stream| -> Vec<&RawEntry> { batch.entries.iter().filter(|e| e.stream == stream).collect() };
    let (of_calls, of_jobs) = (of(Stream::Call), of(Stream::Voice));
    // Polled in this order, so `begin` is sent first.
    let (begun, acts, calls, jobs) = join4(
        client.batch_execute("begin"),
        engine_lock::still_acts(client, generation),
        event_log::insert(client, Stream::Call, &of_calls),
        event_log::insert(client, Stream::Voice, &of_jobs),
    )
    .await;
    begun?;
    acts?;
    let (calls, jobs) = (calls?, jobs?);
    if calls.len().saturating_add(jobs.len()) < batch.entries.len() {
        client.batch_execute("rollback").await?;
        drop(ScopeGuard::into_inner(held));
        return Ok(Written::NotNew);
    }
    let prepared = derived::prepare(client, rows).await?;
    // After an error of a row the server takes `commit` for `rollback`.
    let (written, committed) =
        join(derived::execute(client, &prepared), client.batch_execute("commit")).await;
    written?;
    committed?;
    drop(ScopeGuard::into_inner(held));
    Ok(Written::At(calls.iter().chain(&jobs).map(|new| new.position).max()))
}
