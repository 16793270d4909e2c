//! Callers and the sample that each is mapped to, as administrators keep them.

use deadpool_postgres::Pool;
use jiff::Timestamp;
use precall_call::At;
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use super::{audit, deletions};
use crate::StoreError;
use crate::events::event_log::timestamp;
use crate::reads::read_only::{LONGEST, in_time, read};

// By bytes, whatever the collation: the index has that order.
const LIST: &str = "
    select caller_id, voice_sample_url, voice_name, description, speaker, voice_policy, pin_hash is not null, created_at, updated_at
    from caller_voice_mapping
    where account_id = $1 and deleted_at is null and caller_id ~>~ $2 and caller_id ~>=~ $3 and caller_id ~<~ $4
    order by caller_id using ~<~ limit $5";

const FIND: &str = "
    select caller_id, voice_sample_url, voice_name, description, speaker, voice_policy, pin_hash is not null, created_at, updated_at
    from caller_voice_mapping where account_id = $1 and caller_id = $2 and deleted_at is null";

// Two who put the same caller for the first time take turns: the second has to see whose sample it replaces.
const LOCK: &str = "select pg_advisory_xact_lock(hashtextextended('caller ' || $1 || ' ' || $2, 0))";

// Stays until the mapping is written, so that nobody is mapped to a speaker who was just erased.
const SPEAKER: &str =
    "select id from speakers where account_id = $1 and id = $2 and erased_at is null for share";

const OLD_SAMPLE: &str = "
    select voice_sample_url from caller_voice_mapping
    where account_id = $1 and caller_id = $2 and deleted_at is null for update";

// $9: whether the PIN stays what it was. Whoever gets a new one begins without failures.
const PUT: &str = "
    insert into caller_voice_mapping as m (account_id, caller_id, voice_sample_url, voice_name, description, speaker,
        voice_policy, pin_hash, created_at, updated_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $10, $10)
    on conflict (account_id, caller_id) where deleted_at is null do update set
        voice_sample_url = excluded.voice_sample_url, voice_name = excluded.voice_name,
        description = excluded.description, speaker = excluded.speaker, voice_policy = excluded.voice_policy,
        pin_hash = case when $9 then m.pin_hash else excluded.pin_hash end,
        pin_failures = case when $9 then m.pin_failures else 0 end,
        pin_failed_at = case when $9 then m.pin_failed_at end,
        updated_at = excluded.updated_at
    returning id";

const DELETE: &str = "
    update caller_voice_mapping set deleted_at = $3, updated_at = $3
    where account_id = $1 and caller_id = $2 and deleted_at is null returning id";

/// The statements of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[LIST, FIND, LOCK, SPEAKER, OLD_SAMPLE, PUT, DELETE];

/// Above every character of a number.
const ABOVE: &str = "~";

/// A caller who has a voice.
#[derive(Clone, Debug)]
pub struct CallerRow {
    /// E.164, or an extension.
    pub caller_id: String,
    /// Where the sample lies.
    pub voice_sample_url: String,
    /// What people call the voice.
    pub voice_name: String,
    /// For people.
    pub description: Option<String>,
    /// Whose voice the sample is.
    pub speaker: Option<Uuid>,
    /// Who may hear it: `number`, `proof` or `never`; none takes the line's.
    pub voice_policy: Option<String>,
    /// Whether a PIN proves who calls.
    pub has_pin: bool,
    /// When the caller was mapped.
    pub created_at: Timestamp,
    /// When that was last changed.
    pub updated_at: Timestamp,
}

/// At most `limit` callers behind that one whose numbers begin with `prefix`, by number.
///
/// # Errors
/// What the database made of it.
pub async fn list(
    pool: &Pool,
    account: &str,
    prefix: &str,
    behind: &str,
    limit: i64,
) -> Result<Vec<CallerRow>, StoreError> {
    let below = format!("{prefix}{ABOVE}");
    read(pool, LIST, &[&account, &behind, &prefix, &below, &limit]).await?.iter().map(row).collect()
}

/// The caller with this number.
///
/// # Errors
/// What the database made of it.
pub async fn find(pool: &Pool, account: &str, caller: &str) -> Result<Option<CallerRow>, StoreError> {
    read(pool, FIND, &[&account, &caller]).await?.first().map(row).transpose()
}

/// What becomes of the PIN.
#[derive(Clone)]
pub enum Pin {
    /// It stays what it is.
    Kept,
    /// There is none any more.
    Removed,
    /// The hash of a new one.
    Set(String),
}

