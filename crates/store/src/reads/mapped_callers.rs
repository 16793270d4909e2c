//! Every mapped caller with the samples that consents cover, for `precall check`.

use precall_call::{At, VoicePolicy};
use tokio_postgres::GenericClient;

use crate::error::StoreError;
use crate::events::event_log::timestamp;

const EXIST: &str =
    "select to_regclass('caller_voice_mapping') is not null and to_regclass('consents') is not null
    and to_regclass('lines') is not null";

const READ: &str = "
    select m.caller_id, m.voice_sample_url, m.voice_policy, array(
        select c.sample_sha256 from consents c
        where c.account_id = m.account_id and c.speaker = m.speaker and c.ended_at is null
            and (c.expires_at is null or c.expires_at > $1)
        order by c.given desc limit 100)
    from caller_voice_mapping m where m.deleted_at is null order by m.account_id, m.caller_id limit $2";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[EXIST, READ];

/// A mapped caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedCaller {
    /// The number.
    pub caller: String,
    /// `voice_sample_url`.
    pub sample: String,
    /// Its own policy.
    pub policy: Option<VoicePolicy>,
    /// SHA-256 of each sample that a valid consent of the speaker covers, hex.
    pub covered: Vec<String>,
}

/// Whether the tables are there.
///
/// # Errors
/// When the query fails.
pub async fn have_tables(client: &impl GenericClient) -> Result<bool, StoreError> {
    Ok(client.query_one(EXIST, &[]).await?.try_get(0)?)
}

/// At most `limit` mapped callers.
///
/// # Errors
/// When the query fails.
pub async fn read(client: &impl GenericClient, now: At, limit: i64) -> Result<Vec<MappedCaller>, StoreError> {
    let rows = client.query(READ, &[&timestamp(now), &limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(MappedCaller {
                caller: row.try_get(0)?,
                sample: row.try_get(1)?,
                policy: row.try_get::<_, Option<&str>>(2)?.and_then(VoicePolicy::from_name),
                covered: row.try_get(3)?,
            })
        })
        .collect()
}
