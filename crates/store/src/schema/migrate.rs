//! Applies the migrations exactly once, also if several processes start at the same time.
//!
//! refinery takes no lock of its own: two processes on an empty database would both create its table, and one would
//! fail. A session lock of PostgreSQL makes them take turns. The second one then finds nothing to do.

use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

pub use refinery::{Migration, Runner};

/// The advisory lock of the migrations: "precall" and a zero.
const LOCK: i64 = 0x7072_6563_616c_6c00;
/// precall waits this much longer than the server's own limit, to receive the server's error.
const GRACE: Duration = Duration::from_secs(5);

/// The time limits of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wait for another process that is migrating.
    pub lock: Duration,
    /// One statement of a migration.
    pub statement: Duration,
    /// All migrations together.
    pub total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lock: Duration::from_secs(60),
            statement: Duration::from_secs(600),
            total: Duration::from_secs(1800),
        }
    }
}

/// Why the migrations failed.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// Another process is migrating, or hangs in it.
    #[error("another process has been migrating this database for more than {} s", .0.as_secs())]
    Busy(Duration),
    /// The migrations took too long, or the database stopped answering.
    #[error("the migrations did not finish within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The database refused a statement around the migrations.
    #[error("{}", crate::connect::explain(.0))]
    Database(#[source] tokio_postgres::Error),
    /// A migration failed, or the database has other migrations than this precall.
    #[error("{}", crate::connect::with_causes(.0))]
    Migration(#[source] refinery::Error),
}

/// Applies the missing migrations. Returns their versions.
///
/// Use a dedicated connection and drop it afterwards, also after success: after an error or a timeout it may still hold
/// the lock and run a statement.
pub async fn migrate(client: &mut Client, runner: &Runner, limits: Limits) -> Result<Vec<i32>, MigrateError> {
    let patience = limits.lock.saturating_add(GRACE);
    tokio::time::timeout(patience, lock(client, limits))
        .await
        .map_err(|_silent| MigrateError::TimedOut(patience))??;
    let report = tokio::time::timeout(limits.total, runner.run_async(client))
        .await
        .map_err(|_late| MigrateError::TimedOut(limits.total))?
        .map_err(MigrateError::Migration)?;
    tokio::time::timeout(GRACE, client.execute("select pg_advisory_unlock($1)", &[&LOCK]))
        .await
        .map_err(|_silent| MigrateError::TimedOut(GRACE))?
        .map_err(MigrateError::Database)?;
    Ok(report.applied_migrations().iter().map(refinery::Migration::version).collect())
}

async fn lock(client: &Client, limits: Limits) -> Result<(), MigrateError> {
    // The statement limit of the pool is for live calls. It is too short for this wait and for a large migration.
    let settings = format!(
        "set statement_timeout = 0; set lock_timeout = {}",
        limits.lock.as_millis().clamp(1, 86_400_000)
    );
    client.batch_execute(&settings).await.map_err(MigrateError::Database)?;
    client.execute("select pg_advisory_lock($1)", &[&LOCK]).await.map_err(|error| match error.code() {
        Some(&SqlState::LOCK_NOT_AVAILABLE) => MigrateError::Busy(limits.lock),
        _ => MigrateError::Database(error),
    })?;
    let settings = format!(
        "set lock_timeout = 0; set statement_timeout = {}",
        limits.statement.as_millis().clamp(1, 86_400_000)
    );
    client.batch_execute(&settings).await.map_err(MigrateError::Database)
}
