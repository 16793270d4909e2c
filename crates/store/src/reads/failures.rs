//! Reads what went wrong in a call, in words, for `GET /api/v1/calls/{id}`.

use deadpool_postgres::Pool;
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::StoreError;
use crate::reads::read_only::read;

/// Something that failed.
#[derive(Clone, Debug)]
pub struct FailureRow {
    /// The event's sequence number in the call's log.
    pub seq: i64,
    /// When it happened.
    pub at: Timestamp,
    /// The kind of the event.
    pub kind: String,
    /// The reason's name, if the event has one.
    pub why: Option<String>,
    /// Why, in the words of the provider, the PBX or precall, with numbers masked.
    pub detail: Option<String>,
    /// The clone job, for a voice that is missing.
    pub job: Option<String>,
}

// A call has a handful. The limit protects against unexpected rows.
pub(crate) const OF_CALL: &str =
    "select seq, at, event ->> 'kind' as kind, coalesce(event ->> 'why', event ->> 'end', event ->> 'job') as why,
            pii ->> 'detail' as detail, case when event ->> 'kind' = 'voice_missing' then event ->> 'job' end as job
      from call_events
      where call = $1
        and (pii ? 'detail'
             or event ->> 'kind' in
                ('handoff_failed', 'agent_lost', 'voice_missing', 'audio_lost', 'answer_refused', 'panicked'))
      order by seq
      limit 100";

/// What went wrong in a call, oldest first.
///
/// # Errors
/// When the query fails.
pub async fn of_call(pool: &Pool, call: Uuid) -> Result<Vec<FailureRow>, StoreError> {
    let rows = read(pool, OF_CALL, &[&call]).await?;
    let read_row = |row: &Row| {
        Ok(FailureRow {
            seq: row.try_get("seq")?,
            at: row.try_get("at")?,
            kind: row.try_get("kind")?,
            why: row.try_get("why")?,
            detail: row.try_get("detail")?,
            job: row.try_get("job")?,
        })
    };
    rows.iter().map(read_row).collect()
}
