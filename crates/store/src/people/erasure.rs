//! Erases the personal data of a caller from every table. The scope of an erasure is a list of ids, so that it can be
//! repeated on a restored database. Guards in the tables refuse personal data that arrive later.

use precall_call::At;
use serde::{Deserialize, Serialize};
use tokio_postgres::types::ToSql;
use tokio_postgres::{GenericClient, Transaction};
use uuid::Uuid;

use super::audit;
use super::consents::{self, EndedWhy};
use crate::error::StoreError;
use crate::events::event_log::timestamp;

// The index of `call_log` by caller begins with the account: each account is one step in it.
const ACCOUNTS: &str = "
    with recursive used as (
        select min(account_id) as account from call_log
        union all
        select (select min(account_id) from call_log where account_id > used.account) from used
        where used.account is not null)
    select account from used where account is not null
    union select account_id from caller_voice_mapping
    union select account_id from voice_clone_log
    union select account_id from voice_clone_cache";

const IS_LIVE: &str = "
    select exists (select from call_log
        where account_id = $1 and caller_id = $2 and state <> 'released' and last_seq > 0)";

const CALLS: &str =
    "select coalesce(array_agg(id), '{}') from call_log where account_id = $1 and caller_id = $2";

const JOBS: &str = "
    select coalesce(array_agg(job), '{}') from (
        select job from voice_events where event ->> 'kind' = 'clone_requested'
            and pii ->> 'caller_id' = $2 and coalesce(pii ->> 'account_id', 'default') = $1
        union select job from voice_clone_log where account_id = $1 and caller_id = $2 and job is not null
        union select job from voice_clone_cache where account_id = $1 and caller_id = $2 and job is not null) j";

const MAPPINGS: &str =
    "select coalesce(array_agg(id), '{}') from caller_voice_mapping where account_id = $1 and caller_id = $2";

// A speaker whose voice another caller also has is not erased.
const SPEAKERS: &str = "
    select coalesce(array_agg(distinct m.speaker), '{}') from caller_voice_mapping m
    where m.id = any($1) and m.speaker is not null and not exists (
        select from caller_voice_mapping o
        where o.speaker = m.speaker and o.id <> all($1) and o.deleted_at is null)";

const CONVERSATIONS: &str = "
    select coalesce(array_agg(provider_id), '{}') from conversations where call = any($1) and provider_id is not null";

const PBX_IDS: &str = "
    select coalesce(array_agg(distinct threecx_call_id), '{}') from call_log
    where id = any($1) and threecx_call_id is not null and call_started_at > $2::timestamptz - interval '1 day'";

// Rows of the service that precall replaced belong to no call and no job.
const LOOSE: [&str; 4] = [LOOSE_CLONES, LOOSE_CACHED, LOOSE_READY, LOOSE_FAILED];
const LOOSE_CLONES: &str = "
    select coalesce(array_agg(id), '{}') from voice_clone_log where account_id = $1 and caller_id = $2 and job is null";
const LOOSE_CACHED: &str = "
    select coalesce(array_agg(id), '{}') from voice_clone_cache where account_id = $1 and caller_id = $2
        and job is null";
const LOOSE_READY: &str = "
    select coalesce(array_agg(id), '{}') from clone_ready_events where account_id = $1 and caller_id = $2
        and call is null";
const LOOSE_FAILED: &str = "
    select coalesce(array_agg(id), '{}') from clone_failed_events where account_id = $1 and caller_id = $2
        and call is null";

// The samples of now and of earlier clones, without samples that another caller is mapped to.
const SAMPLES: &str = "
    with mine as (
        select voice_sample_url as sample from caller_voice_mapping where id = any($1)
        union select pii ->> 'sample' from voice_events where job = any($2) and pii ->> 'sample' is not null)
    select sample, exists (select from caller_voice_mapping o
        where o.voice_sample_url = sample and o.id <> all($1) and o.deleted_at is null)
    from mine";

const REMEMBER: &str =
    "insert into erased (id) select unnest($1::uuid[] || $2::uuid[]) on conflict do nothing";
const REMEMBER_NAMES: &str = "
    insert into erased_names (kind, name) select 'conversation', unnest($1::text[])
    union select 'pbx', unnest($2::text[]) on conflict (kind, name) do update set at = now()";

const CALL_EVENTS: &str = "update call_events set pii = null where call = any($1) and pii is not null";
const VOICE_EVENTS: &str = "update voice_events set pii = null where job = any($1) and pii is not null";
const CALL_LOG: &str = "
    update call_log set caller_id = 'erased', transcript = null, updated_at = now(),
        -- What the service before wrote there may be anything.
        metadata = case when last_seq > 0 then metadata - 'recording_url' - 'pbx_state' end
    where id = any($1)";
