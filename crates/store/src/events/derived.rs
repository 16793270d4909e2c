//! Rows that derive from events, written in the transaction of their events. They are few and wide, so they travel as
//! JSON arrays.

use std::collections::HashMap;

use deadpool_postgres::{GenericClient, Transaction};
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio_postgres::Statement;
use uuid::Uuid;

use super::raw::{Json, RawBatch, RawEntry, RawRow, RowKind, storable_text};
use crate::error::StoreError;

// The row of a later event wins. A poorer report never overwrites a stored transcript or duration, and the status only
// rises. The provider's own transcript replaces one that precall made from the lines it heard.
const CALL_LOG: &str = "
    insert into call_log as c (id, call_id, threecx_call_id, caller_id, cloned_voice_id, call_started_at, call_ended_at,
        duration_seconds, transcript, status, metadata, account_id, pbx, line, called_number, route, state,
        cause, blame, told, voice_missing, timings, last_seq, canary)
    select id, call_id, threecx_call_id, caller_id, cloned_voice_id, call_started_at, call_ended_at,
        duration_seconds, transcript, status, metadata, account_id, pbx, line, called_number, route, state,
        cause, blame, told, voice_missing, timings, last_seq, coalesce(canary, false)
    from jsonb_populate_recordset(null::call_log, $1)
    on conflict (id) do update set
        call_id = coalesce(excluded.call_id, c.call_id),
        cloned_voice_id = excluded.cloned_voice_id,
        call_ended_at = excluded.call_ended_at,
        duration_seconds = coalesce(excluded.duration_seconds, c.duration_seconds),
        transcript = case when c.metadata ->> 'transcript_source' = 'lines'
            then coalesce(excluded.transcript, c.transcript) else coalesce(c.transcript, excluded.transcript) end,
        status = case when c.status = 'completed' then c.status else excluded.status end,
        metadata = coalesce(c.metadata, '{}') || coalesce(excluded.metadata, '{}'),
        state = excluded.state, cause = excluded.cause, blame = excluded.blame, told = excluded.told,
        voice_missing = excluded.voice_missing, timings = excluded.timings, last_seq = excluded.last_seq,
        updated_at = now()
    where c.last_seq < excluded.last_seq";

// A later report may lack the cost or the analysis that an earlier one had. Budgets need the cost.
const CONVERSATIONS: &str = "
    insert into conversations as c (call, purpose, ordinal, provider_id, dial, outcome, duration_seconds, report,
        started_at, reported_at)
    select call, purpose, ordinal, provider_id, dial, outcome, duration_seconds, report, started_at, reported_at
    from jsonb_populate_recordset(null::conversations, $1)
    on conflict on constraint conversations_key do update set
        provider_id = coalesce(excluded.provider_id, c.provider_id), dial = excluded.dial, outcome = excluded.outcome,
        duration_seconds = coalesce(c.duration_seconds, excluded.duration_seconds),
        report = case when c.report is null or excluded.report is null then coalesce(excluded.report, c.report)
            else c.report || (select coalesce(jsonb_object_agg(key, value), '{}') from jsonb_each(excluded.report)
                where value <> 'null') end,
        reported_at = coalesce(c.reported_at, excluded.reported_at)";

const CLONE_READY: &str = "
    insert into clone_ready_events (caller_id, greeting_call_id, cloned_voice_id, clone_duration_ms, ready_at,
        account_id, call, source)
    select caller_id, greeting_call_id, cloned_voice_id, clone_duration_ms, ready_at, account_id, call, source
    from jsonb_populate_recordset(null::clone_ready_events, $1)";

const CLONE_FAILED: &str = "
    insert into clone_failed_events (caller_id, greeting_call_id, error_message, failed_at, account_id, call, reason)
    select caller_id, greeting_call_id, error_message, failed_at, account_id, call, reason
    from jsonb_populate_recordset(null::clone_failed_events, $1)";

const CLONE_TRANSFER: &str = "
    insert into clone_transfer_events (greeting_call_id, agent_call_id, cloned_voice_id, transferred_at, account_id,
        call)
    select greeting_call_id, agent_call_id, cloned_voice_id, transferred_at, account_id, call
    from jsonb_populate_recordset(null::clone_transfer_events, $1)";

