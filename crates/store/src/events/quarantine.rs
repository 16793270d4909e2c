//! What is in quarantine, and its way back: an entry enters its log where the log takes it, and nowhere else.

use deadpool_postgres::{Pool, Transaction};
use jiff::Timestamp;
use precall_call::{At, CallId, fold, step};
use serde_json::{Value, json};
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use super::raw::{RawBatch, RawEntry, RawRow};
use super::rows::Stream;
use super::write::write_in;
use super::{event_json, event_log};
use crate::error::StoreError;
use crate::leader::engine_lock::EngineLock;
use crate::people::audit;
use crate::verify;

const LIST: &str = "
    select id, created_at, stream, owner, seq, content, reason, entry from quarantined_events
    order by stream, owner, seq, created_at, id";

const ONE: &str = "
    select id, created_at, stream, owner, seq, content, reason, entry from quarantined_events where id = $1 for update";

// A precall that starts waits with its claim until this transaction has ended, and reads the logs after its claim.
const HOLD: &str = "select from engine for share";

const EVENT_OF_CALL: &str = "select event from call_events where call = $1 and seq = $2";
const EVENT_OF_JOB: &str = "select event from voice_events where job = $1 and seq = $2";

const JOB_IS_OVER: &str = "
    select exists (select from voice_events
        where job = $1 and event ->> 'kind' in ('clone_succeeded', 'clone_failed'))";

const DELETE: &str = "delete from quarantined_events where id = $1";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[LIST, ONE, HOLD, EVENT_OF_CALL, EVENT_OF_JOB, JOB_IS_OVER, DELETE];

/// An entry or row in quarantine.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Its id in the table.
    pub id: Uuid,
    /// Since when it is there.
    pub since: Timestamp,
    /// `call`, `voice`, or `row` for a row that belongs to no event.
    pub stream: String,
    /// The call or the job.
    pub owner: Uuid,
    /// Its number in that log.
    pub seq: i64,
    /// The kind of the event, or of the row.
    pub kind: Option<String>,
    /// Why it was refused.
    pub reason: String,
    /// The event, or the row.
    content: String,
    /// The whole entry.
    entry: Option<String>,
}

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in its log now, and its rows are written.
    Written,
    /// It was there already. It is out of quarantine.
    WasThere,
    /// It stays in quarantine. Says why.
    Stays(String),
}

impl Kept {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let (stream, content): (String, String) = (row.try_get(2)?, row.try_get(5)?);
        let value: Option<Value> = serde_json::from_str(&content).ok();
        let kind = value.as_ref().and_then(|value| match &*stream {
            "row" => value.as_object()?.keys().next().cloned(),
            _ => Some(value.get("kind")?.as_str()?.to_owned()),
        });
        Ok(Self {
            id: row.try_get(0)?,
            since: row.try_get(1)?,
            stream,
            owner: row.try_get(3)?,
            seq: row.try_get(4)?,
            kind,
            reason: row.try_get(6)?,
            content,
            entry: row.try_get(7)?,
        })
    }

    /// Its log; `None` for a row of no event.
    fn log(&self) -> Option<Stream> {
        [Stream::Call, Stream::Voice].into_iter().find(|stream| stream.name() == self.stream)
    }
}

/// Everything in quarantine, each log in its order.
///
/// # Errors
/// When the query fails.
pub async fn list(client: &impl GenericClient) -> Result<Vec<Kept>, StoreError> {
    client.query(LIST, &[]).await?.iter().map(Kept::of).collect()
}

/// Writes one entry or row into its log or table, if that takes it, and deletes it from quarantine in the same
/// transaction. `None` if there is no such id.
///
/// # Errors
/// When the database fails. Nothing was changed.
pub async fn apply(pool: &Pool, id: Uuid, who: &str, now: At) -> Result<Option<Outcome>, StoreError> {
    let mut client = pool.get().await?;
    let mut transaction = client.transaction().await?;
    let Some(row) = transaction.query_opt(ONE, &[&id]).await? else { return Ok(None) };
    let kept = Kept::of(&row)?;
    transaction.execute(HOLD, &[]).await?;
    let savepoint = transaction.transaction().await?;
    let outcome = match put_back(&savepoint, &kept).await {
        Err(StoreError::Refused(reason)) => Outcome::Stays(format!("PostgreSQL refuses it: {reason}")),
        outcome => outcome?,
    };
    if let Outcome::Stays(_) = outcome {
        savepoint.rollback().await?;
        transaction.rollback().await?;
        return Ok(Some(outcome));
    }
    savepoint.commit().await?;
    transaction.execute(DELETE, &[&id]).await?;
    let detail = json!({ "stream": kept.stream, "seq": kept.seq, "kind": kept.kind });
    audit::record(&*transaction, who, "quarantine_applied", Some(kept.owner), Some(detail), now).await?;
    transaction.commit().await?;
    Ok(Some(outcome))
}

