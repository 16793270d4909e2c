//! Reports that came before their conversation was known.

use precall_call::CallId;
use serde_json::Value;
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::error::StoreError;

const OF_CONVERSATION: &str = "
    select body from unmatched_reports where conversation_id = $1 order by event_timestamp";

// The newest matter: their conversation may still become known.
const CONVERSATIONS: &str = "
    select conversation_id from unmatched_reports group by 1 order by max(received_at) desc limit $1";

const FOUND: &str = "
    select c.call, u.body from unmatched_reports u join conversations c on c.provider_id = u.conversation_id
    order by u.received_at limit $1";

const FORGET: &str = "delete from unmatched_reports where conversation_id = $1";

/// The statements of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[OF_CONVERSATION, CONVERSATIONS, FOUND, FORGET];

/// What is kept of a conversation, oldest first.
///
/// # Errors
/// When the database cannot be asked.
pub async fn of_conversation(
    client: &impl GenericClient,
    conversation: &str,
) -> Result<Vec<Value>, StoreError> {
    let rows = client.query(OF_CONVERSATION, &[&conversation]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// What is kept although its call is known by now: it came while nobody could look, or before the conversation had a name. At most `limit`.
///
/// # Errors
/// When the database cannot be asked.
pub async fn found(client: &impl GenericClient, limit: i64) -> Result<Vec<(CallId, Value)>, StoreError> {
    let rows = client.query(FOUND, &[&limit]).await?;
    rows.iter().map(|row| Ok((CallId(row.try_get::<_, Uuid>(0)?.as_u128()), row.try_get(1)?))).collect()
}

/// What is kept of a conversation is kept no more: its call has it.
///
/// # Errors
/// When the database cannot be asked.
pub async fn forget(client: &impl GenericClient, conversation: &str) -> Result<(), StoreError> {
    client.execute(FORGET, &[&conversation]).await?;
    Ok(())
}

/// Conversations of which something is kept, the newest `limit`.
///
/// # Errors
/// When the database cannot be asked.
pub async fn conversations(client: &impl GenericClient, limit: i64) -> Result<Vec<String>, StoreError> {
    let rows = client.query(CONVERSATIONS, &[&limit]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
