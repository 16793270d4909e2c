//! Reads the voices at the provider, as far as precall knows: their callers and their consents.

use deadpool_postgres::Pool;
use jiff::Timestamp;
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::StoreError;
use crate::reads::read_only::read;

const LIST: &str = "
    select s.job, s.event ->> 'voice_id', r.pii ->> 'caller_id', s.at, (r.event ->> 'consent')::bigint, e.speaker,
        r.event ->> 'sample_sha256', c.ttl_expires_at, c.last_used_at, c.reuse_count
    from voice_events s join voice_events r on r.job = s.job and r.seq = 1
    left join consents e on e.given = (r.event ->> 'consent')::bigint
    left join voice_clone_cache c on c.job = s.job and c.deleted_at is null
    where s.job < $1 and s.event ->> 'kind' = 'clone_succeeded'
        and coalesce(r.pii ->> 'account_id', $3) = $3 and not exists (
            select from voice_events d where d.job = s.job and d.event ->> 'kind' = 'voice_deleted')
    order by s.job desc limit $2";

const OF_JOBS: &str = "
    select count(*) filter (where exists (select from voice_events d
            where d.job = s.job and d.event ->> 'kind' = 'voice_deleted')), count(*)
    from voice_events s where s.job = any($1) and s.event ->> 'kind' = 'clone_succeeded'";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[LIST, OF_JOBS];

/// A voice.
#[derive(Clone, Debug)]
pub struct VoiceRow {
    /// The job that made it; time-ordered.
    pub job: Uuid,
    /// The provider's id.
    pub voice_id: String,
    /// The caller; none after an erasure.
    pub caller_id: Option<String>,
    /// When the provider made it.
    pub created_at: Timestamp,
    /// The consent, by its number in `consent_log`; none if no consent was needed.
    pub consent: Option<i64>,
    /// The speaker who agreed.
    pub speaker: Option<Uuid>,
    /// SHA-256 of its sample.
    pub sample_sha256: Option<String>,
    /// Until when calls may use it; none if they may not any more.
    pub expires_at: Option<Timestamp>,
    /// When a call last began to use it.
    pub last_used_at: Option<Timestamp>,
    /// Number of calls that used it.
    pub calls: Option<i32>,
}

/// At most `limit` voices of jobs before this one, the newest first.
///
/// # Errors
/// When the query fails.
pub async fn list(pool: &Pool, account: &str, before: Uuid, limit: i64) -> Result<Vec<VoiceRow>, StoreError> {
    let rows = read(pool, LIST, &[&before, &limit, &account]).await?;
    rows.iter()
        .map(|row| {
            Ok(VoiceRow {
                job: row.try_get(0)?,
                voice_id: row.try_get(1)?,
                caller_id: row.try_get(2)?,
                created_at: row.try_get(3)?,
                consent: row.try_get(4)?,
                speaker: row.try_get(5)?,
                sample_sha256: row.try_get(6)?,
                expires_at: row.try_get(7)?,
                last_used_at: row.try_get(8)?,
                calls: row.try_get(9)?,
            })
        })
        .collect()
}

/// How many voices of these jobs are deleted, and how many are not.
///
/// # Errors
/// When the query fails.
pub async fn of_jobs(client: &impl GenericClient, jobs: &[Uuid]) -> Result<(i64, i64), StoreError> {
    let row = client.query_one(OF_JOBS, &[&jobs]).await?;
    let (gone, all): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    Ok((gone, all.saturating_sub(gone)))
}