async fn put_back(transaction: &Transaction<'_>, kept: &Kept) -> Result<Outcome, StoreError> {
    let Some(stream) = kept.log() else {
        let Ok(row) = serde_json::from_str::<RawRow>(&kept.content) else {
            return Ok(stays("it is no row that this precall knows"));
        };
        write_in(transaction, &RawBatch { entries: Vec::new(), rows: vec![row] }).await?;
        return Ok(Outcome::Written);
    };
    let end =
        event_log::ends(&**transaction, stream, &[kept.owner]).await?.get(&kept.owner).copied().unwrap_or(0);
    if kept.seq <= end {
        return was_there(transaction, stream, kept).await;
    }
    if kept.seq > end.saturating_add(1) {
        let next = end.saturating_add(1);
        return Ok(Outcome::Stays(format!("its log ends with event {end}: event {next} is missing")));
    }
    let entry = kept.entry.as_deref().and_then(|entry| serde_json::from_str::<RawEntry>(entry).ok());
    let Some(entry) = entry else {
        return Ok(stays(
            "its time and its rows are not known: an earlier version kept it without them, or its caller was erased",
        ));
    };
    if end > 0 && EngineLock::is_held(&**transaction).await? {
        return Ok(stays("a precall acts on this database and may have this log in memory: stop it first"));
    }
    if !takes(transaction, &entry, end).await? {
        return Ok(stays("its log was continued without it and does not take this event any more"));
    }
    write_in(transaction, &RawBatch { entries: vec![entry], rows: Vec::new() }).await?;
    if stream == Stream::Call
        && let Some(breach) = verify::breach_of_call(transaction, kept.owner).await?
    {
        return Ok(Outcome::Stays(format!(
            "its rows do not fit the log: {}, {}",
            breach.rule, breach.detail
        )));
    }
    Ok(Outcome::Written)
}

/// The log has an event of that number.
async fn was_there(
    transaction: &Transaction<'_>,
    stream: Stream,
    kept: &Kept,
) -> Result<Outcome, StoreError> {
    let statement = match stream {
        Stream::Call => EVENT_OF_CALL,
        Stream::Voice => EVENT_OF_JOB,
    };
    let row = transaction.query_opt(statement, &[&kept.owner, &kept.seq]).await?;
    let event: Option<Value> = row.map(|row| row.try_get(0)).transpose()?;
    let is_same = event.is_some() && event == serde_json::from_str(&kept.content).ok();
    Ok(if is_same {
        Outcome::WasThere
    } else {
        Outcome::Stays(format!("another event is number {} of its log", kept.seq))
    })
}

/// Whether the next event of a log changes anything: a call that was ended without it takes it no more.
async fn takes(transaction: &Transaction<'_>, entry: &RawEntry, end: i64) -> Result<bool, StoreError> {
    if entry.stream == Stream::Voice {
        let is_over: bool = transaction.query_one(JOB_IS_OVER, &[&entry.owner]).await?.try_get(0)?;
        return Ok(!is_over);
    }
    let event = serde_json::from_str::<Value>(entry.event.get()).ok();
    let Some(event) = event.and_then(|event| event_json::decode(&event).ok()) else { return Ok(false) };
    if end == 0 {
        return Ok(fold([(&event, entry.at)]).is_ok());
    }
    let log = event_log::read_call(&**transaction, CallId(entry.owner.as_u128())).await?;
    let Ok(call) = fold(log.iter().map(|(event, at)| (event, *at))) else { return Ok(false) };
    Ok(step(&call, &event, entry.at).next.version > call.version)
}

fn stays(why: &str) -> Outcome {
    Outcome::Stays(why.to_owned())
}
