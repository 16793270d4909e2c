//! Calls as they are read: the list, newest first, and one call with its conversations.

use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde_json::value::RawValue;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::StoreError;
use crate::reads::read_only::read;
use crate::reads::{events, statistics};

/// Every statement that reads, so that a test can prepare them all against the migrated tables.
pub const STATEMENTS: &[&str] = &[
    LIST,
    LIST_LIVE,
    LIST_OF_CALLER,
    FIND,
    CONVERSATIONS,
    EXISTS,
    events::OF_CALL,
    events::AFTER,
    statistics::CALLS,
    statistics::VOICES,
];

/// A call as lists show it.
#[derive(Clone, Debug)]
pub struct CallRow {
    /// Ours.
    pub id: Uuid,
    /// `call_log.call_id`: the agent's conversation.
    pub conversation_id: Option<String>,
    /// The PBX's.
    pub threecx_call_id: Option<String>,
    /// E.164 where it was a public number.
    pub caller_id: Option<String>,
    /// As E.164 or as the PBX wrote it.
    pub called_number: Option<String>,
    /// The line's name.
    pub line: String,
    /// How greeting and handoff reached the caller; none in rows of the service that precall replaces.
    pub route: Option<String>,
    /// The state's name.
    pub state: String,
    /// `initiated`, `completed` or `failed`.
    pub status: String,
    /// Why it ended.
    pub cause: Option<String>,
    /// Whose doing that was.
    pub blame: Option<String>,
    /// What the caller was told.
    pub told: Option<String>,
    /// Why there was no cloned voice.
    pub voice_missing: Option<String>,
    /// The cloned voice.
    pub cloned_voice_id: Option<String>,
    /// When it came in.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Of the agent's conversation.
    pub duration_seconds: Option<i32>,
    /// The version of the call that this row shows.
    pub last_seq: i64,
}

impl CallRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.try_get("id")?,
            conversation_id: row.try_get("conversation_id")?,
            threecx_call_id: row.try_get("threecx_call_id")?,
            caller_id: row.try_get("caller_id")?,
            called_number: row.try_get("called_number")?,
            line: row.try_get("line")?,
            route: row.try_get("route")?,
            state: row.try_get("state")?,
            status: row.try_get("status")?,
            cause: row.try_get("cause")?,
            blame: row.try_get("blame")?,
            told: row.try_get("told")?,
            voice_missing: row.try_get("voice_missing")?,
            cloned_voice_id: row.try_get("cloned_voice_id")?,
            started_at: row.try_get("call_started_at")?,
            ended_at: row.try_get("call_ended_at")?,
            duration_seconds: row.try_get("duration_seconds")?,
            last_seq: row.try_get("last_seq")?,
        })
    }
}

/// The columns of [`CallRow`].
macro_rules! call_columns {
    () => {
        "id, call_id as conversation_id, threecx_call_id, caller_id, called_number, line, route, state, status, \
         cause, blame, told, voice_missing, cloned_voice_id, call_started_at, call_ended_at, duration_seconds, \
         last_seq"
    };
}

/// A place in the list: the call it stands behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// When that call came in.
    pub started_at: Timestamp,
    /// Its id, for calls of the same microsecond.
    pub id: Uuid,
}

impl Place {
    /// Before the newest call.
    pub const FIRST: Self = Self { started_at: Timestamp::MAX, id: Uuid::max() };

    /// Behind this call.
    #[must_use]
    pub fn behind(call: &CallRow) -> Self {
        Self { started_at: call.started_at, id: call.id }
    }
}

/// Which calls a list shows, by whether they are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// Those that go on.
    Live,
    /// Those that are over.
    Released,
}

/// Which calls a list shows.
#[derive(Clone, Debug, Default)]
pub struct CallFilter {
    /// All when none.
    pub liveness: Option<Liveness>,
    /// The state's name.
    pub state: Option<String>,
    /// The caller, E.164.
    pub caller: Option<String>,
}

const LIST: &str = concat!(
    "select ",
    call_columns!(),
    " from call_log
      where (call_started_at, id) < ($1, $2)
        and ($3::text is null or state = $3)
      order by call_started_at desc, id desc
      limit $4"
);

// Written with the condition of the partial index, or the few live calls would be sought among all.
const LIST_LIVE: &str = concat!(
    "select ",
    call_columns!(),
    " from call_log
      where (call_started_at, id) < ($1, $2)
        and state <> 'released'
        and ($3::text is null or state = $3)
      order by call_started_at desc, id desc
      limit $4"
);

