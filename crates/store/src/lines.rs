//! The stored telephone lines and their versions. A setting that is missing takes the value of the default line.

use deadpool_postgres::{Pool, Transaction};
use jiff::Timestamp;
use precall_call::{At, VoicePolicy};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_postgres::types::{Json, ToSql};
use tokio_postgres::{GenericClient, Row};

use super::error::StoreError;
use crate::events::event_log::timestamp;
use crate::people::audit;
use crate::reads::read_only::{LONGEST, in_time, read as read_only};

macro_rules! settings {
    () => {
        "l.account_id, l.agent_id, l.phone_number_id, l.greeting_message, l.greeting_voice_id, l.language,
        l.fallback_voice_id, l.fallback_destination, l.max_live_calls, l.greeting_max_seconds,
        l.clone_max_wait_seconds, l.voice_policy"
    };
}

const READ: &str = concat!(
    "select ",
    settings!(),
    ", l.number, l.version, l.trial_version, l.trial_percent, t.settings
    from lines l left join line_versions t on t.number = l.number and t.version = l.trial_version
    order by l.number"
);

const VERSIONS: &str = "
    select version, settings, note, created_at, created_by, published_at, published_by
    from line_versions where number = $1 and version < $2 order by version desc limit $3";

// Two changes of a line take turns, also of one that is not there yet.
const LOCK: &str = "select pg_advisory_xact_lock(hashtextextended('line ' || $1, 0))";

const ADD: &str = "
    insert into line_versions (number, version, settings, note, created_at, created_by)
    select $1, coalesce(max(version), 0) + 1, $2, $3, $4, $5 from line_versions where number = $1
    returning version";

const FIND: &str = "select settings from line_versions where number = $1 and version = $2";

const PUBLISHED: &str = "
    update line_versions set published_at = $3, published_by = $4 where number = $1 and version = $2";

const PUT: &str = "
    insert into lines (number, account_id, agent_id, phone_number_id, greeting_message, greeting_voice_id, language,
        fallback_voice_id, fallback_destination, max_live_calls, greeting_max_seconds, clone_max_wait_seconds,
        voice_policy, version, updated_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
    on conflict (number) do update set account_id = excluded.account_id, agent_id = excluded.agent_id,
        phone_number_id = excluded.phone_number_id, greeting_message = excluded.greeting_message,
        greeting_voice_id = excluded.greeting_voice_id, language = excluded.language,
        fallback_voice_id = excluded.fallback_voice_id, fallback_destination = excluded.fallback_destination,
        max_live_calls = excluded.max_live_calls, greeting_max_seconds = excluded.greeting_max_seconds,
        clone_max_wait_seconds = excluded.clone_max_wait_seconds, voice_policy = excluded.voice_policy,
        version = excluded.version, trial_version = null, trial_percent = null, updated_at = excluded.updated_at";

const TRY: &str = "
    update lines set trial_version = $2, trial_percent = $3, updated_at = $4
    where number = $1 and version is distinct from $2";

const END_TRIAL: &str = "
    update lines set trial_version = null, trial_percent = null, updated_at = $2
    where number = $1 and trial_version is not null returning version";

// The newest of the published versions but the one that counts.
const BEFORE: &str = "
    select v.version from line_versions v join lines l using (number)
    where v.number = $1 and v.published_at is not null and v.version is distinct from l.version
    order by v.published_at desc limit 1";

const DELETE: &str = "delete from lines where number = $1 returning version";

// What became of the calls of each version that began at this time or later.
const OUTCOMES: &str = "
    select (metadata ->> 'line_version')::integer, status, cause, count(*), avg(duration_seconds)::double precision
    from call_log where line = $1 and call_started_at >= $2 and not canary
    group by 1, 2, 3 order by 1, 2, 3";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] =
    &[READ, VERSIONS, LOCK, ADD, FIND, PUBLISHED, PUT, TRY, END_TRIAL, BEFORE, DELETE, OUTCOMES];

/// What a line sets. The names are those of the columns of `lines`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)] // The columns of the table, by name.
pub struct LineSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub greeting_message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub greeting_voice_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_voice_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback_destination: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_live_calls: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub greeting_max_seconds: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clone_max_wait_seconds: Option<i32>,
    /// The name of a [`VoicePolicy`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice_policy: Option<String>,
}

impl LineSettings {
    /// Its account.
    #[must_use]
    pub fn account(&self) -> &str {
        self.account_id.as_deref().unwrap_or(DEFAULT_ACCOUNT)
    }

    /// Which calls may use a caller's voice; none for the policy of the default line.
    #[must_use]
    pub fn policy(&self) -> Option<VoicePolicy> {
        self.voice_policy.as_deref().and_then(VoicePolicy::from_name)
    }
}

/// The account of a line that names none.
const DEFAULT_ACCOUNT: &str = "default";

/// A version that some callers of a line get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Its number.
    pub version: i32,
    /// How many of a hundred callers get it: 1 to 99.
    pub percent: i16,
    /// Its settings.
    pub settings: LineSettings,
}

