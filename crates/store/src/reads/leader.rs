//! Who leads on this database, as its tables say it.

use deadpool_postgres::Pool;
use jiff::Timestamp;

use crate::StoreError;
use crate::reads::read_only::read;

const LEADER: &str = "
    select engine.generation, engine.since, engine.pbx, lease_ms, released
    from engine left join engine_lease on engine_lease.generation = engine.generation";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[LEADER];

/// The process that leads, or led last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderRow {
    /// Number of its start.
    pub generation: i64,
    /// Since when it leads.
    pub since: Timestamp,
    /// Address and client id of the PBX that it holds; none without call control.
    pub pbx: Option<String>,
    /// For how long it may act after each renewal, in milliseconds.
    pub lease_ms: Option<i64>,
    /// Whether it has left by plan.
    pub has_left: bool,
}

/// The process that leads, or led last; none before the first start.
///
/// # Errors
/// When the query fails.
pub async fn leader(pool: &Pool) -> Result<Option<LeaderRow>, StoreError> {
    let rows = read(pool, LEADER, &[]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(LeaderRow {
        generation: row.try_get("generation")?,
        since: row.try_get("since")?,
        pbx: row.try_get("pbx")?,
        lease_ms: row.try_get("lease_ms")?,
        has_left: row.try_get::<_, Option<bool>>("released")?.unwrap_or(false),
    }))
}
