//! Webhooks as they were kept: what became of them, and those that nobody could read.

use jiff::Timestamp;
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::error::StoreError;

const LIST: &str = "
    select id, kind, provider_id, event_timestamp, received_at, state, outcome, reason,
        coalesce(length(body), 0)::bigint as bytes
    from webhooks where id < $1 and ($2::text is null or state = $2) order by id desc limit $3";

const BODY: &str = "select kind, received_at, state, body from webhooks where id = $1";

const REPLAYED: &str = "
    update webhooks set state = 'replayed', outcome = $2 where id = $1 and state = 'quarantined'";

/// The statements of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[LIST, BODY, REPLAYED];

/// A webhook without its body.
#[derive(Clone, Debug)]
pub struct KeptWebhook {
    /// Ours.
    pub id: Uuid,
    /// `3cx`, or the `type` of a report.
    pub kind: String,
    /// The PBX's id of the call, or the provider's of the conversation; empty where it names none.
    pub provider_id: String,
    /// When the sender says that it happened, or the day it came.
    pub event_timestamp: Timestamp,
    /// When it came.
    pub received_at: Timestamp,
    /// `done`, `quarantined` or `replayed`.
    pub state: String,
    /// What the sender was told, or what became of the replay.
    pub outcome: String,
    /// Why it could not be read.
    pub reason: Option<String>,
    /// Of its body, as far as that is kept.
    pub bytes: i64,
}

/// The newest `limit` before an id, of one state or of all.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list(
    client: &impl GenericClient,
    before: Uuid,
    state: Option<&str>,
    limit: i64,
) -> Result<Vec<KeptWebhook>, StoreError> {
    let rows = client.query(LIST, &[&before, &state, &limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(KeptWebhook {
                id: row.try_get(0)?,
                kind: row.try_get(1)?,
                provider_id: row.try_get(2)?,
                event_timestamp: row.try_get(3)?,
                received_at: row.try_get(4)?,
                state: row.try_get(5)?,
                outcome: row.try_get(6)?,
                reason: row.try_get(7)?,
                bytes: row.try_get(8)?,
            })
        })
        .collect()
}

/// What a replay needs.
#[derive(Clone, Debug)]
pub struct ToReplay {
    /// `3cx`, or anything else for a report.
    pub kind: String,
    /// When it came.
    pub received_at: Timestamp,
    /// Whether nobody could read it so far.
    pub is_quarantined: bool,
    /// As it came, as far as that is kept.
    pub body: Option<Vec<u8>>,
}

/// A webhook with its body; none if there is no such.
///
/// # Errors
/// When the database cannot be asked.
pub async fn to_replay(client: &impl GenericClient, id: Uuid) -> Result<Option<ToReplay>, StoreError> {
    let Some(row) = client.query_opt(BODY, &[&id]).await? else { return Ok(None) };
    let state: String = row.try_get(2)?;
    Ok(Some(ToReplay {
        kind: row.try_get(0)?,
        received_at: row.try_get(1)?,
        is_quarantined: state == "quarantined",
        body: row.try_get(3)?,
    }))
}

/// A quarantined webhook could be read after all. False if it was no longer quarantined.
///
/// # Errors
/// When the database cannot be asked.
pub async fn replayed(client: &impl GenericClient, id: Uuid, outcome: &str) -> Result<bool, StoreError> {
    Ok(client.execute(REPLAYED, &[&id, &outcome]).await? > 0)
}
