//! The stored telephone lines. A null column takes the value of the default line.

use precall_call::VoicePolicy;
use tokio_postgres::GenericClient;

use super::error::StoreError;

const READ: &str = "
    select number, account_id, agent_id, phone_number_id, greeting_message, greeting_voice_id, language,
        fallback_voice_id, fallback_destination, max_live_calls, greeting_max_seconds, clone_max_wait_seconds,
        voice_policy
    from lines order by number";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[READ];

/// A row of `lines`.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // The columns of the table, by name.
pub struct StoredLine {
    pub number: String,
    pub account: String,
    pub agent_id: Option<String>,
    pub phone_number_id: Option<String>,
    pub greeting_message: Option<String>,
    pub greeting_voice: Option<String>,
    pub language: Option<String>,
    pub fallback_voice: Option<String>,
    pub fallback_destination: Option<String>,
    pub max_live_calls: Option<i32>,
    pub greeting_max_seconds: Option<i32>,
    pub clone_max_wait_seconds: Option<i32>,
    pub voice_policy: Option<VoicePolicy>,
}

/// All lines.
///
/// # Errors
/// When the query fails.
pub async fn read(client: &impl GenericClient) -> Result<Vec<StoredLine>, StoreError> {
    let rows = client.query(READ, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(StoredLine {
                number: row.try_get(0)?,
                account: row.try_get(1)?,
                agent_id: row.try_get(2)?,
                phone_number_id: row.try_get(3)?,
                greeting_message: row.try_get(4)?,
                greeting_voice: row.try_get(5)?,
                language: row.try_get(6)?,
                fallback_voice: row.try_get(7)?,
                fallback_destination: row.try_get(8)?,
                max_live_calls: row.try_get(9)?,
                greeting_max_seconds: row.try_get(10)?,
                clone_max_wait_seconds: row.try_get(11)?,
                voice_policy: row.try_get::<_, Option<&str>>(12)?.and_then(VoicePolicy::from_name),
            })
        })
        .collect()
}
