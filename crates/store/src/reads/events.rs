//! Reads events for the API: those of one call, and all events in their global order. Without personal data: of
//! the erasable part only the words that explain a failure are read, in which numbers are masked.

use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde_json::value::RawValue;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::StoreError;
use crate::reads::read_only::read;

/// An event without its personal data.
#[derive(Clone, Debug)]
pub struct EventRow {
    /// Its position among all events of calls and clone jobs.
    pub position: i64,
    /// Its log: `call` or `voice`.
    pub stream: &'static str,
    /// The call, or the clone job.
    pub owner: Uuid,
    /// Its sequence number in the log of its owner, from 1.
    pub seq: i64,
    /// When it happened.
    pub at: Timestamp,
    /// `{v, kind, ...}`, as stored.
    pub event: Box<RawValue>,
    /// Why something failed, in the words of the provider, the PBX or precall.
    pub detail: Option<String>,
}

impl EventRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let is_call: bool = row.try_get("is_call")?;
        let Json(event) = row.try_get("event")?;
        Ok(Self {
            position: row.try_get("position")?,
            stream: if is_call { "call" } else { "voice" },
            owner: row.try_get("owner")?,
            seq: row.try_get("seq")?,
            at: row.try_get("at")?,
            event,
            detail: row.try_get("detail")?,
        })
    }
}

pub(crate) const OF_CALL: &str = "select true as is_call, position, call as owner, seq, at, event,
      pii ->> 'detail' as detail
      from call_events
      where call = $1 and seq > $2
      order by seq
      limit $3";

/// At most `limit` events of a call after a `seq`, oldest first.
///
/// # Errors
/// When the query fails.
pub async fn of_call(
    pool: &Pool,
    call: Uuid,
    behind_seq: i64,
    limit: i64,
) -> Result<Vec<EventRow>, StoreError> {
    let rows = read(pool, OF_CALL, &[&call, &behind_seq, &limit]).await?;
    rows.iter().map(EventRow::read).collect()
}

const IS_THERE: &str = "select exists (select from call_events where position <= $1)
    or exists (select from voice_events where position <= $1)";

/// Whether an event with this position, or with an earlier one, is still there.
///
/// # Errors
/// When the query fails.
pub async fn is_there_up_to(pool: &Pool, position: i64) -> Result<bool, StoreError> {
    let rows = read(pool, IS_THERE, &[&position]).await?;
    rows.first().map_or(Ok(false), |row| Ok(row.try_get(0)?))
}

// Each branch has its own limit, so that both scan their index on position and stop early.
pub(crate) const AFTER: &str = "select * from (
        (select true as is_call, position, call as owner, seq, at, event, pii ->> 'detail' as detail
           from call_events where position > $1 and position <= $2 order by position limit $3)
        union all
        (select false, position, job, seq, at, event, null
           from voice_events where position > $1 and position <= $2 order by position limit $3)
      ) as both_logs
      order by position
      limit $3";

/// At most `limit` events after one position and up to another, in their global order.
///
/// # Errors
/// When the query fails.
pub async fn after(pool: &Pool, behind: i64, up_to: i64, limit: i64) -> Result<Vec<EventRow>, StoreError> {
    let rows = read(pool, AFTER, &[&behind, &up_to, &limit]).await?;
    rows.iter().map(EventRow::read).collect()
}
