//! Reads what was said on the bridge of a call, while it is being said. It is personal data: who sees it needs leave.

use deadpool_postgres::Pool;
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::StoreError;
use crate::reads::read_only::read;

/// Something that was said.
#[derive(Clone, Debug)]
pub struct UtteranceRow {
    /// The event's sequence number in the call's log.
    pub seq: i64,
    /// When it was said.
    pub at: Timestamp,
    /// Counts the utterances of the call from 1.
    pub number: i64,
    /// `agent` or `caller`.
    pub by: String,
    /// The earlier utterance that this one replaces: the caller interrupted it.
    pub corrects: Option<i64>,
    /// The words; none if they were erased.
    pub text: Option<String>,
}

// In order of time, the latest ones of a very long call.
const OF_CALL: &str = "
    select seq, at, number, by, corrects, text from (
        select seq, at, (event ->> 'number')::bigint as number, event ->> 'by' as by,
               (event ->> 'corrects')::bigint as corrects, pii ->> 'text' as text
          from call_events
          where call = $1 and event ->> 'kind' = 'line_spoken'
          order by seq desc limit 2000
    ) as latest
    order by seq";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[OF_CALL];

/// What was said, oldest first; of a very long call the latest 2000 utterances.
///
/// # Errors
/// When the query fails.
pub async fn of_call(pool: &Pool, call: Uuid) -> Result<Vec<UtteranceRow>, StoreError> {
    let rows = read(pool, OF_CALL, &[&call]).await?;
    let read_row = |row: &Row| {
        Ok(UtteranceRow {
            seq: row.try_get("seq")?,
            at: row.try_get("at")?,
            number: row.try_get("number")?,
            by: row.try_get("by")?,
            corrects: row.try_get("corrects")?,
            text: row.try_get("text")?,
        })
    };
    rows.iter().map(read_row).collect()
}
