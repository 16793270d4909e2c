//! The two event logs: appending events, and reading the log of a call.

use std::collections::{HashMap, HashSet};

use deadpool_postgres::Transaction;
use precall_call::{At, CallId, Event};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use super::event_json;
use super::raw::{Json, RawEntry, RawRow, storable_text};
use super::rows::Stream;
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
const CONFLICTS_OF_CALLS: &str = "
    select n.place from unnest($1::uuid[], $2::bigint[], $3::jsonb[]) with ordinality as n (call, seq, event, place)
    join call_events e on e.call = n.call and e.seq = n.seq and e.event <> n.event";

const CONFLICTS_OF_VOICES: &str = "
    select n.place from unnest($1::uuid[], $2::bigint[], $3::jsonb[]) with ordinality as n (job, seq, event, place)
    join voice_events e on e.job = n.job and e.seq = n.seq and e.event <> n.event";

// precall may write it twice, if the outcome of the first write is unknown. The event is also kept as JSON text of the
// whole entry, from which `precall quarantine apply` writes it.
const QUARANTINE: &str = "
    insert into quarantined_events (stream, owner, seq, content, reason, entry)
    select n.stream, n.owner, n.seq, n.content, $6, n.entry
    from unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::text[])
        as n (stream, owner, seq, content, entry)
    where not exists (
        select from quarantined_events q
        where q.stream = n.stream and q.owner = n.owner and q.seq = n.seq and q.content = n.content
        union all select from call_events e
        where n.stream = 'call' and e.call = n.owner and e.seq = n.seq and e.event = n.content::jsonb
        union all select from voice_events e
        where n.stream = 'voice' and e.job = n.owner and e.seq = n.seq and e.event = n.content::jsonb)";

const QUARANTINE_ROW: &str = "
    insert into quarantined_events (stream, owner, seq, content, reason) values ('row', $1, 0, $2, $3)";

const ENDS_OF_CALLS: &str = "select call, max(seq) from call_events where call = any($1) group by call";
const ENDS_OF_JOBS: &str = "select job, max(seq) from voice_events where job = any($1) group by job";

const QUARANTINED: &str = "select count(*) from quarantined_events";

const KNOWN_CALLS: &str = "select call from call_events where call = any($1) and seq = 1";
const KNOWN_JOBS: &str = "select job from voice_events where job = any($1) and seq = 1";

const READ_CALLS: &str =
    "select call, seq, at, event from call_events where call = any($1) order by call, seq";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    APPEND_CALLS,
    APPEND_VOICES,
    CONFLICTS_OF_CALLS,
    CONFLICTS_OF_VOICES,
    QUARANTINE,
    QUARANTINE_ROW,
    ENDS_OF_CALLS,
    ENDS_OF_JOBS,
    QUARANTINED,
    KNOWN_CALLS,
    KNOWN_JOBS,
    READ_CALLS,
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

/// The columns of some entries.
struct Columns<'a> {
    owners: Vec<Uuid>,
    seqs: Vec<i64>,
    times: Vec<jiff::Timestamp>,
    events: Vec<Json<'a>>,
    pii: Vec<Option<Json<'a>>>,
}

impl<'a> Columns<'a> {
    fn of(entries: &[&'a RawEntry]) -> Result<Self, StoreError> {
        let text = |json: &'a RawValue| storable_text(json).map(Json);
        Ok(Self {
            owners: entries.iter().map(|e| e.owner).collect(),
            seqs: entries.iter().map(|e| e.seq).collect(),
            times: entries.iter().map(|e| timestamp(e.at)).collect(),
            events: entries.iter().map(|e| text(&e.event)).collect::<Result<_, _>>()?,
            pii: entries.iter().map(|e| e.pii.as_deref().map(text).transpose()).collect::<Result<_, _>>()?,
        })
    }
}

/// Appends the entries of one stream. Returns the new ones. The others are stored already, or in quarantine.
///
/// # Errors
/// When the query fails. Roll the transaction back.
pub(crate) async fn append(
    transaction: &Transaction<'_>,
    stream: Stream,
    entries: &[&RawEntry],
) -> Result<Vec<Appended>, StoreError> {
    let new = insert(transaction, stream, entries).await?;
    if new.len() < entries.len() {
        keep_conflicts(transaction, stream, entries).await?;
    }
    Ok(new)
}

/// Inserts the entries of one stream whose keys are free. Returns these.
///
/// # Errors
/// When the query fails. Roll the transaction back.
pub(super) async fn insert(
    client: &impl deadpool_postgres::GenericClient,
    stream: Stream,
    entries: &[&RawEntry],
) -> Result<Vec<Appended>, StoreError> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let Columns { owners, seqs, times, events, pii } = Columns::of(entries)?;
    let append = client.prepare_cached(statement_of(stream)).await?;
    let rows = client.query(&append, &[&owners, &seqs, &times, &events, &pii]).await?;
    rows.iter()
        .map(|row| Ok(Appended { owner: row.try_get(0)?, seq: row.try_get(1)?, position: row.try_get(2)? }))
        .collect()
}

fn statement_of(stream: Stream) -> &'static str {
    match stream {
        Stream::Call => APPEND_CALLS,
        Stream::Voice => APPEND_VOICES,
    }
}

