//! Callers and their samples, as administrators maintain them.

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

// In byte order, independent of the collation: the index has that order.
const LIST: &str = "
    select caller_id, voice_sample_url, voice_name, description, speaker, voice_policy, pin_hash is not null,
        created_at, updated_at, sample_checked_at, sample_problem, sample_checked_url = voice_sample_url, id
    from caller_voice_mapping
    where account_id = $1 and deleted_at is null and caller_id ~>~ $2 and caller_id ~>=~ $3 and caller_id ~<~ $4
    order by caller_id using ~<~ limit $5";

macro_rules! find {
    () => {
        "select caller_id, voice_sample_url, voice_name, description, speaker, voice_policy, pin_hash is not null,
            created_at, updated_at, sample_checked_at, sample_problem, sample_checked_url = voice_sample_url, id
        from caller_voice_mapping where account_id = $1 and caller_id = $2 and deleted_at is null"
    };
}

const FIND: &str = find!();
const FIND_AND_LOCK: &str = concat!(find!(), " for update");

const NUMBER: &str = "select caller_id from caller_voice_mapping where account_id = $1 and id = $2";

const MAPPING: &str =
    "select id from caller_voice_mapping where account_id = $1 and caller_id = $2 and deleted_at is null";

// Two requests that create the same caller take turns: the second must see whose sample it replaces.
const LOCK: &str = "select pg_advisory_xact_lock(hashtextextended('caller ' || $1 || ' ' || $2, 0))";

// The lock holds until the mapping is written, so that no caller is mapped to a speaker whom an erasure just removed.
const SPEAKER: &str =
    "select id from speakers where account_id = $1 and id = $2 and erased_at is null for share";

// $9: whether the PIN stays unchanged. A new PIN starts without failed tries. $11: whether the sample was looked at.
const PUT: &str = "
    insert into caller_voice_mapping as m (account_id, caller_id, voice_sample_url, voice_name, description, speaker,
        voice_policy, pin_hash, created_at, updated_at, sample_checked_url, sample_checked_at, sample_problem)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $10, $10, case when $11 then $3::text end,
        case when $11 then $10::timestamptz end, $12)
    on conflict (account_id, caller_id) where deleted_at is null do update set
        voice_sample_url = excluded.voice_sample_url, voice_name = excluded.voice_name,
        description = excluded.description, speaker = excluded.speaker, voice_policy = excluded.voice_policy,
        pin_hash = case when $9 then m.pin_hash else excluded.pin_hash end,
        pin_failures = case when $9 then m.pin_failures else 0 end,
        pin_failed_at = case when $9 then m.pin_failed_at end,
        updated_at = excluded.updated_at,
        -- An earlier look at the same sample stays, when it could not be looked at now.
        sample_checked_url = coalesce(excluded.sample_checked_url, m.sample_checked_url),
        sample_checked_at = coalesce(excluded.sample_checked_at, m.sample_checked_at),
        sample_problem = case when $11 then excluded.sample_problem else m.sample_problem end
    returning id";

const DELETE: &str = "
    update caller_voice_mapping set deleted_at = $3, updated_at = $3
    where account_id = $1 and caller_id = $2 and deleted_at is null returning id";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[LIST, FIND, NUMBER, MAPPING, LOCK, SPEAKER, FIND_AND_LOCK, PUT, DELETE];

/// Sorts after every character of a number.
const ABOVE: &str = "~";

/// A caller who has a voice.
#[derive(Clone, Debug)]
pub struct CallerRow {
    /// The id of the mapping.
    pub id: Uuid,
    /// E.164, or an extension.
    pub caller_id: String,
    /// The location of the sample.
    pub voice_sample_url: String,
    /// The name of the voice, for people.
    pub voice_name: String,
    /// For people.
    pub description: Option<String>,
    /// The speaker in the sample.
    pub speaker: Option<Uuid>,
    /// Who may hear it: `number`, `proof` or `never`; none for the rule of the line.
    pub voice_policy: Option<String>,
    /// Whether the caller has a PIN.
    pub has_pin: bool,
    /// When the mapping was created.
    pub created_at: Timestamp,
    /// When the mapping was last changed.
    pub updated_at: Timestamp,
    /// What precall saw when it last looked at this sample.
    pub sample: SampleSeen,
    /// When it looked; none if it never did.
    pub sample_checked_at: Option<Timestamp>,
}

/// What precall saw of a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SampleSeen {
    /// It was not looked at, or could not be reached.
    NotLooked,
    /// A voice can be cloned from it.
    Usable,
    /// No voice can be cloned from it, and why.
    Refused(String),
}

impl SampleSeen {
    fn is_seen(&self) -> bool {
        *self != Self::NotLooked
    }

    fn problem(&self) -> Option<&str> {
        match self {
            Self::Refused(why) => Some(why),
            Self::NotLooked | Self::Usable => None,
        }
    }
}

