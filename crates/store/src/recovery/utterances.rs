//! Reads what was said on the bridge, for an agent that continues a call.

use precall_call::{CallId, Event, Speaker};
use serde_json::Value;
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::error::StoreError;
use crate::events::event_json;

const LAST: &str = "
    select event, pii ->> 'text' from call_events
    where call = $1 and event ->> 'kind' = 'line_spoken' order by seq desc limit $2";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[LAST];

/// A stored line of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpokenLine {
    /// Its number in the call.
    pub number: u32,
    /// Who said it.
    pub by: Speaker,
    /// The earlier line that it corrects.
    pub corrects: Option<u32>,
    /// The words; empty after an erasure.
    pub text: String,
}

/// The last `at_most` lines of a call, in the order in which they were said.
///
/// # Errors
/// When the query fails, or a stored event cannot be read.
pub async fn last(
    client: &impl GenericClient,
    call: CallId,
    at_most: i64,
) -> Result<Vec<SpokenLine>, StoreError> {
    let rows = client.query(LAST, &[&Uuid::from_u128(call.0), &at_most]).await?;
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows.iter().rev() {
        let event: Value = row.try_get(0)?;
        let event = event_json::decode(&event).map_err(|error| StoreError::unreadable(&error))?;
        let text: Option<String> = row.try_get(1)?;
        if let Event::Utterance { number, by, corrects } = event {
            lines.push(SpokenLine { number, by, corrects, text: text.unwrap_or_default() });
        }
    }
    Ok(lines)
}
