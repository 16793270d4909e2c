//! The lease of the leader: the row that it renews every second.
//!
//! The row says more than the advisory lock. A lock is lost with its session, although its process goes on elsewhere;
//! and it is held for ever by a process that is frozen, because the kernel keeps the session alive.

use std::time::Duration;

use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::error::StoreError;

// Without the tables there was no engine, or one of a version before the lease.
const TABLES: &str = "select to_regclass('engine') is not null, to_regclass('engine_lease') is not null";
const ANY: &str = "select exists (select from engine)";
const ROW: &str = "select generation, beat, lease_ms, released, process, home <> tableoid from engine_lease";

// A statement of an earlier session may come late: it finds a newer beat, and changes nothing.
const RENEW: &str = "
    update engine_lease set beat = $2, lease_ms = $3 where generation = $1 and beat < $2 and not released
        and exists (select from engine where generation = $1)
        and exists (select from pg_locks where locktype = 'advisory' and granted and objsubid = 1
            and pid = pg_backend_pid() and (classid::bigint << 32) + objid::bigint = $4)";

const RELEASE: &str = "update engine_lease set released = true where generation = $1";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[TABLES, ANY, ROW, RENEW, RELEASE];

/// The row of the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseRow {
    /// The acting process.
    pub generation: u64,
    /// How often it has renewed the lease.
    pub beat: u64,
    /// For how long it may act after a renewal.
    pub lease: Duration,
    /// Whether it has left by plan: it acts no more, and all that it knew is in the database.
    pub released: bool,
    /// Its file in `SPOOL_DIR`.
    pub process: Uuid,
    /// Whether the row came with a backup that was restored.
    pub is_restored: bool,
}

/// What a renewal writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// Its number, above that of every earlier one.
    pub beat: u64,
    /// For how long the leader may act after it.
    pub lease: Duration,
}

/// Who acts, or acted last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastLeader {
    /// No process has acted on this database.
    Never,
    /// A process of a version that has no lease.
    WithoutLease,
    /// The process of this row.
    Leased(LeaseRow),
}

/// Renews the lease; false when the row says otherwise: another generation, a newer beat, or no `lock` on this session.
pub(super) async fn renew(
    client: &impl GenericClient,
    generation: u64,
    renewal: Renewal,
    lock: i64,
) -> Result<bool, StoreError> {
    let (beat, lease) = (number(renewal.beat), milliseconds(renewal.lease));
    Ok(client.execute(RENEW, &[&number(generation), &beat, &lease, &lock]).await? == 1)
}

/// Says durably that this generation has left.
pub(super) async fn release(client: &impl GenericClient, generation: u64) -> Result<bool, StoreError> {
    Ok(client.execute(RELEASE, &[&number(generation)]).await? == 1)
}

/// Who acts, or acted last.
///
/// # Errors
/// When a query fails.
pub async fn last_leader(client: &impl GenericClient) -> Result<LastLeader, StoreError> {
    let tables = client.query_one(TABLES, &[]).await?;
    let (engine, lease): (bool, bool) = (tables.try_get(0)?, tables.try_get(1)?);
    if lease && let Some(row) = client.query_opt(ROW, &[]).await? {
        return Ok(LastLeader::Leased(LeaseRow {
            generation: count(row.try_get(0)?),
            beat: count(row.try_get(1)?),
            lease: Duration::from_millis(count(row.try_get(2)?)),
            released: row.try_get(3)?,
            process: row.try_get(4)?,
            is_restored: row.try_get(5)?,
        }));
    }
    let acted = engine && client.query_one(ANY, &[]).await?.try_get(0)?;
    Ok(if acted { LastLeader::WithoutLease } else { LastLeader::Never })
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

pub(super) fn milliseconds(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
