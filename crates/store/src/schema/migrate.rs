//! Bringing the schema up to date, once, however many processes start at the same time.
//!
//! refinery takes no lock of its own: two processes on an empty database would both create its table, and one would
//! fail. A session lock of PostgreSQL makes them take turns; the second finds nothing left to do.

use std::time::Duration;

pub use refinery::{Migration, Runner};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// "precall" and a zero: nobody else's advisory lock in this database.
const LOCK: i64 = 0x7072_6563_616c_6c00;
/// How much longer than the server we wait for its word that it has given up.
const GRACE: Duration = Duration::from_secs(5);

/// How long to be patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For another process that is migrating.
    pub lock: Duration,
    /// For any one statement of a migration.
    pub statement: Duration,
    /// For all of them together.
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

/// Why the schema is not up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// Somebody else is at it, or hangs at it.
    #[error("another process has been migrating this database for more than {} s", .0.as_secs())]
    Busy(Duration),
    /// All of it took too long, or the database fell silent.
    #[error("the migrations were not done after {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The database refused a statement around the migrations.
    #[error("{}", crate::connect::explain(.0))]
    Database(#[source] tokio_postgres::Error),
    /// A migration failed, or the applied ones are not the ones we know.
    #[error("{}", crate::connect::with_causes(.0))]
    Migration(#[source] refinery::Error),
}

/// Applies what is missing and says which versions that was.
///
/// Give it a connection of its own and drop that afterwards, whatever the outcome: after an error or a deadline it may
/// still hold the lock and run a statement.
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
    // The pool's limit on statements is meant for a live call, neither for the wait nor for a large migration.
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
