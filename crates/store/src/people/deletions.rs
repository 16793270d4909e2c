//! What is still to be deleted outside the database: tried again until it is done.

use std::time::Duration;

use precall_call::At;
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::error::StoreError;
use crate::events::event_log::timestamp;

const DUE: &str = "
    select id, kind, target, tries from deletions
    where done_at is null and due_at <= $1 and target is not null order by due_at limit $2";

// What is done keeps no name of what it was.
const DONE: &str = "update deletions set done_at = $2, target = null, error = null where id = $1";

const NOT_DONE: &str = "update deletions set due_at = $2, tries = tries + 1, error = $3 where id = $1";

const OF_ERASURE: &str = "
    select kind, count(*) filter (where done_at is not null), count(*) filter (where done_at is null), max(error)
    from deletions where erasure = $1 group by kind order by kind";

// Samples of all mappings of a speaker that nobody else's mapping names.
const SAMPLES_OF_SPEAKER: &str = "
    insert into deletions (kind, target, why)
    select distinct 'sample', m.voice_sample_url, 'withdrawn' from caller_voice_mapping m
    where m.account_id = $1 and m.speaker = $2 and not exists (
        select from caller_voice_mapping o
        where o.voice_sample_url = m.voice_sample_url and o.speaker is distinct from m.speaker and o.deleted_at is null)";

// A sample that was replaced and that no mapping names any more.
const REPLACED: &str = "
    insert into deletions (kind, target, why)
    select 'sample', $1, 'replaced' where not exists (
        select from caller_voice_mapping where voice_sample_url = $1 and deleted_at is null)";

/// The statements of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[DUE, DONE, NOT_DONE, OF_ERASURE, SAMPLES_OF_SPEAKER, REPLACED];

/// The first wait after a failure, and the longest: each doubles.
const WAIT_FIRST: Duration = Duration::from_secs(10);
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// What is to be deleted.
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
    /// What.
    pub target: Target,
    /// How often it was tried.
    pub tries: i32,
}

/// At most `limit` deletions that are due at `now`.
///
/// # Errors
/// When the database cannot be asked.
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

/// It is gone.
///
/// # Errors
/// When the database cannot be asked.
pub async fn done(client: &impl GenericClient, id: Uuid, now: At) -> Result<(), StoreError> {
    client.execute(DONE, &[&id, &timestamp(now)]).await?;
    Ok(())
}

/// It is still there, and is tried again later.
///
/// # Errors
/// When the database cannot be asked.
pub async fn not_done(client: &impl GenericClient, due: &Due, why: &str, now: At) -> Result<(), StoreError> {
    let doubled = 2_u32.saturating_pow(u32::try_from(due.tries).unwrap_or(0).min(16));
    let next = now.plus(WAIT_FIRST.saturating_mul(doubled).min(WAIT_MAX));
    client.execute(NOT_DONE, &[&due.id, &timestamp(next), &why]).await?;
    Ok(())
}

/// How far the deletions of an erasure are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// `sample`, `conversation` or `recording`.
    pub kind: String,
    /// Deletions done.
    pub done: i64,
    /// Deletions that are tried again.
    pub pending: i64,
    /// Why, of one of them.
    pub why: Option<String>,
}

/// How far it is.
///
/// # Errors
/// When the database cannot be asked.
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

/// The samples of a speaker who has taken the word back are to be deleted, but for those that somebody else's voice is mapped by.
///
/// # Errors
/// When the database cannot be asked.
pub async fn samples_of_speaker(
    client: &impl GenericClient,
    account: &str,
    speaker: Uuid,
) -> Result<u64, StoreError> {
    Ok(client.execute(SAMPLES_OF_SPEAKER, &[&account, &speaker]).await?)
}

/// A sample was replaced by another one: it is to be deleted, unless a mapping still names it.
///
/// # Errors
/// When the database cannot be asked.
pub async fn sample_replaced(client: &impl GenericClient, sample: &str) -> Result<u64, StoreError> {
    Ok(client.execute(REPLACED, &[&sample]).await?)
}
