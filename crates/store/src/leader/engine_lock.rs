//! One active engine per database: a session lock, and a generation number that every write checks.
//!
//! The lock ends with its session, so a dead process holds nothing. The number covers the other case: a process that
//! lost its session without noticing writes with a number that is no longer in the table, and the write is refused.

use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Object, Pool, Transaction};
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::error::StoreError;

/// The advisory lock of the engine. Another one guards the migrations.
const KEY: i64 = 0x7072_6563_616c_6c31;

const TRY: &str = "select pg_try_advisory_lock($1)";

// A dead host must not hold the lock for hours.
const KEEPALIVES: &str =
    "set tcp_keepalives_idle = 2; set tcp_keepalives_interval = 1; set tcp_keepalives_count = 2";

// pg_locks shows the 64 bits of an advisory lock in two halves.
const HELD: &str = "
    select exists (select from pg_locks where locktype = 'advisory' and granted and objsubid = 1
        and database = (select oid from pg_database where datname = current_database())
        and (classid::bigint << 32) + objid::bigint = $1)";

// On a database without an earlier engine there is no engine to wait for.
const SETTLED: &str = "
    select to_regclass('engine') is null or now() - pg_postmaster_start_time() >= make_interval(secs => $1)";

const CLAIM: &str = "
    insert into engine (generation) values ($1)
    on conflict (one) do update set generation = excluded.generation, since = now()
    returning database";

const CURRENT: &str = "select generation from engine";

// An engine that takes over waits for running writes. Later writes of the old engine are refused.
const STILL: &str = "select from engine where generation = $1 for share";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[TRY, HELD, SETTLED, CLAIM, CURRENT, STILL];

/// A session that holds the lock. Dropping it releases the lock.
pub struct EngineLock {
    session: ClientWrapper,
}

impl EngineLock {
    /// Takes the lock on a connection of its own; `None` while another engine holds it.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn take(pool: &Pool) -> Result<Option<Self>, StoreError> {
        let session = Object::take(pool.get().await?);
        session.batch_execute(KEEPALIVES).await?;
        let is_ours: bool = session.query_one(TRY, &[&KEY]).await?.try_get(0)?;
        Ok(is_ours.then_some(Self { session }))
    }

    /// Whether an engine holds the lock.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn is_held(client: &impl GenericClient) -> Result<bool, StoreError> {
        Ok(client.query_one(HELD, &[&KEY]).await?.try_get(0)?)
    }

    /// Whether the database has been up for so long that its last engine has had time to take the lock again.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn is_settled(client: &impl GenericClient, time: Duration) -> Result<bool, StoreError> {
        Ok(client.query_one(SETTLED, &[&time.as_secs_f64()]).await?.try_get(0)?)
    }

    /// Whether the session has ended, and the lock with it.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.session.is_closed()
    }

    /// The generation number in the table, read on the session that holds the lock.
    ///
    /// # Errors
    /// When the session does not answer.
    pub async fn current(&self) -> Result<Option<u64>, StoreError> {
        let row = self.session.query_opt(CURRENT, &[]).await?;
        row.map(|row| Ok(u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0))).transpose()
    }
}

/// Makes this start the active one. Waits for running writes of an earlier start. Returns the id of the database.
///
/// # Errors
/// When the query fails.
pub async fn claim(client: &impl GenericClient, generation: u64) -> Result<Uuid, StoreError> {
    let number = i64::try_from(generation).unwrap_or(i64::MAX);
    Ok(client.query_one(CLAIM, &[&number]).await?.try_get(0)?)
}

/// Checks that no other start has taken over, and keeps it so until this transaction ends.
///
/// # Errors
/// [`StoreError::Superseded`] when another start has taken over.
pub(crate) async fn still_acts(transaction: &Transaction<'_>, generation: u64) -> Result<(), StoreError> {
    let statement = transaction.prepare_cached(STILL).await?;
    let number = i64::try_from(generation).unwrap_or(i64::MAX);
    match transaction.query_opt(&statement, &[&number]).await? {
        Some(_) => Ok(()),
        None => Err(StoreError::Superseded),
    }
}