/// At most `limit` callers after `behind` whose numbers begin with `prefix`, by number.
///
/// # Errors
/// When the query fails.
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

/// The caller with this number; `None` if there is none.
///
/// # Errors
/// When the query fails.
pub async fn find(pool: &Pool, account: &str, caller: &str) -> Result<Option<CallerRow>, StoreError> {
    read(pool, FIND, &[&account, &caller]).await?.first().map(row).transpose()
}

/// The number of a mapping, also of a deleted one; `None` if there is none, or if the caller is erased.
///
/// # Errors
/// When the query fails.
pub async fn number(pool: &Pool, account: &str, mapping: Uuid) -> Result<Option<String>, StoreError> {
    let rows = read(pool, NUMBER, &[&account, &mapping]).await?;
    let number: Option<String> = rows.first().map(|row| row.try_get(0)).transpose()?;
    Ok(number.filter(|number| number.starts_with(|first: char| first == '+' || first.is_ascii_digit())))
}

/// The id of a caller's mapping; `None` if there is none. Audit rows name it instead of the number.
///
/// # Errors
/// When the query fails.
pub async fn mapping(pool: &Pool, account: &str, caller: &str) -> Result<Option<Uuid>, StoreError> {
    let rows = read(pool, MAPPING, &[&account, &caller]).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?)
}

/// What happens to the PIN.
#[derive(Clone)]
pub enum Pin {
    /// It stays unchanged.
    Kept,
    /// It is removed.
    Removed,
    /// A new PIN, as its hash.
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

/// The new values of a caller.
#[derive(Clone)]
pub struct NewCaller {
    /// The location of the sample.
    pub voice_sample_url: String,
    /// The name of the voice, for people.
    pub voice_name: String,
    /// For people.
    pub description: Option<String>,
    /// The speaker in the sample.
    pub speaker: Option<Uuid>,
    /// `number`, `proof` or `never`; none for the rule of the line.
    pub voice_policy: Option<&'static str>,
    /// What happens to the PIN.
    pub pin: Pin,
    /// What precall saw of the sample just now.
    pub sample: SampleSeen,
}

/// The result of [`put`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The caller is new.
    Created,
    /// The caller was known.
    Changed,
    /// There is no such speaker. Nothing was written.
    NoSpeaker,
    /// The caller is not as it should be for this change. Nothing was written.
    NotAsExpected,
}

/// Creates or changes the mapping of a caller, if `may` agrees to what is there. Schedules the deletion of a replaced
/// upload, unless another mapping names it.
///
/// # Errors
/// When the query fails.
pub async fn put(
    pool: &Pool,
    account: &str,
    caller: &str,
    new: &NewCaller,
    may: &dyn Fn(Option<&CallerRow>) -> bool,
    by: &str,
    now: At,
) -> Result<Put, StoreError> {
    in_time(async {
        let mut client = pool.get().await?;
        let transaction = client.transaction().await?;
        transaction.batch_execute(LONGEST).await?;
        transaction.execute(LOCK, &[&account, &caller]).await?;
        let old = transaction.query_opt(FIND_AND_LOCK, &[&account, &caller]).await?;
        let old = old.as_ref().map(row).transpose()?;
        if !may(old.as_ref()) {
            return Ok(Put::NotAsExpected);
        }
        let old = old.map(|old| old.voice_sample_url);
        // Lock the mapping before the speaker: an erasure uses the same order.
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
                    &new.sample.is_seen(),
                    &new.sample.problem(),
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

/// Deletes the mapping of a caller. Returns whether there was one. The data of past calls stay.
///
/// # Errors
/// When the query fails.
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

/// Whether precall stored the sample after an upload, so that precall must delete it.
fn is_upload(sample: &str) -> bool {
    sample.starts_with("uploads/") || sample.contains("/uploads/")
}

fn row(row: &Row) -> Result<CallerRow, StoreError> {
    // Null when it was never looked at, false when another sample was.
    let is_of_this_sample = row.try_get::<_, Option<bool>>(11)? == Some(true);
    let (checked_at, problem): (Option<Timestamp>, Option<String>) = (row.try_get(9)?, row.try_get(10)?);
    let sample = match problem {
        _ if !is_of_this_sample => SampleSeen::NotLooked,
        Some(why) => SampleSeen::Refused(why),
        None => SampleSeen::Usable,
    };
    Ok(CallerRow {
        id: row.try_get(12)?,
        caller_id: row.try_get(0)?,
        voice_sample_url: row.try_get(1)?,
        voice_name: row.try_get(2)?,
        description: row.try_get(3)?,
        speaker: row.try_get(4)?,
        voice_policy: row.try_get(5)?,
        has_pin: row.try_get(6)?,
        created_at: row.try_get(7)?,
        updated_at: row.try_get(8)?,
        sample,
        sample_checked_at: checked_at.filter(|_| is_of_this_sample),
    })
}
