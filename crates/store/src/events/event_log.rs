//! The two event logs: appending events, and reading the log of a call.

use std::collections::HashSet;

use deadpool_postgres::Transaction;
use precall_call::{At, CallId, Event};
use serde_json::Value;
use tokio_postgres::GenericClient;
use uuid::Uuid;

use super::event_json;
use super::rows::{Entry, Stream};
use super::storable::storable;
use crate::error::StoreError;

const APPEND_CALLS: &str = "
    insert into call_events (call, seq, at, event, pii)
    select * from unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::jsonb[], $5::jsonb[])
    on conflict on constraint call_events_key do nothing
    returning call, seq, position";

const APPEND_VOICES: &str = "
    insert into voice_events (job, seq, at, event, pii)
    select * from unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::jsonb[], $5::jsonb[])
    on conflict on constraint voice_events_key do nothing
    returning job, seq, position";

// An event with a known key but other content is not the same event.
const QUARANTINE_CALLS: &str = "
    insert into quarantined_events (stream, owner, seq, content, reason)
    select 'call', n.call, n.seq, n.event::text, 'another event stands under its key'
    from unnest($1::uuid[], $2::bigint[], $3::jsonb[]) as n (call, seq, event)
    join call_events e on e.call = n.call and e.seq = n.seq and e.event <> n.event";

const QUARANTINE_VOICES: &str = "
    insert into quarantined_events (stream, owner, seq, content, reason)
    select 'voice', n.job, n.seq, n.event::text, 'another event stands under its key'
    from unnest($1::uuid[], $2::bigint[], $3::jsonb[]) as n (job, seq, event)
    join voice_events e on e.job = n.job and e.seq = n.seq and e.event <> n.event";

// precall may write it twice, if the outcome of the first write is unknown.
const QUARANTINE_ONE: &str = "
    insert into quarantined_events (stream, owner, seq, content, reason)
    select $1, $2, $3, $4, $5 where not exists (
        select from quarantined_events q where q.stream = $1 and q.owner = $2 and q.seq = $3 and q.content = $4
        union all select from call_events e where $1 = 'call' and e.call = $2 and e.seq = $3 and e.event = $6::jsonb
        union all select from voice_events e where $1 = 'voice' and e.job = $2 and e.seq = $3 and e.event = $6::jsonb)";

const QUARANTINED: &str = "select count(*) from quarantined_events";

const KNOWN_CALLS: &str = "select call from call_events where call = any($1) and seq = 1";
const KNOWN_JOBS: &str = "select job from voice_events where job = any($1) and seq = 1";

const READ_CALL: &str = "select seq, at, event from call_events where call = $1 order by seq";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    APPEND_CALLS,
    APPEND_VOICES,
    QUARANTINE_CALLS,
    QUARANTINE_VOICES,
    QUARANTINE_ONE,
    QUARANTINED,
    KNOWN_CALLS,
    KNOWN_JOBS,
    READ_CALL,
];

/// A newly written event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Appended {
    /// The call or the job.
    pub owner: Uuid,
    /// Its sequence number in that log.
    pub seq: i64,
    /// Its position among all events.
    pub position: i64,
}

