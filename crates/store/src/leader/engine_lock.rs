//! One active engine per database: a session lock, and a generation number that every write checks.
//!
//! The lock ends with its session, so a dead process holds nothing. The number covers the other case: a process that
//! lost its session without noticing writes with a number that is no longer in the table, and the write is refused.

use std::fmt;
use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Object, Pool};
use tokio_postgres::GenericClient;
use uuid::Uuid;

use super::lease::{self, LastLeader, Renewal};
use crate::error::StoreError;

/// The advisory lock of the leader. Another one guards the migrations.
const KEY: i64 = 0x7072_6563_616c_6c31;
/// The advisory lock that all standbys share, so that the leader sees them.
pub(super) const SEAT: i64 = 0x7072_6563_616c_6c32;

const TRY: &str = "select pg_try_advisory_lock($1)";

const FREE_SEAT: &str = "select pg_advisory_unlock_shared($1)";

// A dead host must not hold the lock for hours.
pub(super) const KEEPALIVES: &str =
    "set tcp_keepalives_idle = 2; set tcp_keepalives_interval = 1; set tcp_keepalives_count = 2";

// pg_locks shows the 64 bits of an advisory lock in two halves. Another role's name and address may be hidden.
const HOLDER: &str = "
    select l.pid, nullif(a.application_name, ''), coalesce(host(a.client_addr), 'this host or hidden'),
        to_char(a.backend_start at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS') || ' UTC'
    from pg_locks l left join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'advisory' and l.granted and l.objsubid = 1
        and l.database = (select oid from pg_database where datname = current_database())
        and (l.classid::bigint << 32) + l.objid::bigint = $1
    limit 1";

// A frozen standby looks no more. A role without a membership sees no times of another role's session.
const HAS_STANDBY: &str = "
    select exists (select from pg_locks l left join pg_stat_activity a on a.pid = l.pid
        where l.locktype = 'advisory' and l.granted and l.objsubid = 1
            and l.database = (select oid from pg_database where datname = current_database())
            and (l.classid::bigint << 32) + l.objid::bigint = $1
            and coalesce(a.query_start > clock_timestamp() - interval '2 s', true))";

// Both rows at once: from then on the old engine writes nothing, and the lease is this start's.
const CLAIM: &str = "
    with lease as (
        insert into engine_lease (generation, beat, lease_ms, released, process, home)
        values ($1, 0, $2, false, $3, 'engine_lease'::regclass)
        on conflict (one) do update set generation = excluded.generation, beat = 0, lease_ms = excluded.lease_ms,
            released = false, process = excluded.process, home = excluded.home)
    insert into engine (generation) values ($1)
    on conflict (one) do update set generation = excluded.generation, since = now()
    returning database";

// A pooler may give the session another server process, which does not hold the lock.
const CURRENT: &str = "
    select generation, exists (select from pg_locks where locktype = 'advisory' and granted and objsubid = 1
        and pid = pg_backend_pid() and (classid::bigint << 32) + objid::bigint = $1) from engine";

// An engine that takes over waits for running writes. Later writes of the old engine are refused.
const STILL: &str = "select from engine where generation = $1 for share";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[TRY, FREE_SEAT, HOLDER, HAS_STANDBY, CLAIM, CURRENT, STILL];

/// The session that holds the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its server process; none for a prepared transaction.
    pub process: Option<i32>,
    /// Its `application_name`.
    pub application: Option<String>,
    /// Where it comes from.
    pub address: String,
    /// When it connected.
    pub since: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.process {
            Some(process) => write!(f, "server process {process}")?,
            None => f.write_str("a prepared transaction")?,
        }
        if let Some(application) = &self.application {
            write!(f, ", application_name {application:?}")?;
        }
        write!(f, ", client address {}", self.address)?;
        if let Some(since) = &self.since {
            write!(f, ", connected since {since}")?;
        }
        Ok(())
    }
}