const LIST_OF_CALLER: &str = concat!(
    "select ",
    call_columns!(),
    " from call_log
      where account_id = 'default'
        and caller_id = $5
        and (call_started_at, id) < ($1, $2)
        and ($3::text is null or state = $3)
        and ($6::boolean is null or (state <> 'released') = $6)
      order by call_started_at desc, id desc
      limit $4"
);

/// At most `limit` calls behind a place, newest first.
///
/// # Errors
/// What the database made of it.
pub async fn list(
    pool: &Pool,
    filter: &CallFilter,
    behind: Place,
    limit: i64,
) -> Result<Vec<CallRow>, StoreError> {
    let released = "released".to_owned();
    let state = match (&filter.state, filter.liveness) {
        (None, Some(Liveness::Released)) => Some(&released),
        (state, _) => state.as_ref(),
    };
    let (at, id) = (behind.started_at, behind.id);
    let rows = match (&filter.caller, filter.liveness) {
        (Some(caller), liveness) => {
            let live = liveness.map(|liveness| liveness == Liveness::Live);
            read(pool, LIST_OF_CALLER, &[&at, &id, &state, &limit, caller, &live]).await?
        }
        (None, Some(Liveness::Live)) => read(pool, LIST_LIVE, &[&at, &id, &state, &limit]).await?,
        // Released, but asked for in another state: there is none.
        (None, Some(Liveness::Released)) if state != Some(&released) => Vec::new(),
        (None, None | Some(Liveness::Released)) => read(pool, LIST, &[&at, &id, &state, &limit]).await?,
    };
    rows.iter().map(CallRow::read).collect()
}

/// One call in full.
#[derive(Clone, Debug)]
pub struct CallDetail {
    /// As in lists.
    pub call: CallRow,
    /// One `role: message` a line.
    pub transcript: Option<String>,
    /// What else was noted.
    pub metadata: Option<Box<RawValue>>,
    /// The named moments.
    pub timings: Option<Box<RawValue>>,
}

const FIND: &str =
    concat!("select ", call_columns!(), ", transcript, metadata, timings from call_log where id = $1");

/// The call of that id.
///
/// # Errors
/// What the database made of it.
pub async fn find(pool: &Pool, id: Uuid) -> Result<Option<CallDetail>, StoreError> {
    let rows = read(pool, FIND, &[&id]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let raw = |json: Option<Json<Box<RawValue>>>| json.map(|Json(raw)| raw);
    Ok(Some(CallDetail {
        call: CallRow::read(row)?,
        transcript: row.try_get("transcript")?,
        metadata: raw(row.try_get("metadata")?),
        timings: raw(row.try_get("timings")?),
    }))
}

const EXISTS: &str = "select 1 from call_log where id = $1";

/// Whether there ever was a call of that id.
///
/// # Errors
/// What the database made of it.
pub async fn exists(pool: &Pool, id: Uuid) -> Result<bool, StoreError> {
    Ok(!read(pool, EXISTS, &[&id]).await?.is_empty())
}

/// A conversation at the provider.
#[derive(Clone, Debug)]
pub struct ConversationRow {
    /// `greeting` or `agent`.
    pub purpose: String,
    /// Counts from 1 within the purpose.
    pub ordinal: i32,
    /// The provider's id, once known.
    pub conversation_id: Option<String>,
    /// What became of the dial.
    pub dial: String,
    /// What was reported: `initiated`, `failed` or `completed`.
    pub outcome: String,
    /// As reported.
    pub duration_seconds: Option<i32>,
    /// When it was begun.
    pub started_at: Timestamp,
    /// When it was reported.
    pub reported_at: Option<Timestamp>,
}

// A call has a handful; the limit is for rows that nobody expected.
const CONVERSATIONS: &str =
    "select purpose, ordinal, provider_id, dial, outcome, duration_seconds, started_at, reported_at
      from conversations
      where call = $1
      order by started_at, purpose, ordinal
      limit 100";

/// The conversations of a call, in the order they were begun.
///
/// # Errors
/// What the database made of it.
pub async fn conversations(pool: &Pool, call: Uuid) -> Result<Vec<ConversationRow>, StoreError> {
    let rows = read(pool, CONVERSATIONS, &[&call]).await?;
    let read_row = |row: &Row| {
        Ok(ConversationRow {
            purpose: row.try_get("purpose")?,
            ordinal: row.try_get("ordinal")?,
            conversation_id: row.try_get("provider_id")?,
            dial: row.try_get("dial")?,
            outcome: row.try_get("outcome")?,
            duration_seconds: row.try_get("duration_seconds")?,
            started_at: row.try_get("started_at")?,
            reported_at: row.try_get("reported_at")?,
        })
    };
    rows.iter().map(read_row).collect()
}