const CLONE_LOG: &str = "
    insert into voice_clone_log (caller_id, cloned_voice_id, clone_created_at, api_response_time_ms,
        sample_file_size_bytes, status, error_message, account_id, job, reason)
    select caller_id, cloned_voice_id, clone_created_at, api_response_time_ms, sample_file_size_bytes, status,
        error_message, account_id, job, reason
    from jsonb_populate_recordset(null::voice_clone_log, $1)";

// Retires the older clone first: the unique index allows one live row per caller.
const CACHE_REPLACED: &str = "
    update voice_clone_cache c set deleted_at = n.clone_created_at
    from jsonb_populate_recordset(null::voice_clone_cache, $1) n
    where c.account_id = n.account_id and c.caller_id = n.caller_id and c.deleted_at is null";

// A new clone starts at 0 uses. The first call that uses it makes it 1.
const CACHE_FILLED: &str = "
    insert into voice_clone_cache (caller_id, cloned_voice_id, clone_created_at, ttl_expires_at, last_used_at,
        reuse_count, account_id, sample_sha256, sample_mark, job)
    select caller_id, cloned_voice_id, clone_created_at, ttl_expires_at, clone_created_at, 0, account_id,
        sample_sha256, sample_mark, job
    from jsonb_populate_recordset(null::voice_clone_cache, $1)";

const CACHE_USED: &str = "
    update voice_clone_cache c set reuse_count = c.reuse_count + n.uses, last_used_at = greatest(c.last_used_at, n.at)
    from (select account_id, caller_id, cloned_voice_id, count(*)::integer as uses, max(at) as at
          from jsonb_to_recordset($1) as u (account_id text, caller_id text, cloned_voice_id text, at timestamptz)
          group by 1, 2, 3) n
    where c.account_id = n.account_id and c.caller_id = n.caller_id and c.cloned_voice_id = n.cloned_voice_id
        and c.deleted_at is null";

const CACHE_DROPPED: &str = "
    update voice_clone_cache c set deleted_at = n.at
    from jsonb_to_recordset($1) as n (account_id text, caller_id text, cloned_voice_id text, at timestamptz)
    where c.account_id = n.account_id and c.caller_id = n.caller_id and c.cloned_voice_id = n.cloned_voice_id
        and c.deleted_at is null";

// A cached voice is ready before the greeting has its conversation id. The row gets the id afterwards.
const NAMED_READY: &str = "
    update clone_ready_events r set greeting_call_id = n.conversation_id
    from jsonb_to_recordset($1) as n (call uuid, purpose text, conversation_id text)
    where r.call = n.call and n.purpose = 'greeting' and r.greeting_call_id = r.call::text";

const NAMED_FAILED: &str = "
    update clone_failed_events r set greeting_call_id = n.conversation_id
    from jsonb_to_recordset($1) as n (call uuid, purpose text, conversation_id text)
    where r.call = n.call and n.purpose = 'greeting' and r.greeting_call_id = r.call::text";

const NAMED_TRANSFER: &str = "
    update clone_transfer_events r set
        greeting_call_id = case n.purpose when 'greeting' then n.conversation_id else r.greeting_call_id end,
        agent_call_id = case n.purpose when 'agent' then n.conversation_id else r.agent_call_id end
    from jsonb_to_recordset($1) as n (call uuid, purpose text, conversation_id text)
    where r.call = n.call and r.call::text
        = case n.purpose when 'greeting' then r.greeting_call_id else r.agent_call_id end";

const EARLY_ENDS_ABSORBED: &str = "
    delete from early_ends e using jsonb_to_recordset($1) as n (pbx text, threecx_call_id text)
    where e.pbx = n.pbx and e.threecx_call_id = n.threecx_call_id";

const REPORTS_MATCHED: &str = "
    delete from unmatched_reports u using jsonb_to_recordset($1) as n (conversation_id text)
    where u.conversation_id = n.conversation_id";

const EARLY_ENDS: &str = "
    insert into early_ends (pbx, threecx_call_id, ended_at)
    select pbx, threecx_call_id, ended_at from jsonb_populate_recordset(null::early_ends, $1)
    on conflict on constraint early_ends_key do nothing";

const UNMATCHED_REPORTS: &str = "
    insert into unmatched_reports (conversation_id, kind, event_timestamp, body)
    select conversation_id, kind, event_timestamp, body from jsonb_populate_recordset(null::unmatched_reports, $1)
    on conflict on constraint unmatched_reports_key do nothing";

