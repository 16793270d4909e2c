//! Reports that came before precall knew their conversation.

use precall_call::CallId;
use serde_json::Value;
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::error::StoreError;

const OF_CONVERSATION: &str = "
    select body from unmatched_reports where conversation_id = $1 order by event_timestamp";

// The newest matter: precall may still learn their conversation.
const CONVERSATIONS: &str = "
    select conversation_id from unmatched_reports group by 1 order by max(received_at) desc limit $1";

const FOUND: &str = "
    select c.call, u.body from unmatched_reports u join conversations c on c.provider_id = u.conversation_id
    order by u.received_at limit $1";

const FORGET: &str = "delete from unmatched_reports where conversation_id = $1";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[OF_CONVERSATION, CONVERSATIONS, FOUND, FORGET];

/// The kept reports of a conversation, oldest first.
///
/// # Errors
/// When the query fails.
pub async fn of_conversation(
    client: &impl GenericClient,
    conversation: &str,
) -> Result<Vec<Value>, StoreError> {
    let rows = client.query(OF_CONVERSATION, &[&conversation]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Kept reports whose call is known by now, at most `limit`. They came while the database was down, or before the
/// conversation had an id.
///
/// # Errors
/// When the query fails.
pub async fn found(client: &impl GenericClient, limit: i64) -> Result<Vec<(CallId, Value)>, StoreError> {
    let rows = client.query(FOUND, &[&limit]).await?;
    rows.iter().map(|row| Ok((CallId(row.try_get::<_, Uuid>(0)?.as_u128()), row.try_get(1)?))).collect()
}

/// Deletes the kept reports of a conversation: its call has them.
///
/// # Errors
/// When the query fails.
pub async fn forget(client: &impl GenericClient, conversation: &str) -> Result<(), StoreError> {
    client.execute(FORGET, &[&conversation]).await?;
    Ok(())
}

/// Conversations with kept reports, the newest `limit`.
///
/// # Errors
/// When the query fails.
pub async fn conversations(client: &impl GenericClient, limit: i64) -> Result<Vec<String>, StoreError> {
    let rows = client.query(CONVERSATIONS, &[&limit]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