/// Appends the entries of one stream. Returns the new ones. The others are stored already, or in quarantine.
///
/// # Errors
/// When the query fails. Roll the transaction back.
pub(crate) async fn append(
    transaction: &Transaction<'_>,
    stream: Stream,
    entries: &[&Entry],
) -> Result<Vec<Appended>, StoreError> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let owners: Vec<Uuid> = entries.iter().map(|e| e.owner).collect();
    let seqs: Vec<i64> = entries.iter().map(|e| e.seq).collect();
    let times: Vec<jiff::Timestamp> = entries.iter().map(|e| timestamp(e.at)).collect();
    let safe: Vec<_> = entries.iter().map(|e| (storable(&e.event), e.pii.as_ref().map(storable))).collect();
    let events: Vec<&Value> = safe.iter().map(|(event, _)| &**event).collect();
    let pii: Vec<Option<&Value>> = safe.iter().map(|(_, pii)| pii.as_deref()).collect();
    let (append, quarantine) = match stream {
        Stream::Call => (APPEND_CALLS, QUARANTINE_CALLS),
        Stream::Voice => (APPEND_VOICES, QUARANTINE_VOICES),
    };
    let append = transaction.prepare_cached(append).await?;
    let rows = transaction.query(&append, &[&owners, &seqs, &times, &events, &pii]).await?;
    if rows.len() < entries.len() {
        transaction.execute(quarantine, &[&owners, &seqs, &events]).await?;
    }
    rows.iter()
        .map(|row| Ok(Appended { owner: row.try_get(0)?, seq: row.try_get(1)?, position: row.try_get(2)? }))
        .collect()
}

/// Writes an entry that must not or cannot enter its log into quarantine. Does nothing if the entry is there already,
/// or in its log.
///
/// # Errors
/// When the query fails.
pub(crate) async fn quarantine(
    client: &impl GenericClient,
    entry: &Entry,
    reason: &str,
) -> Result<(), StoreError> {
    let event = storable(&entry.event);
    let content = event.to_string();
    let stream = entry.stream.name();
    client.execute(QUARANTINE_ONE, &[&stream, &entry.owner, &entry.seq, &content, &reason, &*event]).await?;
    Ok(())
}

/// How many entries and rows are in quarantine.
///
/// # Errors
/// When the query fails.
pub async fn quarantined(client: &impl GenericClient) -> Result<i64, StoreError> {
    Ok(client.query_one(QUARANTINED, &[]).await?.try_get(0)?)
}

/// Writes a row that belongs to no event, and that PostgreSQL refused, into quarantine.
///
/// # Errors
/// When the query fails.
pub(crate) async fn quarantine_row(
    client: &impl GenericClient,
    row: &Value,
    reason: &str,
) -> Result<(), StoreError> {
    let (stream, owner, content) = ("row", Uuid::now_v7(), ascii(&row.to_string()));
    client.execute(QUARANTINE_ONE, &[&stream, &owner, &0_i64, &content, &reason, &Value::Null]).await?;
    Ok(())
}

/// The same JSON in ASCII: every database can store it.
pub(crate) fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut units = [0_u16; 2];
    for letter in json.chars() {
        if letter.is_ascii() {
            text.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}

/// The owners among `owners` that have a log.
///
/// # Errors
/// When the query fails.
pub(crate) async fn known(
    client: &impl GenericClient,
    stream: Stream,
    owners: &[Uuid],
) -> Result<HashSet<Uuid>, StoreError> {
    if owners.is_empty() {
        return Ok(HashSet::new());
    }
    let statement = match stream {
        Stream::Call => KNOWN_CALLS,
        Stream::Voice => KNOWN_JOBS,
    };
    let rows = client.query(statement, &[&owners]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Reads the log of a call, in order.
///
/// # Errors
/// When the query fails, or an event cannot be decoded: precall cannot resume the call then.
pub async fn read_call(client: &impl GenericClient, call: CallId) -> Result<Vec<(Event, At)>, StoreError> {
    let rows = client.query(READ_CALL, &[&Uuid::from_u128(call.0)]).await?;
    let mut log = Vec::with_capacity(rows.len());
    for (expected, row) in (1_i64..).zip(&rows) {
        let seq: i64 = row.try_get(0)?;
        if seq != expected {
            return Err(StoreError::Unreadable(format!("call {call} has no event {expected}")));
        }
        let at: jiff::Timestamp = row.try_get(1)?;
        let event: Value = row.try_get(2)?;
        let event = event_json::decode(&event)
            .map_err(|error| StoreError::Unreadable(format!("event {seq} of call {call}: {error}")))?;
        log.push((event, At(at.as_microsecond())));
    }
    Ok(log)
}

pub(crate) fn timestamp(at: At) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}