// The first one counts: a repeated webhook has the same content.
const WEBHOOKS: &str = "
    insert into webhooks
        (id, kind, provider_id, event_timestamp, body_sha256, received_at, state, outcome, reason, body)
    select id, kind, provider_id, event_timestamp, decode(body_sha256, 'hex'), received_at, state, outcome, reason,
        case body ->> 'form' when 'hex' then decode(body ->> 'text', 'hex')
            else convert_to(body ->> 'text', 'UTF8') end
    from jsonb_to_recordset($1) as n (id uuid, kind text, provider_id text, event_timestamp timestamptz,
        body_sha256 text, received_at timestamptz, state text, outcome text, reason text, body jsonb)
    on conflict on constraint webhooks_key do nothing";

// The transcript of what precall heard, in case the provider's report never comes. A correction takes the place of its
// line.
const TRANSCRIPTS_OF_LINES: &str = "
    update call_log c set transcript = t.words,
        metadata = coalesce(c.metadata, '{}') || '{\"transcript_source\": \"lines\"}'
    from (
        select n.id, string_agg(case e.event ->> 'by' when 'agent' then 'agent' else 'user' end || ': '
                || (e.pii ->> 'text'), E'\\n'
            order by coalesce((e.event ->> 'corrects')::bigint, (e.event ->> 'number')::bigint)) as words
        from jsonb_to_recordset($1) as n (id uuid)
        join call_events e on e.call = n.id and e.event ->> 'kind' = 'line_spoken'
        where e.pii ->> 'text' <> '' and not exists (
            select from call_events later where later.call = e.call and later.event ->> 'kind' = 'line_spoken'
                and later.event ->> 'corrects' = e.event ->> 'number')
        group by n.id) t
    where c.id = t.id and c.transcript is null";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    CALL_LOG,
    CONVERSATIONS,
    CLONE_READY,
    CLONE_FAILED,
    CLONE_TRANSFER,
    CLONE_LOG,
    CACHE_REPLACED,
    CACHE_FILLED,
    CACHE_USED,
    CACHE_DROPPED,
    NAMED_READY,
    NAMED_FAILED,
    NAMED_TRANSFER,
    EARLY_ENDS_ABSORBED,
    REPORTS_MATCHED,
    TRANSCRIPTS_OF_LINES,
    EARLY_ENDS,
    UNMATCHED_REPORTS,
    WEBHOOKS,
];

/// The rows that derive from the new entries of a batch, and those that belong to no event, with their statements.
pub(crate) fn rows_of(
    batch: &RawBatch,
    is_new: impl Fn(&RawEntry) -> bool,
) -> Result<Vec<(&'static str, Json<'static>)>, StoreError> {
    let of_new = batch.entries.iter().filter(|entry| is_new(entry));
    let mut derived = DerivedRows::default();
    for row in of_new.flat_map(|entry| &entry.derived).chain(&batch.rows) {
        derived.add(row)?;
    }
    derived.writes()
}

/// The rows of a batch by kind, in the order of writing.
#[derive(Default)]
struct DerivedRows<'a> {
    call_logs: HashMap<Uuid, Latest<'a, CallLogKept<'a>>>,
    conversations: HashMap<(Uuid, String, i32), Latest<'a, ConversationKept<'a>>>,
    others: HashMap<RowKind, Array>,
}

/// The last row of a call or conversation in a batch contains all of the earlier ones, but for some fields.
enum Latest<'a, K> {
    /// It is whole as it stands.
    Whole(&'a RawValue, K),
    /// It has fields of earlier rows.
    Merged(Value),
}

/// What a later row of `call_log` may lack.
#[derive(Deserialize)]
struct CallLogKept<'a> {
    id: Uuid,
    #[serde(borrow)]
    transcript: Option<&'a RawValue>,
    #[serde(borrow)]
    call_id: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

/// What a later row of `conversations` may lack.
#[derive(Deserialize)]
struct ConversationKept<'a> {
    call: Uuid,
    purpose: String,
    ordinal: i32,
    #[serde(borrow)]
    report: Option<&'a RawValue>,
    #[serde(borrow)]
    reported_at: Option<&'a RawValue>,
    #[serde(borrow)]
    provider_id: Option<&'a RawValue>,
}

