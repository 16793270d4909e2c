//! A read replica of the database (`DATABASE_READ_URL`): how far it is, and reads that prefer it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use deadpool_postgres::Pool;

use super::read_only::read;
use crate::StoreError;

// Positions as bytes of the write-ahead log since the cluster was made. The identifier is that of the cluster: a
// replica has that of its primary.
const WRITTEN: &str = "
    select (select system_identifier from pg_control_system()) as system, current_database()::text as name,
        case when pg_is_in_recovery() then null
            else pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint end as position";
const REPLAYED: &str = "
    select (select system_identifier from pg_control_system()) as system, current_database()::text as name,
        case when pg_is_in_recovery()
            then pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint end as position";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[WRITTEN, REPLAYED];

/// Where a server is in the write-ahead log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalPosition {
    /// The cluster that the log is of, and the name of the database in it.
    pub of: (i64, String),
    /// Bytes of the log. None for a primary that is asked as a replica, and the other way round.
    pub position: Option<i64>,
}

/// Why a server is not the replica of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReplica {
    /// Its cluster or its database is another one.
    #[error("DATABASE_READ_URL names another database than DATABASE_URL")]
    OfAnother,
    /// It is a primary, or a service that does not say where it is.
    #[error("DATABASE_READ_URL names a server that is no streaming replica")]
    Primary,
}

impl WalPosition {
    /// How much a replica of the database `of` has.
    ///
    /// # Errors
    /// It is no replica of that.
    pub fn as_replica_of(&self, of: Option<&(i64, String)>) -> Result<i64, NoReplica> {
        if of.is_some_and(|of| *of != self.of) {
            return Err(NoReplica::OfAnother);
        }
        self.position.ok_or(NoReplica::Primary)
    }
}

async fn position(pool: &Pool, statement: &'static str) -> Result<WalPosition, StoreError> {
    let rows = read(pool, statement, &[]).await?;
    let row = rows.first().ok_or_else(|| StoreError::Refused("no position".to_owned()))?;
    Ok(WalPosition { of: (row.try_get("system")?, row.try_get("name")?), position: row.try_get("position")? })
}

/// Where history is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// At the replica.
    Replica,
    /// At the database itself.
    Primary,
}

/// A replica and its primary, and which of them history is read from.
#[derive(Clone)]
pub struct Replica {
    primary: Pool,
    replica: Pool,
    is_used: Arc<AtomicBool>,
}

impl Replica {
    /// A replica of which nothing is known yet: nothing is read from it.
    #[must_use]
    pub fn new(primary: Pool, replica: Pool) -> Self {
        Self { primary, replica, is_used: Arc::default() }
    }

    /// How much the primary has written.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn written(&self) -> Result<WalPosition, StoreError> {
        position(&self.primary, WRITTEN).await
    }

    /// How much the replica has of that.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn replayed(&self) -> Result<WalPosition, StoreError> {
        position(&self.replica, REPLAYED).await
    }

    /// Sets where history is read from now on.
    pub fn read_from(&self, source: Source) {
        self.is_used.store(source == Source::Replica, Ordering::Relaxed);
    }
}

/// What reads of the API are made from. History and statistics come from the replica while that is current; everything
/// else, and they too otherwise, from the primary.
#[derive(Clone)]
pub struct ReadPools {
    /// The database.
    pub primary: Pool,
    /// Its replica, if there is one.
    pub replica: Option<Replica>,
}

impl From<Pool> for ReadPools {
    fn from(primary: Pool) -> Self {
        Self { primary, replica: None }
    }
}

impl ReadPools {
    /// Reads history or statistics.
    ///
    /// # Errors
    /// When the read fails. It is made from the primary when the replica cannot be reached or ends it, which a replica
    /// does to go on with its log. A read that takes too long is not repeated.
    pub async fn history<T>(
        &self,
        reading: impl AsyncFn(&Pool) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Some(replica) = self.replica.as_ref().filter(|it| it.is_used.load(Ordering::Relaxed)) {
            match reading(&replica.replica).await {
                Err(StoreError::Unavailable(_) | StoreError::Unusable(_)) => {}
                read => return read,
            }
        }
        reading(&self.primary).await
    }
}
