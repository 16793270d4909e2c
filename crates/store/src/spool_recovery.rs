//! Writes what earlier starts of precall left in the spool into the database.
//!
//! The write carries the generation of the start that acknowledged the events. The database accepts it if no later
//! start has become active since. Otherwise [`write_late`] decides which of the logs may still be written.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use deadpool_postgres::Pool;
use slog::{Logger, error, info, warn};
use uuid::Uuid;

use super::error::StoreError;
use crate::events::refused::{set_apart, write_apart};
use crate::events::write::{write, write_late};
use crate::spool::disk::Directory;
use crate::spool::handle::SpoolHandle;

/// Time limit of one transaction.
const WRITE_WITHIN: Duration = Duration::from_secs(30);
/// Time limit of a transaction that writes a whole spool.
const LATE_WITHIN: Duration = Duration::from_secs(300);

/// Why the spool could not be emptied.
#[derive(Debug, thiserror::Error)]
pub enum LeftError {
    /// The disk cannot be read.
    #[error("the spool of an earlier start cannot be read: {0}")]
    Disk(#[from] io::Error),
    /// The database does not accept it now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Empties every spool directory under `root` that no process holds. Migrate first. Returns the number of entries.
///
/// # Errors
/// When a directory is not empty yet. The next call continues where this one stopped.
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
            error!(log, "a batch in the spool is damaged, its file is kept"; "error" => %error);
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

/// Writes all of it in one transaction: even after a crash, precall must know which logs begin in this spool.
async fn late(spool: &SpoolHandle, pool: &Pool, log: &Logger) -> Result<usize, LeftError> {
    let written = match tokio::time::timeout(LATE_WITHIN, write_all_late(spool, pool, Late::Logs)).await {
        // The database refuses one of the rows: then no entry of it enters a log.
        Ok(Err(LeftError::Store(StoreError::Refused(_)))) => {
            tokio::time::timeout(LATE_WITHIN, write_all_late(spool, pool, Late::Apart)).await
        }
        outcome => outcome,
    };
    let Written { frames, entries, apart } = written.unwrap_or(Err(StoreError::TooSlow.into()))?;
    spool.take_out(frames).await?;
    if apart > 0 {
        warn!(log, "quarantined events of calls that another precall has resumed"; "entries" => apart);
    }
    Ok(entries)
}

#[derive(Clone, Copy)]
enum Late {
    Logs,
    Apart,
}

#[derive(Default)]
struct Written {
    frames: usize,
    entries: usize,
    apart: usize,
}

async fn write_all_late(spool: &SpoolHandle, pool: &Pool, late: Late) -> Result<Written, LeftError> {
    let (mut own, mut all) = (HashSet::<Uuid>::new(), Written::default());
    let mut client = pool.get().await.map_err(StoreError::from)?;
    let mut transaction = client.transaction().await.map_err(StoreError::from)?;
    while let Some(together) = spool.peek(all.frames).await? {
        let apart = match late {
            Late::Logs => write_late(&transaction, &together.batch, &mut own).await?,
            Late::Apart => set_apart(&mut transaction, &together.batch).await?,
        };
        all.apart = all.apart.saturating_add(apart);
        all.entries = all.entries.saturating_add(together.batch.len());
        all.frames = all.frames.saturating_add(together.frames);
    }
    transaction.commit().await.map_err(StoreError::from)?;
    Ok(all)
}

async fn in_time<T>(write: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(WRITE_WITHIN, write).await.unwrap_or(Err(StoreError::TooSlow))
}
