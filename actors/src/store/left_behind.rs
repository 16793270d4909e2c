//! What starts before this one left on disk, brought into the database.
//!
//! It is written with the number of the start that acknowledged it, so the database takes it as it would have taken it then: as long as
//! nobody else has acted since. Where somebody has, its logs are not ours to go on with (see [`write_late`]).

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use deadpool_postgres::Pool;
use slog::{Logger, error, info, warn};
use uuid::Uuid;

use super::error::StoreError;
use super::rows::Batch;
use super::write::{write, write_apart, write_late};
use crate::spool::disk::Directory;
use crate::spool::handle::SpoolHandle;

/// One attempt at one transaction.
const WRITE_WITHIN: Duration = Duration::from_secs(30);

/// Why something is still there.
#[derive(Debug, thiserror::Error)]
pub enum LeftError {
    /// The disk cannot be read.
    #[error("what an earlier start left in the spool cannot be read: {0}")]
    Disk(#[from] io::Error),
    /// The database does not take it now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Empties every directory under `root` that nobody holds. The tables must be up to date. Returns how many entries there were.
///
/// # Errors
/// When something is still there; calling it again goes on where it stopped.
pub async fn bring_in(root: &Path, pool: &Pool, log: &Logger) -> Result<usize, LeftError> {
    let root: PathBuf = root.to_owned();
    let directories = tokio::task::spawn_blocking(move || Directory::left_behind(&root));
    let mut entries = 0_usize;
    for directory in directories.await.map_err(io::Error::other)?? {
        let path = directory.path().display().to_string();
        let opened = tokio::task::spawn_blocking(move || SpoolHandle::open(directory, u64::MAX));
        let spool = opened.await.map_err(io::Error::other)??;
        let waiting = spool.waiting().await;
        if waiting.frames > 0 {
            info!(log, "an earlier start left events in the spool"; "directory" => path,
                "batches" => waiting.frames, "bytes" => waiting.bytes);
            entries = entries.saturating_add(empty(&spool, pool, log).await?);
        }
    }
    Ok(entries)
}

async fn empty(spool: &SpoolHandle, pool: &Pool, log: &Logger) -> Result<usize, LeftError> {
    let mut entries = 0_usize;
    while let Some(together) = spool.peek(0).await? {
        for error in &together.passed_over {
            error!(log, "a batch in the spool cannot be used, its file is kept"; "error" => %error);
        }
        let outcome = in_time(write(pool, &together.batch, together.generation)).await;
        let refused = match outcome {
            Ok(_) => 0,
            Err(StoreError::Superseded) => return Ok(entries.saturating_add(late(spool, pool, log).await?)),
            Err(error) if error.is_passing() => return Err(error.into()),
            Err(_) => in_time(write_apart(pool, &together.batch, together.generation)).await?.1,
        };
        if refused > 0 {
            error!(log, "entries were quarantined"; "entries" => refused);
        }
        entries = entries.saturating_add(together.batch.len());
        spool.take_out(together.frames).await?;
    }
    Ok(entries)
}

/// Nothing is taken out before all is written: whose logs begin here must be known to the end.
async fn late(spool: &SpoolHandle, pool: &Pool, log: &Logger) -> Result<usize, LeftError> {
    let (mut own, mut frames, mut entries, mut apart) = (HashSet::<Uuid>::new(), 0_usize, 0_usize, 0_usize);
    while let Some(together) = spool.peek(frames).await? {
        let firsts = together.batch.entries.iter().filter(|entry| entry.seq == 1);
        own.extend(firsts.map(|entry| entry.owner));
        let put_apart = match in_time(write_late(pool, &together.batch, &own)).await {
            // Something in it cannot be a row here: then nothing of it enters a log.
            Err(StoreError::Refused(_)) => {
                let events = Batch { entries: together.batch.entries.clone(), rows: Vec::new() };
                in_time(write_late(pool, &events, &HashSet::new())).await?
            }
            outcome => outcome?,
        };
        apart = apart.saturating_add(put_apart);
        entries = entries.saturating_add(together.batch.len());
        frames = frames.saturating_add(together.frames);
    }
    spool.take_out(frames).await?;
    if apart > 0 {
        warn!(log, "events of calls that another precall goes on with were quarantined"; "entries" => apart);
    }
    Ok(entries)
}

async fn in_time<T>(write: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(WRITE_WITHIN, write).await.unwrap_or(Err(StoreError::TooSlow))
}