const REPORTS: &str = "update conversations set report = null where call = any($1)";
const READY: &str = "update clone_ready_events set caller_id = 'erased' where call = any($1) or id = any($2)";
const FAILED: &str =
    "update clone_failed_events set caller_id = 'erased' where call = any($1) or id = any($2)";
const CLONE_LOG: &str = "update voice_clone_log set caller_id = 'erased' where job = any($1) or id = any($2)";
const CACHE: &str = "
    update voice_clone_cache set caller_id = 'erased', deleted_at = coalesce(deleted_at, now())
    where job = any($1) or id = any($2)";
const UNMAP: &str = "delete from caller_voice_mapping where id = any($1)";
const SPEAKER: &str = "update speakers set name = null, erased_at = now() where id = $1";

// Searches stored webhook bodies for the digits of the number. A short number would match everywhere.
const WEBHOOKS: &str = "
    update webhooks set body = null, reason = null
    where (body is not null or reason is not null) and (kind not like '3cx%' and provider_id = any($1)
        or kind like '3cx%' and provider_id = any($2) and received_at > $4::timestamptz - interval '1 day'
        or $3::text is not null and position(convert_to($3, 'UTF8') in coalesce(body, '')) > 0)";
const UNMATCHED: &str = "
    delete from unmatched_reports
    where conversation_id = any($1) or $2::text is not null and position($2 in body::text) > 0";
const QUARANTINED: &str = "
    delete from quarantined_events
    where owner = any($1) or owner = any($2)
        or $3::text is not null and position($3 in content || coalesce(entry, '')) > 0";

const TO_DELETE: &str = "
    insert into deletions (kind, target, why, erasure) select $1, unnest($2::text[]), 'erased', $3";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    ACCOUNTS,
    IS_LIVE,
    CALLS,
    JOBS,
    MAPPINGS,
    SPEAKERS,
    CONVERSATIONS,
    PBX_IDS,
    LOOSE_CLONES,
    LOOSE_CACHED,
    LOOSE_READY,
    LOOSE_FAILED,
    SAMPLES,
    REMEMBER,
    REMEMBER_NAMES,
    CALL_EVENTS,
    VOICE_EVENTS,
    CALL_LOG,
    REPORTS,
    READY,
    FAILED,
    CLONE_LOG,
    CACHE,
    UNMAP,
    SPEAKER,
    WEBHOOKS,
    UNMATCHED,
    QUARANTINED,
    TO_DELETE,
];

/// precall does not search for a number with fewer digits.
const DIGITS_MIN: usize = 7;

/// The scope of an erasure, without personal data: a line of the erasure ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The account.
    pub account: String,
    /// Calls.
    pub calls: Vec<Uuid>,
    /// Clone jobs.
    pub jobs: Vec<Uuid>,
    /// Rows of `caller_voice_mapping`.
    pub mappings: Vec<Uuid>,
    /// Speakers whose voice no other caller has.
    pub speakers: Vec<Uuid>,
    /// Conversations at the provider.
    pub conversations: Vec<String>,
    /// PBX ids of the calls of the last day.
    pub pbx: Vec<String>,
    /// Rows without a call or job: of `voice_clone_log`, `voice_clone_cache`, `clone_ready_events`,
    /// `clone_failed_events`.
    pub loose: [Vec<Uuid>; 4],
}

impl Scope {
    /// Whether there are no data of this caller.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
            && self.jobs.is_empty()
            && self.mappings.is_empty()
            && self.loose.iter().all(Vec::is_empty)
    }
}

/// What an erasure changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Events that lost their personal data.
    pub events: u64,
    /// Webhooks that lost their bodies.
    pub webhooks: u64,
    /// Samples whose deletion is scheduled.
    pub samples: usize,
    /// Samples that stay because another caller is mapped to them.
    pub samples_shared: usize,
}

impl Erased {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            events: self.events.saturating_add(other.events),
            webhooks: self.webhooks.saturating_add(other.webhooks),
            samples: self.samples.saturating_add(other.samples),
            samples_shared: self.samples_shared.saturating_add(other.samples_shared),
        }
    }
}

