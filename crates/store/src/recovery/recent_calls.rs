//! What admission restores after a restart: keys of recent calls, ends that came before their call, dialled numbers.

use std::collections::HashSet;

use precall_call::{At, CallId};
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::error::StoreError;
use crate::events::event_log::timestamp;

const KEYS: &str = "
    select id, pbx, threecx_call_id, caller_id, called_number, call_started_at, state <> 'released'
    from call_log where (call_started_at > $1 or state <> 'released') and last_seq > 0 order by id";

const EARLY_ENDS: &str =
    "select pbx, threecx_call_id, ended_at from early_ends where ended_at > $1 order by ended_at";

// The dial guard counts a call when it admits it. It must count the same calls after a restart.
const DIALLED: &str = "
    select c.caller_id, c.call_started_at from call_log c join call_events e on e.call = c.id and e.seq = 1
    where c.call_started_at > $1 and c.route = 'callback' and c.caller_id is not null and not c.canary
        and e.event ->> 'kind' = 'offered' and e.event ->> 'admission' = 'accepted'";

const KNOWN: &str = "select id from call_log where id = any($1)";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[KEYS, EARLY_ENDS, DIALLED, KNOWN];

/// A call, as admission knows it.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// precall's id of the call.
    pub call: CallId,
    /// The name of the PBX.
    pub pbx: String,
    /// The id of the call at the PBX.
    pub threecx_call_id: Option<String>,
    /// The caller.
    pub caller: Option<String>,
    /// The called number.
    pub called: Option<String>,
    /// When precall first saw it.
    pub first_seen: At,
    /// Whether it was live when the last engine stopped.
    pub live: bool,
}

/// Calls that precall first saw after `since`, and all live calls.
///
/// # Errors
/// When the query fails.
pub async fn keys(client: &impl GenericClient, since: At) -> Result<Vec<StoredKey>, StoreError> {
    let rows = client.query(KEYS, &[&timestamp(since)]).await?;
    rows.iter()
        .map(|row| {
            Ok(StoredKey {
                call: CallId(row.try_get::<_, Uuid>(0)?.as_u128()),
                pbx: row.try_get(1)?,
                threecx_call_id: row.try_get(2)?,
                caller: row.try_get(3)?,
                called: row.try_get(4)?,
                first_seen: At(row.try_get::<_, jiff::Timestamp>(5)?.as_microsecond()),
                live: row.try_get(6)?,
            })
        })
        .collect()
}

/// Ends without a call, after `since`: the PBX, its id of the call, the time.
///
/// # Errors
/// When the query fails.
pub async fn early_ends(
    client: &impl GenericClient,
    since: At,
) -> Result<Vec<(String, String, At)>, StoreError> {
    let rows = client.query(EARLY_ENDS, &[&timestamp(since)]).await?;
    rows.iter()
        .map(|row| {
            let at: jiff::Timestamp = row.try_get(2)?;
            Ok((row.try_get(0)?, row.try_get(1)?, At(at.as_microsecond())))
        })
        .collect()
}

/// Numbers of the calls that were admitted to be called back after `since`, with the times.
///
/// # Errors
/// When the query fails.
pub async fn dialled(client: &impl GenericClient, since: At) -> Result<Vec<(String, At)>, StoreError> {
    let rows = client.query(DIALLED, &[&timestamp(since)]).await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, At(row.try_get::<_, jiff::Timestamp>(1)?.as_microsecond()))))
        .collect()
}

/// Those of these calls that the database knows.
///
/// # Errors
/// When the query fails.
pub async fn known(
    client: &impl GenericClient,
    calls: impl Iterator<Item = CallId>,
) -> Result<HashSet<CallId>, StoreError> {
    let ids: Vec<Uuid> = calls.map(|call| Uuid::from_u128(call.0)).collect();
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let rows = client.query(KNOWN, &[&ids]).await?;
    rows.iter().map(|row| Ok(CallId(row.try_get::<_, Uuid>(0)?.as_u128()))).collect()
}
