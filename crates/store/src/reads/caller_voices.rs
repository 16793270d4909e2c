//! What callers have beside their mapping: the speaker, the consent and the cached voice. For the dashboard.

use deadpool_postgres::Pool;
use jiff::Timestamp;

use crate::StoreError;
use crate::reads::read_only::read;

const OF_CALLERS: &str = "
    select m.caller_id, s.name, v.cloned_voice_id, v.clone_created_at, v.ttl_expires_at, v.reuse_count, v.last_used_at,
        (select max(given_at) from consents c where c.speaker = m.speaker and c.ended_at is null
            and (c.expires_at is null or c.expires_at > now())) as consented_at
    from caller_voice_mapping m
    left join speakers s on s.id = m.speaker
    left join voice_clone_cache v on v.account_id = m.account_id and v.caller_id = m.caller_id and v.deleted_at is null
    where m.account_id = $1 and m.deleted_at is null and m.caller_id = any($2)";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[OF_CALLERS];

/// What a caller has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerVoice {
    /// E.164, or an extension.
    pub caller_id: String,
    /// Name of the speaker.
    pub speaker: Option<String>,
    /// When the speaker last gave a consent that still holds, for any sample.
    pub consented_at: Option<Timestamp>,
    /// The cached voice.
    pub voice: Option<CachedVoice>,
}

/// A voice in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedVoice {
    /// Id at ElevenLabs.
    pub id: String,
    /// When it was cloned.
    pub created_at: Timestamp,
    /// Calls use it until then.
    pub expires_at: Timestamp,
    /// Calls that used it.
    pub calls: i32,
    /// When a call last used it.
    pub last_used_at: Timestamp,
}

/// What these callers have, in no order.
///
/// # Errors
/// When the query fails.
pub async fn of_callers(
    pool: &Pool,
    account: &str,
    callers: &[String],
) -> Result<Vec<CallerVoice>, StoreError> {
    let rows = read(pool, OF_CALLERS, &[&account, &callers]).await?;
    rows.iter()
        .map(|row| {
            let voice = match row.try_get::<_, Option<String>>("cloned_voice_id")? {
                Some(id) => Some(CachedVoice {
                    id,
                    created_at: row.try_get("clone_created_at")?,
                    expires_at: row.try_get("ttl_expires_at")?,
                    calls: row.try_get("reuse_count")?,
                    last_used_at: row.try_get("last_used_at")?,
                }),
                None => None,
            };
            Ok(CallerVoice {
                caller_id: row.try_get("caller_id")?,
                speaker: row.try_get("name")?,
                consented_at: row.try_get("consented_at")?,
                voice,
            })
        })
        .collect()
}