/// Writes the entries into quarantine under whose key another event stands. Returns how many there are.
///
/// # Errors
/// When the query fails. Roll the transaction back.
pub(crate) async fn keep_conflicts(
    transaction: &Transaction<'_>,
    stream: Stream,
    entries: &[&RawEntry],
) -> Result<usize, StoreError> {
    const REASON: &str = "another event stands under its key";
    if entries.is_empty() {
        return Ok(0);
    }
    let Columns { owners, seqs, events, .. } = Columns::of(entries)?;
    let statement = match stream {
        Stream::Call => CONFLICTS_OF_CALLS,
        Stream::Voice => CONFLICTS_OF_VOICES,
    };
    let rows = transaction.query(statement, &[&owners, &seqs, &events]).await?;
    let mut others = Vec::with_capacity(rows.len());
    for row in rows {
        let place = usize::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0);
        others.extend(place.checked_sub(1).and_then(|place| entries.get(place)).copied());
    }
    quarantine_all(&**transaction, &others, REASON).await?;
    Ok(others.len())
}

/// Writes entries that must not or cannot enter their log into quarantine. Leaves out those that are there already, or
/// in their log.
///
/// # Errors
/// When the query fails.
pub(crate) async fn quarantine_all(
    client: &impl GenericClient,
    entries: &[&RawEntry],
    reason: &str,
) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let streams: Vec<&str> = entries.iter().map(|entry| entry.stream.name()).collect();
    let (mut contents, mut whole) = (Vec::new(), Vec::new());
    for entry in entries {
        // The spelling of PostgreSQL's `jsonb` would differ in its spaces; this one is the same each time.
        let event: Value =
            serde_json::from_str(entry.event.get()).map_err(|error| StoreError::refused(&error))?;
        contents.push(storable(&event).to_string());
        let entry = serde_json::to_string(entry).map_err(|error| StoreError::refused(&error))?;
        whole.push(ascii(&entry));
    }
    let owners: Vec<Uuid> = entries.iter().map(|entry| entry.owner).collect();
    let seqs: Vec<i64> = entries.iter().map(|entry| entry.seq).collect();
    client.execute(QUARANTINE, &[&streams, &owners, &seqs, &contents, &whole, &reason]).await?;
    Ok(())
}

/// The number of the last event of each of these logs. A log without events is absent.
///
/// # Errors
/// When the query fails.
pub(crate) async fn ends(
    client: &impl GenericClient,
    stream: Stream,
    owners: &[Uuid],
) -> Result<HashMap<Uuid, i64>, StoreError> {
    if owners.is_empty() {
        return Ok(HashMap::new());
    }
    let statement = match stream {
        Stream::Call => ENDS_OF_CALLS,
        Stream::Voice => ENDS_OF_JOBS,
    };
    let rows = client.query(statement, &[&owners]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
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
    row: &RawRow,
    reason: &str,
) -> Result<(), StoreError> {
    let row = serde_json::to_string(row).map_err(|error| StoreError::refused(&error))?;
    client.execute(QUARANTINE_ROW, &[&Uuid::now_v7(), &ascii(&row), &reason]).await?;
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

/// Events of a call with their times, in order.
pub type CallLog = Vec<(Event, At)>;

/// Reads the log of a call, in order; empty if there is none.
///
/// # Errors
/// When the query fails, or an event cannot be decoded: precall cannot resume the call then.
pub async fn read_call(client: &impl GenericClient, call: CallId) -> Result<CallLog, StoreError> {
    read_calls(client, &[call]).await?.remove(&call).unwrap_or_else(|| Ok(CallLog::new()))
}

/// Reads the logs of calls in one query. A call without events is not among them. A log that cannot be read is an
/// error of its own call alone.
///
/// # Errors
/// When the query fails.
pub async fn read_calls(
    client: &impl GenericClient,
    calls: &[CallId],
) -> Result<HashMap<CallId, Result<CallLog, StoreError>>, StoreError> {
    let ids: Vec<Uuid> = calls.iter().map(|call| Uuid::from_u128(call.0)).collect();
    let rows = client.query(READ_CALLS, &[&ids]).await?;
    let mut logs: HashMap<CallId, Result<CallLog, StoreError>> = HashMap::with_capacity(calls.len());
    for row in &rows {
        let call = CallId(row.try_get::<_, Uuid>(0)?.as_u128());
        let log = logs.entry(call).or_insert_with(|| Ok(CallLog::new()));
        if let Ok(events) = log {
            match read_event(call, events.len(), row) {
                Ok(event) => events.push(event),
                Err(error) => *log = Err(error),
            }
        }
    }
    Ok(logs)
}

/// Reads the event that follows so many others.
fn read_event(call: CallId, before: usize, row: &Row) -> Result<(Event, At), StoreError> {
    let seq: i64 = row.try_get(1)?;
    let expected = i64::try_from(before).unwrap_or(i64::MAX).saturating_add(1);
    if seq != expected {
        return Err(StoreError::Unreadable(format!("call {call} has no event {expected}")));
    }
    let at: jiff::Timestamp = row.try_get(2)?;
    let event: Value = row.try_get(3)?;
    let event = event_json::decode(&event)
        .map_err(|error| StoreError::Unreadable(format!("event {seq} of call {call}: {error}")))?;
    Ok((event, At(at.as_microsecond())))
}

pub(crate) fn timestamp(at: At) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}
