//! Whose voice is where: mappings with their consent, and the cache of clones.

use precall_call::{At, VoiceId};
use tokio_postgres::GenericClient;

use super::error::StoreError;
use super::event_log::timestamp;

const MAPPING: &str = "
    select m.voice_sample_url, exists (
        select from consents c where c.account_id = m.account_id and c.caller_id = m.caller_id
            and c.withdrawn_at is null and (c.expires_at is null or c.expires_at > $3))
    from caller_voice_mapping m
    where m.account_id = $1 and m.caller_id = $2 and m.deleted_at is null";

const CACHED: &str = "
    select account_id, caller_id, cloned_voice_id, ttl_expires_at, sample_sha256 from voice_clone_cache
    where deleted_at is null and ttl_expires_at > $1 order by last_used_at desc limit $2";

const DROP_CACHED: &str = "
    update voice_clone_cache set deleted_at = $3
    where account_id = $1 and caller_id = $2 and deleted_at is null";

/// The statements of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[MAPPING, CACHED, DROP_CACHED];

/// A caller's sample, and whether anybody agreed to its use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// `voice_sample_url`.
    pub sample: String,
    /// A consent that is valid now.
    pub consented: bool,
}

/// A clone that is in the cache.
#[derive(Clone, Debug)]
pub struct CachedVoice {
    /// Whose.
    pub account: String,
    /// Whose voice.
    pub caller: String,
    /// The voice.
    pub voice: VoiceId,
    /// When it stops counting.
    pub expires: At,
    /// SHA-256 of its sample, hex; none for rows of the service before this one.
    pub sample_sha256: Option<String>,
}

/// The voice mapped to a caller.
///
/// # Errors
/// When the database cannot be asked.
pub async fn mapping(
    client: &impl GenericClient,
    account: &str,
    caller: &str,
    now: At,
) -> Result<Option<Mapping>, StoreError> {
    let row = client.query_opt(MAPPING, &[&account, &caller, &timestamp(now)]).await?;
    row.map(|row| Ok(Mapping { sample: row.try_get(0)?, consented: row.try_get(1)? })).transpose()
}

/// Clones that count at `now`, the most recently used first.
///
/// # Errors
/// When the database cannot be asked.
pub async fn cached(
    client: &impl GenericClient,
    now: At,
    limit: i64,
) -> Result<Vec<CachedVoice>, StoreError> {
    let rows = client.query(CACHED, &[&timestamp(now), &limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(CachedVoice {
                account: row.try_get(0)?,
                caller: row.try_get(1)?,
                voice: VoiceId::new(row.try_get::<_, String>(2)?),
                expires: At(row.try_get::<_, jiff::Timestamp>(3)?.as_microsecond()),
                sample_sha256: row.try_get(4)?,
            })
        })
        .collect()
}

/// Takes a caller's clone out of the cache; returns how many rows that were.
///
/// # Errors
/// When the database cannot be asked.
pub async fn drop_cached(
    client: &impl GenericClient,
    account: &str,
    caller: &str,
    now: At,
) -> Result<u64, StoreError> {
    Ok(client.execute(DROP_CACHED, &[&account, &caller, &timestamp(now)]).await?)
}
