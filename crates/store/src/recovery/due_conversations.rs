//! Conversations: the call of a conversation, and conversations without a report.

use precall_call::{At, CallId, ConversationId};
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::error::StoreError;
use crate::events::event_log::timestamp;

const CALL_OF: &str = "select call from conversations where provider_id = $1";

const DUE: &str = "
    select call, provider_id from conversations
    where reported_at is null and provider_id is not null and dial = 'started' and started_at < $1 and started_at > $2
    order by started_at desc limit $3";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[CALL_OF, DUE];

/// The call that a conversation belongs to.
///
/// # Errors
/// When the query fails.
pub async fn call_of(
    client: &impl GenericClient,
    conversation: &ConversationId,
) -> Result<Option<CallId>, StoreError> {
    let row = client.query_opt(CALL_OF, &[&conversation.as_str()]).await?;
    row.map(|row| Ok(CallId(row.try_get::<_, Uuid>(0)?.as_u128()))).transpose()
}

/// Conversations that began between the two times and have no report, newest first.
///
/// # Errors
/// When the query fails.
pub async fn due(
    client: &impl GenericClient,
    after: At,
    before: At,
    limit: i64,
) -> Result<Vec<(CallId, ConversationId)>, StoreError> {
    let rows = client.query(DUE, &[&timestamp(before), &timestamp(after), &limit]).await?;
    rows.iter()
        .map(|row| {
            let conversation: String = row.try_get(1)?;
            Ok((CallId(row.try_get::<_, Uuid>(0)?.as_u128()), ConversationId::new(conversation)))
        })
        .collect()
}
