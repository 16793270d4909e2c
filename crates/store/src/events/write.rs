//! Writes one batch of events and their derived rows, in one transaction.
//!
//! RowWrite rows are few and wide, so they travel as JSON arrays. Events are many and narrow, so they travel as typed
//! arrays.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::{Pool, Transaction};
use futures_util::future::join_all;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::event_log::{self, Appended};
use super::rows::{Batch, Entry, Name, RowWrite, Stream};
use super::storable::storable;
use crate::error::StoreError;
use crate::leader::engine_lock;

// The row of a later event wins. A poorer report never overwrites a stored transcript or duration, and the status only
// rises. The provider's own transcript replaces one that precall made from the lines it heard.
const CALL_LOG: &str = "
    insert into call_log as c (id, call_id, threecx_call_id, caller_id, cloned_voice_id, call_started_at, call_ended_at,
        duration_seconds, transcript, status, metadata, account_id, pbx, line, called_number, route, state,
        cause, blame, told, voice_missing, timings, last_seq)
    select id, call_id, threecx_call_id, caller_id, cloned_voice_id, call_started_at, call_ended_at,
        duration_seconds, transcript, status, metadata, account_id, pbx, line, called_number, route, state,
        cause, blame, told, voice_missing, timings, last_seq
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

/// Writes a batch. Stored events stay unchanged, so the same batch may be written again after an unknown outcome.
/// Returns the highest position, if an event was new.
///
/// # Errors
/// The outcome is unknown. If the error is passing, write the same batch again. [`StoreError::Superseded`] when the
/// start with this `generation` is no longer the active one.
pub async fn write(pool: &Pool, batch: &Batch, generation: u64) -> Result<Option<i64>, StoreError> {
    let mut client = pool.get().await?;
    let transaction = client.transaction().await?;
    engine_lock::still_acts(&transaction, generation).await?;
    let position = write_in(&transaction, batch).await?;
    transaction.commit().await?;
    Ok(position)
}

/// Writes a batch of a start that is no longer active, as a part of the transaction that writes its whole spool. Logs
/// of calls and jobs that begin in this spool are written, and their owners added to `own`. All other entries go into
/// quarantine, because a later start may have continued their logs. Returns the number of quarantined entries.
///
/// # Errors
/// When the query fails. Roll the transaction back.
pub(crate) async fn write_late(
    transaction: &Transaction<'_>,
    batch: &Batch,
    own: &mut HashSet<Uuid>,
) -> Result<usize, StoreError> {
    const REASON: &str = "it was acknowledged by a start of precall that no longer acted";
    for stream in [Stream::Call, Stream::Voice] {
        let firsts = batch.entries.iter().filter(|entry| entry.stream == stream && entry.seq == 1);
        let firsts: Vec<Uuid> =
            firsts.map(|entry| entry.owner).filter(|owner| !own.contains(owner)).collect();
        let known = event_log::known(&**transaction, stream, &firsts).await?;
        own.extend(firsts.into_iter().filter(|owner| !known.contains(owner)));
    }
    let (ours, others): (Vec<&Entry>, Vec<&Entry>) =
        batch.entries.iter().partition(|entry| own.contains(&entry.owner));
    let ours = Batch { entries: ours.into_iter().cloned().collect(), rows: batch.rows.clone() };
    write_in(transaction, &ours).await?;
    for entry in &others {
        event_log::quarantine(&**transaction, entry, REASON).await?;
    }
    Ok(others.len())
}

pub(super) async fn write_in(
    transaction: &Transaction<'_>,
    batch: &Batch,
) -> Result<Option<i64>, StoreError> {
    let entries = &batch.entries;
    let mut appended: Vec<(Stream, Appended)> = Vec::with_capacity(entries.len());
    for stream in [Stream::Call, Stream::Voice] {
        let of_stream: Vec<&Entry> = entries.iter().filter(|e| e.stream == stream).collect();
        let new = event_log::append(transaction, stream, &of_stream).await?;
        appended.extend(new.into_iter().map(|a| (stream, a)));
    }
    let new: HashSet<_> = appended.iter().map(|(stream, a)| (*stream, a.owner, a.seq)).collect();
    let mut derived = DerivedRows::default();
    let of_new = entries.iter().filter(|e| new.contains(&(e.stream, e.owner, e.seq)));
    for row in of_new.flat_map(|entry| &entry.derived).chain(&batch.rows) {
        derived.add(row)?;
    }
    derived.write(transaction).await?;
    Ok(appended.iter().map(|(_, a)| a.position).max())
}

/// The rows of a batch by kind, in the order of writing.
#[derive(Default)]
struct DerivedRows {
    call_logs: HashMap<Uuid, Value>,
    conversations: HashMap<(Uuid, Name, i32), Value>,
    ready: Vec<Value>,
    failed: Vec<Value>,
    transfers: Vec<Value>,
    clones: Vec<Value>,
    filled: Vec<Value>,
    used: Vec<Value>,
    dropped: Vec<Value>,
    named: Vec<Value>,
    absorbed: Vec<Value>,
    matched: Vec<Value>,
    transcripts: Vec<Value>,
    early_ends: Vec<Value>,
    reports: Vec<Value>,
    webhooks: Vec<Value>,
}

