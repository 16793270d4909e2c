//! Deletions that are due outside the database (samples, conversations, recordings). Each is retried until it succeeds.

use std::time::Duration;

use precall_call::At;
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::error::StoreError;
use crate::events::event_log::timestamp;

const DUE: &str = "
    select id, kind, target, tries from deletions
    where done_at is null and due_at <= $1 and target is not null order by due_at limit $2";

// A finished deletion does not keep the name of its target.
const DONE: &str = "update deletions set done_at = $2, target = null, error = null where id = $1";

const NOT_DONE: &str = "update deletions set due_at = $2, tries = tries + 1, error = $3 where id = $1";

const OF_ERASURE: &str = "
    select kind, count(*) filter (where done_at is not null), count(*) filter (where done_at is null), max(error)
    from deletions where erasure = $1 group by kind order by kind";

// Samples of a speaker's mappings that no mapping of another speaker names.
const SAMPLES_OF_SPEAKER: &str = "
    insert into deletions (kind, target, why)
    select distinct 'sample', m.voice_sample_url, 'withdrawn' from caller_voice_mapping m
    where m.account_id = $1 and m.speaker = $2 and not exists (
        select from caller_voice_mapping o
        where o.voice_sample_url = m.voice_sample_url and o.speaker is distinct from m.speaker
            and o.deleted_at is null)";

// A replaced sample that no mapping names any more.
const REPLACED: &str = "
    insert into deletions (kind, target, why)
    select 'sample', $1, 'replaced' where not exists (
        select from caller_voice_mapping where voice_sample_url = $1 and deleted_at is null)";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[DUE, DONE, NOT_DONE, OF_ERASURE, SAMPLES_OF_SPEAKER, REPLACED];

/// The first wait after a failure, and the longest. Each wait doubles.
const WAIT_FIRST: Duration = Duration::from_secs(10);
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// What to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A sample, by `voice_sample_url`.
    Sample(String),
    /// A conversation at the provider.
    Conversation(String),
    /// The recording of a conversation.
    Recording(String),
}

/// A row that is due.
#[derive(Clone, Debug)]
pub struct Due {
    /// Its id.
    pub id: Uuid,
    /// What to delete.
    pub target: Target,
    /// Number of tries so far.
    pub tries: i32,
}

/// At most `limit` deletions that are due at `now`.
///
/// # Errors
/// When the query fails.
pub async fn due(client: &impl GenericClient, now: At, limit: i64) -> Result<Vec<Due>, StoreError> {
    let rows = client.query(DUE, &[&timestamp(now), &limit]).await?;
    rows.iter()
        .map(|row| {
            let (kind, target): (&str, String) = (row.try_get(1)?, row.try_get(2)?);
            let target = match kind {
                "sample" => Target::Sample(target),
                "conversation" => Target::Conversation(target),
                _ => Target::Recording(target),
            };
            Ok(Due { id: row.try_get(0)?, target, tries: row.try_get(3)? })
        })
        .collect()
}

/// Records a deletion that succeeded.
///
/// # Errors
/// When the query fails.
pub async fn done(client: &impl GenericClient, id: Uuid, now: At) -> Result<(), StoreError> {
    client.execute(DONE, &[&id, &timestamp(now)]).await?;
    Ok(())
}

/// Records a deletion that failed, and schedules the next try.
///
/// # Errors
/// When the query fails.
pub async fn not_done(client: &impl GenericClient, due: &Due, why: &str, now: At) -> Result<(), StoreError> {
    let doubled = 2_u32.saturating_pow(u32::try_from(due.tries).unwrap_or(0).min(16));
    let next = now.plus(WAIT_FIRST.saturating_mul(doubled).min(WAIT_MAX));
    client.execute(NOT_DONE, &[&due.id, &timestamp(next), &why]).await?;
    Ok(())
}

/// Progress of an erasure's deletions, by kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// `sample`, `conversation` or `recording`.
    pub kind: String,
    /// Deletions done.
    pub done: i64,
    /// Deletions that are not done yet.
    pub pending: i64,
    /// The error of one of them.
    pub why: Option<String>,
}

/// Progress of the deletions of an erasure.
///
/// # Errors
/// When the query fails.
pub async fn of_erasure(client: &impl GenericClient, erasure: Uuid) -> Result<Vec<Progress>, StoreError> {
    let rows = client.query(OF_ERASURE, &[&erasure]).await?;
    rows.iter()
        .map(|row| {
            Ok(Progress {
                kind: row.try_get(0)?,
                done: row.try_get(1)?,
                pending: row.try_get(2)?,
                why: row.try_get(3)?,
            })
        })
        .collect()
}

/// Schedules the deletion of a speaker's samples after a withdrawal, except samples that other speakers' mappings name.
///
/// # Errors
/// When the query fails.
pub(crate) async fn samples_of_speaker(
    client: &impl GenericClient,
    account: &str,
    speaker: Uuid,
) -> Result<u64, StoreError> {
    Ok(client.execute(SAMPLES_OF_SPEAKER, &[&account, &speaker]).await?)
}

/// Schedules the deletion of a replaced sample, unless a mapping still names it.
///
/// # Errors
/// When the query fails.
pub(crate) async fn sample_replaced(client: &impl GenericClient, sample: &str) -> Result<u64, StoreError> {
    Ok(client.execute(REPLACED, &[&sample]).await?)
}