impl Pin {
    fn name(&self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Removed => "removed",
            Self::Set(_) => "set",
        }
    }
}

/// A caller as it shall be.
#[derive(Clone)]
pub struct NewCaller {
    /// Where the sample lies.
    pub voice_sample_url: String,
    /// What people call the voice.
    pub voice_name: String,
    /// For people.
    pub description: Option<String>,
    /// Whose voice the sample is.
    pub speaker: Option<Uuid>,
    /// `number`, `proof` or `never`; none takes the line's.
    pub voice_policy: Option<&'static str>,
    /// What proves who calls.
    pub pin: Pin,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The caller is new.
    Created,
    /// The caller was known.
    Changed,
    /// There is no such speaker; nothing was written.
    NoSpeaker,
}

/// Maps a caller, or changes how. A sample of ours that is replaced is deleted, unless another mapping names it.
///
/// # Errors
/// What the database made of it.
pub async fn put(
    pool: &Pool,
    account: &str,
    caller: &str,
    new: &NewCaller,
    by: &str,
    now: At,
) -> Result<Put, StoreError> {
    in_time(async {
        let mut client = pool.get().await?;
        let transaction = client.transaction().await?;
        transaction.batch_execute(LONGEST).await?;
        transaction.execute(LOCK, &[&account, &caller]).await?;
        let old = transaction.query_opt(OLD_SAMPLE, &[&account, &caller]).await?;
        let old: Option<String> = old.map(|row| row.try_get(0)).transpose()?;
        // Mapping before speaker, as an erasure does.
        if let Some(speaker) = new.speaker
            && transaction.query_opt(SPEAKER, &[&account, &speaker]).await?.is_none()
        {
            return Ok(Put::NoSpeaker);
        }
        let (keeps, hash) = match &new.pin {
            Pin::Kept => (true, None),
            Pin::Removed => (false, None),
            Pin::Set(hash) => (false, Some(hash)),
        };
        let written = transaction
            .query_one(
                PUT,
                &[
                    &account,
                    &caller,
                    &new.voice_sample_url,
                    &new.voice_name,
                    &new.description,
                    &new.speaker,
                    &new.voice_policy,
                    &hash,
                    &keeps,
                    &timestamp(now),
                ],
            )
            .await?;
        let replaced = old.as_ref().filter(|old| **old != new.voice_sample_url);
        if let Some(sample) = replaced.filter(|sample| is_upload(sample)) {
            deletions::sample_replaced(&*transaction, sample).await?;
        }
        let detail = json!({ "speaker": new.speaker, "voice_policy": new.voice_policy, "pin": new.pin.name(),
            "sample": if replaced.is_some() { "replaced" } else { "as_it_was" } });
        let action = if old.is_some() { "caller_changed" } else { "caller_created" };
        audit::record(&*transaction, by, action, Some(written.try_get(0)?), Some(detail), now).await?;
        transaction.commit().await?;
        Ok(if old.is_some() { Put::Changed } else { Put::Created })
    })
    .await
}

/// Takes a caller's voice away; whether there was one. What was kept of the calls stays.
///
/// # Errors
/// What the database made of it.
pub async fn delete(pool: &Pool, account: &str, caller: &str, by: &str, now: At) -> Result<bool, StoreError> {
    in_time(async {
        let mut client = pool.get().await?;
        let transaction = client.transaction().await?;
        transaction.batch_execute(LONGEST).await?;
        let deleted = transaction.query_opt(DELETE, &[&account, &caller, &timestamp(now)]).await?;
        let Some(deleted) = deleted else { return Ok(false) };
        audit::record(&*transaction, by, "caller_deleted", Some(deleted.try_get(0)?), None, now).await?;
        transaction.commit().await?;
        Ok(true)
    })
    .await
}

/// Whether it came to us by an upload, so that nobody else looks after it.
fn is_upload(sample: &str) -> bool {
    sample.starts_with("uploads/") || sample.contains("/uploads/")
}

fn row(row: &Row) -> Result<CallerRow, StoreError> {
    Ok(CallerRow {
        caller_id: row.try_get(0)?,
        voice_sample_url: row.try_get(1)?,
        voice_name: row.try_get(2)?,
        description: row.try_get(3)?,
        speaker: row.try_get(4)?,
        voice_policy: row.try_get(5)?,
        has_pin: row.try_get(6)?,
        created_at: row.try_get(7)?,
        updated_at: row.try_get(8)?,
    })
}