/// The accounts that have calls, callers or voices.
///
/// # Errors
/// When the query fails.
pub async fn accounts(client: &impl GenericClient) -> Result<Vec<String>, StoreError> {
    let rows = client.query(ACCOUNTS, &[]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Whether this caller is in a live call.
///
/// # Errors
/// When the query fails.
pub async fn is_live(transaction: &Transaction<'_>, account: &str, caller: &str) -> Result<bool, StoreError> {
    Ok(transaction.query_one(IS_LIVE, &[&account, &caller]).await?.try_get(0)?)
}

/// Collects the scope of an erasure: all that the database holds of a caller.
///
/// # Errors
/// When the query fails.
pub async fn scope(
    transaction: &Transaction<'_>,
    account: &str,
    caller: &str,
    now: At,
) -> Result<Scope, StoreError> {
    let of_caller: [&(dyn ToSql + Sync); 2] = [&account, &caller];
    let calls: Vec<Uuid> = transaction.query_one(CALLS, &of_caller).await?.try_get(0)?;
    let mappings: Vec<Uuid> = transaction.query_one(MAPPINGS, &of_caller).await?.try_get(0)?;
    let mut loose: [Vec<Uuid>; 4] = Default::default();
    for (ids, statement) in loose.iter_mut().zip(LOOSE) {
        *ids = transaction.query_one(statement, &of_caller).await?.try_get(0)?;
    }
    Ok(Scope {
        account: account.to_owned(),
        jobs: transaction.query_one(JOBS, &of_caller).await?.try_get(0)?,
        speakers: transaction.query_one(SPEAKERS, &[&mappings]).await?.try_get(0)?,
        conversations: transaction.query_one(CONVERSATIONS, &[&calls]).await?.try_get(0)?,
        pbx: transaction.query_one(PBX_IDS, &[&calls, &timestamp(now)]).await?.try_get(0)?,
        calls,
        mappings,
        loose,
    })
}

/// Erases the scope, in this transaction. `caller` is none when an erasure is repeated after a restore.
///
/// # Errors
/// When the query fails.
pub async fn erase(
    transaction: &Transaction<'_>,
    scope: &Scope,
    caller: Option<&str>,
    erasure: Uuid,
    by: &str,
    now: At,
) -> Result<Erased, StoreError> {
    let Scope { calls, jobs, mappings, speakers, conversations, pbx, loose, account } = scope;
    let [loose_log, loose_cache, loose_ready, loose_failed] = loose;
    let digits = caller.and_then(digits_of);
    let mut erased = Erased::default();
    transaction.execute(REMEMBER, &[calls, jobs]).await?;
    transaction.execute(REMEMBER_NAMES, &[conversations, pbx]).await?;
    let mut samples = Vec::new();
    for row in transaction.query(SAMPLES, &[mappings, jobs]).await? {
        let (sample, is_shared): (String, bool) = (row.try_get(0)?, row.try_get(1)?);
        if is_shared {
            erased.samples_shared = erased.samples_shared.saturating_add(1);
        } else {
            samples.push(sample);
        }
    }
    erased.samples = samples.len();
    erased.events = transaction.execute(CALL_EVENTS, &[calls]).await?;
    let of_jobs = transaction.execute(VOICE_EVENTS, &[jobs]).await?;
    erased.events = erased.events.saturating_add(of_jobs);
    for (statement, ids) in [(CALL_LOG, calls), (REPORTS, calls), (UNMAP, mappings)] {
        transaction.execute(statement, &[ids]).await?;
    }
    for (statement, linked, others) in [
        (READY, calls, loose_ready),
        (FAILED, calls, loose_failed),
        (CLONE_LOG, jobs, loose_log),
        (CACHE, jobs, loose_cache),
    ] {
        transaction.execute(statement, &[linked, others]).await?;
    }
    let when = timestamp(now);
    erased.webhooks = transaction.execute(WEBHOOKS, &[conversations, pbx, &digits, &when]).await?;
    transaction.execute(UNMATCHED, &[conversations, &digits]).await?;
    transaction.execute(QUARANTINED, &[calls, jobs, &digits]).await?;
    for speaker in speakers {
        consents::end(transaction, account, *speaker, EndedWhy::Erased, by, now).await?;
        consents::erase_personal(transaction, account, *speaker).await?;
        transaction.execute(SPEAKER, &[speaker]).await?;
    }
    for (kind, targets) in
        [("sample", &samples), ("conversation", conversations), ("recording", conversations)]
    {
        transaction.execute(TO_DELETE, &[&kind, targets, &erasure]).await?;
    }
    let detail = serde_json::json!({ "calls": calls.len(), "jobs": jobs.len(), "mappings": mappings.len() });
    audit::record(transaction, by, "caller_erased", Some(erasure), Some(detail), now).await?;
    Ok(erased)
}

/// The digits that every spelling of a public number contains: without `+` and country code, which a zero may replace.
fn digits_of(caller: &str) -> Option<String> {
    let digits = caller.strip_prefix('+')?;
    // A country code has at most three digits.
    let tail = digits.get(3..).filter(|tail| tail.len() >= DIGITS_MIN)?;
    tail.bytes().all(|digit| digit.is_ascii_digit()).then(|| tail.to_owned())
}

#[cfg(test)]
mod tests;