/// Whether `later` lacks a field of `earlier`.
fn lacks(earlier: Option<&RawValue>, later: Option<&RawValue>) -> bool {
    earlier.is_some() && later.is_none()
}

/// Whether `later` may lack a key of `earlier`.
fn may_lack_keys(earlier: Option<&RawValue>, later: Option<&RawValue>) -> bool {
    earlier.is_some_and(|earlier| {
        earlier.get() != "{}" && later.is_none_or(|later| later.get() != earlier.get())
    })
}

impl<'a> DerivedRows<'a> {
    fn add(&mut self, row: &'a RawRow) -> Result<(), StoreError> {
        match row.kind {
            RowKind::CallLog => {
                let kept: CallLogKept<'a> = read(&row.json)?;
                let id = kept.id;
                let lacking = |old: &CallLogKept<'_>, new: &CallLogKept<'_>| {
                    lacks(old.transcript, new.transcript)
                        || lacks(old.call_id, new.call_id)
                        || may_lack_keys(old.metadata, new.metadata)
                };
                let latest =
                    Latest::after(self.call_logs.remove(&id), &row.json, kept, lacking, fill_call_log)?;
                self.call_logs.insert(id, latest);
            }
            RowKind::Conversation => {
                let kept: ConversationKept<'a> = read(&row.json)?;
                let key = (kept.call, kept.purpose.clone(), kept.ordinal);
                let lacking = |old: &ConversationKept<'_>, new: &ConversationKept<'_>| {
                    lacks(old.reported_at, new.reported_at)
                        || lacks(old.provider_id, new.provider_id)
                        || may_lack_keys(old.report, new.report)
                };
                let latest = Latest::after(
                    self.conversations.remove(&key),
                    &row.json,
                    kept,
                    lacking,
                    fill_conversation,
                )?;
                self.conversations.insert(key, latest);
            }
            kind => self.others.entry(kind).or_default().push(&storable_text(&row.json)?),
        }
        Ok(())
    }

    /// The statements and their rows.
    fn writes(mut self) -> Result<Vec<(&'static str, Json<'static>)>, StoreError> {
        let mut array = |kind| self.others.remove(&kind).unwrap_or_default();
        let (filled, named) = (array(RowKind::CacheFilled), array(RowKind::ConversationNamed));
        let arrays = [
            // First the row that waits, then the row that ends the wait and deletes it.
            (EARLY_ENDS, array(RowKind::EarlyEndKept)),
            (UNMATCHED_REPORTS, array(RowKind::ReportKept)),
            (WEBHOOKS, array(RowKind::WebhookKept)),
            (CALL_LOG, Latest::array(self.call_logs.into_values())?),
            (CONVERSATIONS, Latest::array(self.conversations.into_values())?),
            (CLONE_READY, array(RowKind::CloneReady)),
            (CLONE_FAILED, array(RowKind::CloneFailed)),
            (CLONE_TRANSFER, array(RowKind::CloneTransfer)),
            (CLONE_LOG, array(RowKind::CloneLog)),
            (CACHE_REPLACED, filled.clone()),
            (CACHE_FILLED, filled),
            (CACHE_USED, array(RowKind::CacheUsed)),
            (CACHE_DROPPED, array(RowKind::CacheDropped)),
            (NAMED_READY, named.clone()),
            (NAMED_FAILED, named.clone()),
            (NAMED_TRANSFER, named),
            (EARLY_ENDS_ABSORBED, array(RowKind::EarlyEndAbsorbed)),
            (REPORTS_MATCHED, array(RowKind::ReportMatched)),
            (TRANSCRIPTS_OF_LINES, array(RowKind::TranscriptOfLines)),
        ];
        Ok(arrays.into_iter().filter_map(|(statement, rows)| Some((statement, rows.into_json()?))).collect())
    }
}