impl DerivedRows {
    fn add(&mut self, derived: &RowWrite) -> Result<(), StoreError> {
        match derived {
            // The last row of a call or conversation in a batch contains all of the earlier ones.
            RowWrite::CallLog(row) => {
                let merged = merge_transcript(self.call_logs.remove(&row.id), json(row)?);
                self.call_logs.insert(row.id, merged);
            }
            RowWrite::Conversation(row) => {
                let key = (row.call, row.purpose.clone(), row.ordinal);
                let merged = merge_report(self.conversations.remove(&key), json(row)?);
                self.conversations.insert(key, merged);
            }
            RowWrite::CloneReady(row) => self.ready.push(json(row)?),
            RowWrite::CloneFailed(row) => self.failed.push(json(row)?),
            RowWrite::CloneTransfer(row) => self.transfers.push(json(row)?),
            RowWrite::CloneLog(row) => self.clones.push(json(row)?),
            RowWrite::CacheFilled(row) => self.filled.push(json(row)?),
            RowWrite::CacheUsed(row) => self.used.push(json(row)?),
            RowWrite::CacheDropped(row) => self.dropped.push(json(row)?),
            RowWrite::ConversationNamed(row) => self.named.push(json(row)?),
            RowWrite::EarlyEndAbsorbed(row) => self.absorbed.push(json(row)?),
            RowWrite::ReportMatched(row) => self.matched.push(json(row)?),
            RowWrite::TranscriptOfLines(row) => self.transcripts.push(json(row)?),
            RowWrite::EarlyEndKept(row) => self.early_ends.push(json(row)?),
            RowWrite::ReportKept(row) => self.reports.push(json(row)?),
            RowWrite::WebhookKept(row) => self.webhooks.push(json(row)?),
        }
        Ok(())
    }

    async fn write(self, transaction: &Transaction<'_>) -> Result<(), StoreError> {
        let batches = [
            // First the row that waits, then the row that ends the wait and deletes it.
            (EARLY_ENDS, self.early_ends),
            (UNMATCHED_REPORTS, self.reports),
            (WEBHOOKS, self.webhooks),
            (CALL_LOG, self.call_logs.into_values().collect()),
            (CONVERSATIONS, self.conversations.into_values().collect()),
            (CLONE_READY, self.ready),
            (CLONE_FAILED, self.failed),
            (CLONE_TRANSFER, self.transfers),
            (CLONE_LOG, self.clones),
            (CACHE_REPLACED, self.filled.clone()),
            (CACHE_FILLED, self.filled),
            (CACHE_USED, self.used),
            (CACHE_DROPPED, self.dropped),
            (NAMED_READY, self.named.clone()),
            (NAMED_FAILED, self.named.clone()),
            (NAMED_TRANSFER, self.named),
            (EARLY_ENDS_ABSORBED, self.absorbed),
            (REPORTS_MATCHED, self.matched),
            (TRANSCRIPTS_OF_LINES, self.transcripts),
        ];
        let mut writes = Vec::new();
        for (statement, rows) in batches {
            if !rows.is_empty() {
                writes.push((transaction.prepare_cached(statement).await?, Value::Array(rows)));
            }
        }
        // Pipelined, in this order: no statement needs another's answer, and a round trip costs more than most of them.
        // The first error is the cause of all later ones.
        let sent = writes
            .iter()
            .map(|(statement, rows)| async move { transaction.execute(statement, &[rows]).await });
        for written in join_all(sent).await {
            written?;
        }
        Ok(())
    }
}

/// Only the row of the report's event has the transcript. A later row of the same batch must not lose it.
fn merge_transcript(earlier: Option<Value>, mut later: Value) -> Value {
    keep(earlier.as_ref(), &mut later, &["transcript", "call_id"]);
    if let (Some(Value::Object(old)), Some(Value::Object(new))) =
        (earlier.as_ref().and_then(|e| e.get("metadata")), later.get_mut("metadata"))
    {
        for (key, value) in old {
            new.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    later
}

fn merge_report(earlier: Option<Value>, mut later: Value) -> Value {
    keep(earlier.as_ref(), &mut later, &["report", "reported_at", "provider_id"]);
    let old = earlier.as_ref().and_then(|earlier| earlier.get("report")).and_then(Value::as_object);
    if let (Some(old), Some(Value::Object(new))) = (old, later.get_mut("report")) {
        for (key, value) in old {
            if new.get(key).is_none_or(Value::is_null) {
                new.insert(key.clone(), value.clone());
            }
        }
    }
    later
}

fn keep(earlier: Option<&Value>, later: &mut Value, fields: &[&str]) {
    for &field in fields {
        let old = earlier.and_then(|e| e.get(field)).filter(|value| !value.is_null());
        if let (Some(old), Some(new @ Value::Null)) = (old, later.get_mut(field)) {
            *new = old.clone();
        }
    }
}

pub(super) fn json(row: &impl Serialize) -> Result<Value, StoreError> {
    let value = serde_json::to_value(row).map_err(|error| StoreError::Refused(error.to_string()))?;
    Ok(storable(&value).into_owned())
}
