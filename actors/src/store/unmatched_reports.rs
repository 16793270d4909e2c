//! Reports that came before their conversation was known.

use serde_json::Value;
use tokio_postgres::GenericClient;

use super::error::StoreError;

const OF_CONVERSATION: &str = "
    select body from unmatched_reports where conversation_id = $1 order by event_timestamp";

// The newest matter: their conversation may still become known.
const CONVERSATIONS: &str = "
    select conversation_id from unmatched_reports group by 1 order by max(received_at) desc limit $1";

/// The statements of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[OF_CONVERSATION, CONVERSATIONS];

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

/// Conversations of which something is kept, the newest `limit`.
///
/// # Errors
/// When the database cannot be asked.
pub async fn conversations(client: &impl GenericClient, limit: i64) -> Result<Vec<String>, StoreError> {
    let rows = client.query(CONVERSATIONS, &[&limit]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
