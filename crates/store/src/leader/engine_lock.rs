//! One engine a database: a lock that a session holds, and a number that every writer shows.
//!
//! The lock goes with its session, so that a process that is gone holds nothing. What a session cannot tell is told by the number: a
//! process that lost its session without noticing writes with a number that is not in the table any more.

use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Object, Pool, Transaction};
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::error::StoreError;

/// Of the advisory locks of a database; another one guards the migrations.
const KEY: i64 = 0x7072_6563_616c_6c31;

const TRY: &str = "select pg_try_advisory_lock($1)";

// A host that is gone without a word must not hold the lock for hours.
const KEEPALIVES: &str =
    "set tcp_keepalives_idle = 2; set tcp_keepalives_interval = 1; set tcp_keepalives_count = 2";

// A lock's 64 bits are shown in two halves.
const HELD: &str = "
    select exists (select from pg_locks where locktype = 'advisory' and granted and objsubid = 1
        and database = (select oid from pg_database where datname = current_database())
        and (classid::bigint << 32) + objid::bigint = $1)";

// On a database that nobody has acted on there is nobody to wait for.
const SETTLED: &str = "
    select to_regclass('engine') is null or now() - pg_postmaster_start_time() >= make_interval(secs => $1)";

const CLAIM: &str = "
    insert into engine (generation) values ($1)
    on conflict (one) do update set generation = excluded.generation, since = now()
    returning database";

const CURRENT: &str = "select generation from engine";

// Whoever takes over waits until what was under way is written, or finds it refused.
const STILL: &str = "select from engine where generation = $1 for share";

/// The statements of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[TRY, HELD, SETTLED, CLAIM, CURRENT, STILL];

/// A session that holds the lock. Dropping it lets go.
pub struct EngineLock {
    session: ClientWrapper,
}

impl EngineLock {
    /// Takes the lock on a connection of its own; none while somebody else has it.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn take(pool: &Pool) -> Result<Option<Self>, StoreError> {
        let session = Object::take(pool.get().await?);
        session.batch_execute(KEEPALIVES).await?;
        let is_ours: bool = session.query_one(TRY, &[&KEY]).await?.try_get(0)?;
        Ok(is_ours.then_some(Self { session }))
    }

    /// Whether anybody holds the lock.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn is_held(client: &impl GenericClient) -> Result<bool, StoreError> {
        Ok(client.query_one(HELD, &[&KEY]).await?.try_get(0)?)
    }

    /// Whether whoever held the lock when the database was started has had so much time to take it again.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn is_settled(client: &impl GenericClient, time: Duration) -> Result<bool, StoreError> {
        Ok(client.query_one(SETTLED, &[&time.as_secs_f64()]).await?.try_get(0)?)
    }

    /// Whether the session is over, and the lock with it.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.session.is_closed()
    }

    /// The number in the table, asked on the session that holds the lock.
    ///
    /// # Errors
    /// When the session does not answer.
    pub async fn current(&self) -> Result<Option<u64>, StoreError> {
        let row = self.session.query_opt(CURRENT, &[]).await?;
        row.map(|row| Ok(u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0))).transpose()
    }
}

/// From here on this start acts, and no earlier one. Waits for what an earlier one is writing. Returns which database this is.
///
/// # Errors
/// When the database cannot be asked.
pub async fn claim(client: &impl GenericClient, generation: u64) -> Result<Uuid, StoreError> {
    let number = i64::try_from(generation).unwrap_or(i64::MAX);
    Ok(client.query_one(CLAIM, &[&number]).await?.try_get(0)?)
}

/// Makes sure that nobody has taken over, until this transaction is over.
///
/// # Errors
/// [`StoreError::Superseded`] when somebody has.
pub(crate) async fn still_acts(transaction: &Transaction<'_>, generation: u64) -> Result<(), StoreError> {
    let statement = transaction.prepare_cached(STILL).await?;
    let number = i64::try_from(generation).unwrap_or(i64::MAX);
    match transaction.query_opt(&statement, &[&number]).await? {
        Some(_) => Ok(()),
        None => Err(StoreError::Superseded),
    }
}