/// A row of `lines`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLine {
    /// The called number, as it was written.
    pub number: String,
    /// What it sets.
    pub settings: LineSettings,
    /// The version that these settings are; none for a row that was written by hand.
    pub version: Option<i32>,
    /// The version on trial.
    pub trial: Option<Trial>,
}

impl StoredLine {
    /// The settings that calls of this line can get: its own, and those on trial.
    pub fn every_settings(&self) -> impl Iterator<Item = &LineSettings> {
        std::iter::once(&self.settings).chain(self.trial.as_ref().map(|trial| &trial.settings))
    }
}

/// A version of a line's settings.
#[derive(Clone, Debug)]
pub struct LineVersion {
    /// Counted from 1 for each line.
    pub version: i32,
    /// What it sets.
    pub settings: LineSettings,
    /// Why, for people.
    pub note: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// By whom: the name of an API key.
    pub created_by: String,
    /// When it last began to count; none for a draft.
    pub published_at: Option<Timestamp>,
    /// By whom.
    pub published_by: Option<String>,
}

/// What became of calls of one version.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionOutcome {
    /// The version; none for calls of a row that was written by hand.
    pub version: Option<i32>,
    /// `initiated`, `completed` or `failed`.
    pub status: String,
    /// Why they ended; none for live calls.
    pub cause: Option<String>,
    /// How many.
    pub calls: i64,
    /// Average duration of their conversations, in seconds.
    pub average_seconds: Option<f64>,
}

/// Who changes a line, and when.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// The name of an API key.
    pub who: &'a str,
    /// When.
    pub at: At,
}

/// What became of an order to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// It counts for the next call.
    Done {
        /// The version that counts, or is on trial.
        version: i32,
    },
    /// The line has no such version.
    NoVersion,
    /// A trial needs a line with another version.
    NothingToCompare,
}

/// All lines.
///
/// # Errors
/// When the query fails.
pub async fn read(client: &impl GenericClient) -> Result<Vec<StoredLine>, StoreError> {
    client.query(READ, &[]).await?.iter().map(line).collect()
}

/// All lines, for clients of the API.
///
/// # Errors
/// When the query fails.
pub async fn all(pool: &Pool) -> Result<Vec<StoredLine>, StoreError> {
    read_only(pool, READ, &[]).await?.iter().map(line).collect()
}

/// At most `limit` versions of a line below `before`, the newest first.
///
/// # Errors
/// When the query fails.
pub async fn versions(
    pool: &Pool,
    number: &str,
    before: i32,
    limit: i64,
) -> Result<Vec<LineVersion>, StoreError> {
    let rows = read_only(pool, VERSIONS, &[&number, &before, &limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(LineVersion {
                version: row.try_get(0)?,
                settings: settings_of(row, 1)?,
                note: row.try_get(2)?,
                created_at: row.try_get(3)?,
                created_by: row.try_get(4)?,
                published_at: row.try_get(5)?,
                published_by: row.try_get(6)?,
            })
        })
        .collect()
}

/// What became of the calls of a line's versions since then.
///
/// # Errors
/// When the query fails.
pub async fn outcomes(pool: &Pool, number: &str, since: At) -> Result<Vec<VersionOutcome>, StoreError> {
    let rows = read_only(pool, OUTCOMES, &[&number, &timestamp(since)]).await?;
    rows.iter()
        .map(|row| {
            Ok(VersionOutcome {
                version: row.try_get(0)?,
                status: row.try_get(1)?,
                cause: row.try_get(2)?,
                calls: row.try_get(3)?,
                average_seconds: row.try_get(4)?,
            })
        })
        .collect()
}

/// Whether a new version counts at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// For the next call.
    AtOnce,
    /// When it is published.
    Later,
}

/// Writes a new version. Returns its number.
///
/// # Errors
/// When a statement fails.
pub async fn write(
    pool: &Pool,
    number: &str,
    settings: &LineSettings,
    note: Option<&str>,
    counts: Counts,
    by: By<'_>,
) -> Result<i32, StoreError> {
    changing(pool, number, async |transaction: &Transaction<'_>| {
        let values: [&(dyn ToSql + Sync); 5] = [&number, &Json(settings), &note, &timestamp(by.at), &by.who];
        let version: i32 = transaction.query_one(ADD, &values).await?.try_get(0)?;
        match counts {
            Counts::AtOnce => drop(put(transaction, number, version, None, by, "line_published").await?),
            Counts::Later => record(transaction, by, "line_drafted", number, Some(version), None).await?,
        }
        Ok(version)
    })
    .await
}

/// Lets a version count: for every call, or with `percent` (1 to 99) for that share of the callers.
///
/// # Errors
/// When a statement fails.
pub async fn publish(
    pool: &Pool,
    number: &str,
    version: i32,
    percent: Option<i16>,
    by: By<'_>,
) -> Result<Published, StoreError> {
    changing(pool, number, async |transaction: &Transaction<'_>| {
        put(transaction, number, version, percent, by, "line_published").await
    })
    .await
}