/// What the session of the lock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// The generation number in the table; none without a row.
    pub generation: Option<u64>,
    /// Whether the server process of this session holds the lock. If not, a pooler is in between.
    pub is_locked: bool,
}

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
        Self::try_on(session).await
    }

    pub(super) async fn try_on(session: ClientWrapper) -> Result<Option<Self>, StoreError> {
        let is_ours: bool = session.query_one(TRY, &[&KEY]).await?.try_get(0)?;
        Ok(is_ours.then_some(Self { session }))
    }

    pub(super) async fn last_leader(&self) -> Result<LastLeader, StoreError> {
        lease::last_leader(&*self.session).await
    }

    /// Gives the seat of a standby back.
    pub(super) async fn leave_seat(&self) -> Result<(), StoreError> {
        self.session.query_one(FREE_SEAT, &[&SEAT]).await?;
        Ok(())
    }

    /// Renews the lease of this generation. Returns whether a standby is there; `None` when the row or the lock say
    /// otherwise, see [`Self::confirm`].
    ///
    /// # Errors
    /// When the session does not answer.
    pub async fn renew(&self, generation: u64, renewal: Renewal) -> Result<Option<bool>, StoreError> {
        if !lease::renew(&*self.session, generation, renewal, KEY).await? {
            return Ok(None);
        }
        Ok(Some(self.session.query_one(HAS_STANDBY, &[&SEAT]).await?.try_get(0)?))
    }

    /// Says durably that this generation has left, and frees the lock. Returns whether it was still the acting one.
    ///
    /// # Errors
    /// When the session does not answer: then it may have left or not.
    pub async fn release(self, generation: u64) -> Result<bool, StoreError> {
        lease::release(&*self.session, generation).await
    }

    /// The session that holds the lock, if one does.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn holder(client: &impl GenericClient) -> Result<Option<Holder>, tokio_postgres::Error> {
        let row = client.query_opt(HOLDER, &[&KEY]).await?;
        let read = |row: tokio_postgres::Row| {
            Ok(Holder {
                process: row.try_get(0)?,
                application: row.try_get(1)?,
                address: row.try_get(2)?,
                since: row.try_get(3)?,
            })
        };
        row.map(read).transpose()
    }

    /// Whether an engine holds the lock.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn is_held(client: &impl GenericClient) -> Result<bool, StoreError> {
        Ok(Self::holder(client).await?.is_some())
    }

    /// Whether the session has ended, and the lock with it.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.session.is_closed()
    }

    /// Whether the session still holds the lock, and for which generation.
    ///
    /// # Errors
    /// When the session does not answer.
    pub async fn confirm(&self) -> Result<Confirmed, StoreError> {
        let Some(row) = self.session.query_opt(CURRENT, &[&KEY]).await? else {
            return Ok(Confirmed { generation: None, is_locked: true });
        };
        let generation = u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0);
        Ok(Confirmed { generation: Some(generation), is_locked: row.try_get(1)? })
    }
}

/// Makes this start the active one, with a lease. Waits for running writes of an earlier start. `process` names its
/// file. Returns the id of the database.
///
/// # Errors
/// When the query fails.
pub async fn claim(
    client: &impl GenericClient,
    generation: u64,
    lease: Duration,
    process: Uuid,
) -> Result<Uuid, StoreError> {
    let number = i64::try_from(generation).unwrap_or(i64::MAX);
    let row = client.query_one(CLAIM, &[&number, &lease::milliseconds(lease), &process]).await?;
    Ok(row.try_get(0)?)
}

/// Checks that no other start has taken over, and keeps it so until this transaction ends.
///
/// # Errors
/// [`StoreError::Superseded`] when another start has taken over.
pub(crate) async fn still_acts(
    client: &impl deadpool_postgres::GenericClient,
    generation: u64,
) -> Result<(), StoreError> {
    let statement = client.prepare_cached(STILL).await?;
    let number = i64::try_from(generation).unwrap_or(i64::MAX);
    match client.query_opt(&statement, &[&number]).await? {
        Some(_) => Ok(()),
        None => Err(StoreError::Superseded),
    }
}
