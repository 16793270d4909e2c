//! Stored webhooks: their outcomes, and the quarantined ones that precall could not read.

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

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[LIST, BODY, REPLAYED];

/// A webhook without its body.
#[derive(Clone, Debug)]
pub struct KeptWebhook {
    /// precall's id of the webhook.
    pub id: Uuid,
    /// `3cx`, or the `type` of a report.
    pub kind: String,
    /// The PBX's id of the call, or the provider's id of the conversation; empty if it names none.
    pub provider_id: String,
    /// The sender's time of the event, or the day of arrival.
    pub event_timestamp: Timestamp,
    /// When it arrived.
    pub received_at: Timestamp,
    /// `done`, `quarantined` or `replayed`.
    pub state: String,
    /// The answer to the sender, or the outcome of the replay.
    pub outcome: String,
    /// Why precall could not read it.
    pub reason: Option<String>,
    /// Size of its stored body.
    pub bytes: i64,
}

/// The newest `limit` webhooks before an id, of one state or of all.
///
/// # Errors
/// When the query fails.
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

/// A stored webhook, for a replay.
#[derive(Clone, Debug)]
pub struct ToReplay {
    /// `3cx`, or anything else for a report.
    pub kind: String,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Whether it is quarantined.
    pub is_quarantined: bool,
    /// The body as it arrived, if it is stored.
    pub body: Option<Vec<u8>>,
}

/// A webhook with its body; `None` if there is none with that id.
///
/// # Errors
/// When the query fails.
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

/// Records that a replay could read a quarantined webhook. Returns false if it was no longer quarantined.
///
/// # Errors
/// When the query fails.
pub async fn replayed(client: &impl GenericClient, id: Uuid, outcome: &str) -> Result<bool, StoreError> {
    Ok(client.execute(REPLAYED, &[&id, &outcome]).await? > 0)
}