/// Ends the trial of a line, else lets the version that was published before count again.
///
/// # Errors
/// When a statement fails.
pub async fn roll_back(pool: &Pool, number: &str, by: By<'_>) -> Result<Published, StoreError> {
    changing(pool, number, async |transaction: &Transaction<'_>| {
        if let Some(row) = transaction.query_opt(END_TRIAL, &[&number, &timestamp(by.at)]).await? {
            let version: Option<i32> = row.try_get(0)?;
            record(transaction, by, "line_rolled_back", number, version, None).await?;
            return Ok(Published::Done { version: version.unwrap_or_default() });
        }
        let Some(before) = transaction.query_opt(BEFORE, &[&number]).await? else {
            return Ok(Published::NoVersion);
        };
        put(transaction, number, before.try_get(0)?, None, by, "line_rolled_back").await
    })
    .await
}

/// Deletes a line: its calls are calls of the default line. Its versions stay. Returns whether there was one.
///
/// # Errors
/// When a statement fails.
pub async fn delete(pool: &Pool, number: &str, by: By<'_>) -> Result<bool, StoreError> {
    changing(pool, number, async |transaction: &Transaction<'_>| {
        let Some(row) = transaction.query_opt(DELETE, &[&number]).await? else { return Ok(false) };
        record(transaction, by, "line_deleted", number, row.try_get(0)?, None).await?;
        Ok(true)
    })
    .await
}

async fn put(
    transaction: &Transaction<'_>,
    number: &str,
    version: i32,
    percent: Option<i16>,
    by: By<'_>,
    action: &'static str,
) -> Result<Published, StoreError> {
    let Some(row) = transaction.query_opt(FIND, &[&number, &version]).await? else {
        return Ok(Published::NoVersion);
    };
    let at = timestamp(by.at);
    if let Some(percent) = percent {
        if transaction.execute(TRY, &[&number, &version, &percent, &at]).await? == 0 {
            return Ok(Published::NothingToCompare);
        }
    } else {
        let set = settings_of(&row, 0)?;
        let account = set.account();
        let values: [&(dyn ToSql + Sync); 15] = [
            &number,
            &account,
            &set.agent_id,
            &set.phone_number_id,
            &set.greeting_message,
            &set.greeting_voice_id,
            &set.language,
            &set.fallback_voice_id,
            &set.fallback_destination,
            &set.max_live_calls,
            &set.greeting_max_seconds,
            &set.clone_max_wait_seconds,
            &set.voice_policy,
            &version,
            &at,
        ];
        transaction.execute(PUT, &values).await?;
    }
    transaction.execute(PUBLISHED, &[&number, &version, &at, &by.who]).await?;
    record(transaction, by, action, number, Some(version), percent).await?;
    Ok(Published::Done { version })
}

/// Runs a change of a line in a transaction, after the changes of the same line before it.
async fn changing<T>(
    pool: &Pool,
    number: &str,
    change: impl AsyncFnOnce(&Transaction<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    in_time(async {
        let mut client = pool.get().await?;
        let transaction = client.transaction().await?;
        transaction.batch_execute(LONGEST).await?;
        transaction.execute(LOCK, &[&number]).await?;
        let outcome = change(&transaction).await?;
        transaction.commit().await?;
        Ok(outcome)
    })
    .await
}

async fn record(
    transaction: &Transaction<'_>,
    by: By<'_>,
    action: &str,
    number: &str,
    version: Option<i32>,
    percent: Option<i16>,
) -> Result<(), StoreError> {
    let detail = json!({ "line": number, "version": version, "percent": percent });
    audit::record(&**transaction, by.who, action, None, Some(detail), by.at).await
}

fn line(row: &Row) -> Result<StoredLine, StoreError> {
    let settings = LineSettings {
        account_id: row.try_get(0)?,
        agent_id: row.try_get(1)?,
        phone_number_id: row.try_get(2)?,
        greeting_message: row.try_get(3)?,
        greeting_voice_id: row.try_get(4)?,
        language: row.try_get(5)?,
        fallback_voice_id: row.try_get(6)?,
        fallback_destination: row.try_get(7)?,
        max_live_calls: row.try_get(8)?,
        greeting_max_seconds: row.try_get(9)?,
        clone_max_wait_seconds: row.try_get(10)?,
        voice_policy: row.try_get(11)?,
    };
    let (version, percent): (Option<i32>, Option<i16>) = (row.try_get(14)?, row.try_get(15)?);
    let has_settings = row.try_get::<_, Option<serde_json::Value>>(16)?.is_some();
    let trial = match (version, percent) {
        (Some(version), Some(percent)) if has_settings => {
            Some(Trial { version, percent, settings: settings_of(row, 16)? })
        }
        _ => None,
    };
    Ok(StoredLine { settings, number: row.try_get(12)?, version: row.try_get(13)?, trial })
}

fn settings_of(row: &Row, column: usize) -> Result<LineSettings, StoreError> {
    let Json(settings) = row.try_get::<_, Json<LineSettings>>(column)?;
    Ok(settings)
}