/// Statements that are prepared, with their rows.
pub(super) type Prepared = Vec<(Statement, Json<'static>)>;

/// Prepares the statements.
pub(super) async fn prepare(
    client: &impl GenericClient,
    writes: Vec<(&'static str, Json<'static>)>,
) -> Result<Prepared, StoreError> {
    let mut prepared = Vec::with_capacity(writes.len());
    for (statement, rows) in writes {
        prepared.push((client.prepare_cached(statement).await?, rows));
    }
    Ok(prepared)
}

/// Executes the statements. Pipelined, in this order, and sent when this is first polled: no statement needs another's
/// answer, and a round trip costs more than most of them.
pub(super) async fn execute(client: &impl GenericClient, prepared: &Prepared) -> Result<(), StoreError> {
    let sent =
        prepared.iter().map(|(statement, rows)| async move { client.execute(statement, &[rows]).await });
    // The first error is the cause of all later ones.
    for written in join_all(sent).await {
        written?;
    }
    Ok(())
}

/// Writes the rows.
pub(crate) async fn write_rows(
    transaction: &Transaction<'_>,
    writes: Vec<(&'static str, Json<'static>)>,
) -> Result<(), StoreError> {
    execute(transaction, &prepare(transaction, writes).await?).await
}

fn read<'a, T: Deserialize<'a>>(json: &'a RawValue) -> Result<T, StoreError> {
    serde_json::from_str(json.get()).map_err(|error| StoreError::refused(&error))
}

impl<'a, K> Latest<'a, K> {
    fn after(
        earlier: Option<Self>,
        json: &'a RawValue,
        kept: K,
        lacking: impl Fn(&K, &K) -> bool,
        fill: impl Fn(&Value, &mut Value) -> bool,
    ) -> Result<Self, StoreError> {
        let earlier: Value = match earlier {
            Some(Self::Merged(earlier)) => earlier,
            Some(Self::Whole(earlier, old)) if lacking(&old, &kept) => read(earlier)?,
            Some(Self::Whole(..)) | None => return Ok(Self::Whole(json, kept)),
        };
        let mut later: Value = read(json)?;
        Ok(if fill(&earlier, &mut later) { Self::Merged(later) } else { Self::Whole(json, kept) })
    }

    fn array(rows: impl Iterator<Item = Self>) -> Result<Array, StoreError> {
        let mut array = Array::default();
        for row in rows {
            match row {
                Self::Whole(json, _) => array.push(&storable_text(json)?),
                Self::Merged(value) => array.push(&super::storable::storable(&value).to_string()),
            }
        }
        Ok(array)
    }
}

/// Text of a JSON array that grows.
#[derive(Clone, Default)]
struct Array(String);

impl Array {
    fn push(&mut self, row: &str) {
        self.0.push(if self.0.is_empty() { '[' } else { ',' });
        self.0.push_str(row);
    }

    /// `None` without a row.
    fn into_json(mut self) -> Option<Json<'static>> {
        if self.0.is_empty() {
            return None;
        }
        self.0.push(']');
        Some(Json(self.0.into()))
    }
}

/// Only the row of the report's event has the transcript. A later row of the same batch must not lose it. Returns
/// whether it would have lost something.
fn fill_call_log(earlier: &Value, later: &mut Value) -> bool {
    let is_filled = fill(earlier, later, &["transcript", "call_id"]);
    let metadata = (earlier.get("metadata"), later.get_mut("metadata"));
    fill_keys(metadata, |new| new.is_none()) || is_filled
}

fn fill_conversation(earlier: &Value, later: &mut Value) -> bool {
    let is_filled = fill(earlier, later, &["report", "reported_at", "provider_id"]);
    let report = (earlier.get("report"), later.get_mut("report"));
    fill_keys(report, |new| new.is_none_or(Value::is_null)) || is_filled
}

fn fill(earlier: &Value, later: &mut Value, fields: &[&str]) -> bool {
    let mut is_filled = false;
    for &field in fields {
        let old = earlier.get(field).filter(|value| !value.is_null());
        if let (Some(old), Some(new @ Value::Null)) = (old, later.get_mut(field)) {
            *new = old.clone();
            is_filled = true;
        }
    }
    is_filled
}

/// Copies the keys of an earlier object that the later one lacks.
fn fill_keys(objects: (Option<&Value>, Option<&mut Value>), lacks: impl Fn(Option<&Value>) -> bool) -> bool {
    let (Some(Value::Object(old)), Some(Value::Object(new))) = objects else { return false };
    let mut is_filled = false;
    for (key, value) in old {
        if lacks(new.get(key)) {
            new.insert(key.clone(), value.clone());
            is_filled = true;
        }
    }
    is_filled
}

#[cfg(test)]
mod tests;
