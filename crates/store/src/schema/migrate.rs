//! Applies the missing migrations exactly once, all of them or none, also if several processes start at the same time.
//!
//! refinery compiles the files in, checks their numbers and makes the checksums. It is not used to apply them: it takes
//! no lock, makes its table in a transaction of its own, and does not say which migration of a group failed. Here one
//! transaction takes a lock, looks at the database and applies everything. Processes take turns; the second one finds
//! nothing to do.

use std::time::Duration;

use precall_base::redact::hide;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Transaction};

use super::recognise::{Contents, recognise};
use crate::error::StoreError;

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
    /// An adoption: wait for another program to leave the tables.
    pub tables: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lock: Duration::from_secs(60),
            statement: Duration::from_secs(600),
            total: Duration::from_secs(1800),
            tables: Duration::from_secs(10),
        }
    }
}

// As refinery makes it: databases of earlier releases have it.
const HISTORY: &str = "
    create table if not exists refinery_schema_history (version int4 primary key, name varchar(255),
        applied_on varchar(255), checksum varchar(255))";

// refinery reads the time as RFC 3339.
const APPLIED: &str = "
    insert into refinery_schema_history (version, name, applied_on, checksum)
    values ($1, $2, to_char(now() at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), $3)";

/// Why the migrations failed. Nothing was changed.
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
    /// Another program holds a table that an adoption changes.
    #[error(
        "another program has used the tables for more than {} s, and nothing was changed: stop the VoiceClone Pre-Call \
         Service, and what else writes to this database",
        .0.as_secs()
    )]
    InUse(Duration),
    /// An adoption changed other rows than it had counted.
    #[error(
        "{what}: {counted} rows were counted and {changed} were changed, so nothing was changed: report it"
    )]
    Unequal {
        /// The change.
        what: String,
        /// Rows that were to change.
        counted: i64,
        /// Rows that changed.
        changed: u64,
    },
    /// The consents of an adoption could not be recorded.
    #[error("nothing was changed: {0}")]
    Consents(#[from] StoreError),
    /// It is another program's database, or one of another version.
    #[error("{0}")]
    Unusable(String),
    /// A migration failed.
    #[error("the migration {migration} failed, and nothing was changed: {}", said(.reason))]
    Failed {
        /// Its file name, without the ending.
        migration: String,
        /// What PostgreSQL said.
        #[source]
        reason: tokio_postgres::Error,
    },
}

impl MigrateError {
    /// Whether the same migrations may succeed later, without a change of the database or the configuration.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Busy(_) | Self::TimedOut(_) | Self::InUse(_) => true,
            Self::Unusable(_) | Self::Unequal { .. } => false,
            Self::Consents(error) => error.is_passing(),
            Self::Database(error) | Self::Failed { reason: error, .. } => {
                let class = error.code().and_then(|code| code.code().get(..2));
                !matches!(class, Some("22" | "23" | "42"))
            }
        }
    }
}

impl MigrateError {
    /// Of a lock on the tables of the service before.
    pub(crate) fn of_lock(error: tokio_postgres::Error, waited: Duration) -> Self {
        match error.code() {
            Some(&SqlState::LOCK_NOT_AVAILABLE) => Self::InUse(waited),
            _ => Self::Database(error),
        }
    }
}

/// Applies the missing migrations. Returns their versions.
///
/// Use a dedicated connection and drop it after an error or a timeout: it may still run a statement.
///
/// # Errors
/// See [`MigrateError`]. The database is as it was.
pub async fn migrate(client: &mut Client, runner: &Runner, limits: Limits) -> Result<Vec<i32>, MigrateError> {
    let transaction = client.transaction().await.map_err(MigrateError::Database)?;
    let patience = limits.lock.saturating_add(GRACE);
    tokio::time::timeout(patience, lock(&transaction, limits))
        .await
        .map_err(|_silent| MigrateError::TimedOut(patience))??;
    tokio::time::timeout(limits.total, apply(transaction, runner))
        .await
        .map_err(|_late| MigrateError::TimedOut(limits.total))?
}

/// The words of PostgreSQL, redacted and without its detail, which may quote a row.
fn said(error: &tokio_postgres::Error) -> String {
    let Some(db) = error.as_db_error() else { return crate::connect::explain(error) };
    let about = db.constraint().or(db.table()).map(|name| format!(", {name}")).unwrap_or_default();
    let hint = db.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
    hide(&format!("{} ({}{about}){hint}", db.message(), db.code().code())).into_owned()
}

/// Waits for other migrations, and sets the limits of this one.
pub(crate) async fn lock(transaction: &Transaction<'_>, limits: Limits) -> Result<(), MigrateError> {
    // The statement limit of the pool is for live calls. It is too short for this wait and for a large migration.
    let settings = format!(
        "set local statement_timeout = 0; set local lock_timeout = {}",
        limits.lock.as_millis().clamp(1, 86_400_000)
    );
    transaction.batch_execute(&settings).await.map_err(MigrateError::Database)?;
    transaction.execute("select pg_advisory_xact_lock($1)", &[&LOCK]).await.map_err(|error| {
        match error.code() {
            Some(&SqlState::LOCK_NOT_AVAILABLE) => MigrateError::Busy(limits.lock),
            _ => MigrateError::Database(error),
        }
    })?;
    let settings = format!(
        "set local lock_timeout = 0; set local statement_timeout = {}",
        limits.statement.as_millis().clamp(1, 86_400_000)
    );
    transaction.batch_execute(&settings).await.map_err(MigrateError::Database)
}

async fn apply(transaction: Transaction<'_>, runner: &Runner) -> Result<Vec<i32>, MigrateError> {
    let migrations = runner.get_migrations();
    let pending = match recognise(&transaction, migrations).await.map_err(MigrateError::Database)? {
        Contents::Usable { pending, .. } => pending,
        Contents::Unusable(text) | Contents::Inherited { words: text, .. } => {
            return Err(MigrateError::Unusable(text));
        }
    };
    write(&transaction, runner, &pending, None).await?;
    transaction.commit().await.map_err(MigrateError::Database)?;
    Ok(pending)
}

/// Applies these migrations, and writes down that they are applied. `instead` is a name, and what is executed in place
/// of the migration with this name.
pub(crate) async fn write(
    transaction: &Transaction<'_>,
    runner: &Runner,
    pending: &[i32],
    instead: Option<(&str, &str)>,
) -> Result<(), MigrateError> {
    let migrations = runner.get_migrations();
    if !pending.is_empty() {
        transaction.batch_execute(HISTORY).await.map_err(MigrateError::Database)?;
    }
    for version in pending {
        let Some(migration) = migrations.iter().find(|migration| migration.version() == *version) else {
            continue;
        };
        let failed = |reason| MigrateError::Failed { migration: migration.to_string(), reason };
        let sql = match instead {
            Some((name, sql)) if name == migration.name() => sql,
            _ => migration.sql().unwrap_or_default(),
        };
        transaction.batch_execute(sql).await.map_err(failed)?;
        let checksum = migration.checksum().to_string();
        transaction
            .execute(APPLIED, &[version, &migration.name(), &checksum])
            .await
            .map_err(MigrateError::Database)?;
    }
    Ok(())
}
