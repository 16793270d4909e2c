//! How far a database goes: the last position that it gave to an event, and its newest event.

use jiff::Timestamp;
use tokio_postgres::GenericClient;

use crate::StoreError;
use crate::spool::acknowledged::End;

// The sequence, not the logs: retention may have taken the last event of a quiet installation. A restored sequence is
// as old as its backup.
const END: &str = "
    select e.database, s.last_value, greatest(
        (select at from call_events order by position desc limit 1),
        (select at from voice_events order by position desc limit 1))
    from engine e, event_position s";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[END];

/// How far the database goes; `None` before its first start of precall.
///
/// # Errors
/// When the query fails.
pub async fn end(client: &impl GenericClient) -> Result<Option<End>, StoreError> {
    let Some(row) = client.query_opt(END, &[]).await? else { return Ok(None) };
    let newest: Option<Timestamp> = row.try_get(2)?;
    Ok(Some(End { database: row.try_get(0)?, position: row.try_get(1)?, newest }))
}
