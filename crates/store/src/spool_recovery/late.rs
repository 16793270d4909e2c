//! Writes a spool whose start no longer acted when it acknowledged the events, or that somebody else has followed.

use std::collections::HashSet;
use std::time::Duration;

use deadpool_postgres::Pool;
use slog::{Logger, warn};
use uuid::Uuid;

use super::LeftError;
use crate::error::StoreError;
use crate::events::refused::set_apart;
use crate::events::write::write_late;
use crate::spool::handle::SpoolHandle;

/// Time limit of a transaction that writes a whole spool.
const WITHIN: Duration = Duration::from_secs(300);
const BYTES_AT_ONCE: usize = 4 * 1024 * 1024;

/// Writes all of it in one transaction: even after a crash, precall must know which logs begin in this spool. Returns
/// the number of entries.
pub(super) async fn write_all(spool: &SpoolHandle, pool: &Pool, log: &Logger) -> Result<usize, LeftError> {
    let written = match tokio::time::timeout(WITHIN, attempt(spool, pool, Late::Logs)).await {
        // The database refuses one of the rows: then no entry of it enters a log.
        Ok(Err(LeftError::Store(StoreError::Refused(_)))) => {
            tokio::time::timeout(WITHIN, attempt(spool, pool, Late::Apart)).await
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

async fn attempt(spool: &SpoolHandle, pool: &Pool, late: Late) -> Result<Written, LeftError> {
    let (mut own, mut all) = (HashSet::<Uuid>::new(), Written::default());
    let mut client = pool.get().await.map_err(StoreError::from)?;
    let mut transaction = client.transaction().await.map_err(StoreError::from)?;
    while let Some(together) = spool.peek_raw(all.frames, BYTES_AT_ONCE).await? {
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
