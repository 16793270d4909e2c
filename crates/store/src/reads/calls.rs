//! Reads one call for the API, with its conversations.

use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde_json::value::RawValue;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use crate::StoreError;
use crate::reads::read_only::read;
use crate::reads::{events, failures, statistics};

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    FIND,
    NAMED,
    CONVERSATIONS,
    EXISTS,
    events::OF_CALL,
    events::AFTER,
    failures::OF_CALL,
    statistics::CALLS,
    statistics::VOICES,
];

/// A call in a list.
#[derive(Clone, Debug)]
pub struct CallRow {
    /// precall's id of the call.
    pub id: Uuid,
    /// `call_log.call_id`: the agent's conversation.
    pub conversation_id: Option<String>,
    /// The id of the call at the PBX.
    pub threecx_call_id: Option<String>,
    /// The caller: E.164 for a public number, else as the PBX wrote it.
    pub caller_id: Option<String>,
    /// The called number: E.164, or as the PBX wrote it.
    pub called_number: Option<String>,
    /// The name of the line.
    pub line: String,
    /// The name of the PBX.
    pub pbx: String,
    /// The route; none in rows of the service that precall replaces.
    pub route: Option<String>,
    /// The name of the state.
    pub state: String,
    /// `initiated`, `completed` or `failed`.
    pub status: String,
    /// Why it ended.
    pub cause: Option<String>,
    /// Who caused the end.
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
    /// Duration of the agent's conversation.
    pub duration_seconds: Option<i32>,
    /// The sequence number of the last event that this row includes.
    pub last_seq: i64,
    /// ElevenLabs' title of the agent's latest conversation.
    pub summary_title: Option<String>,
    /// ElevenLabs' verdict on it: `success`, `failure` or `unknown`.
    pub call_successful: Option<String>,
    /// What its conversations cost, in ElevenLabs' credits; none before a report says it.
    pub cost_credits: Option<i64>,
    /// The same in US dollars.
    pub cost_usd: Option<f64>,
    /// Whether it is a test call of precall itself.
    pub canary: bool,
}

impl CallRow {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.try_get("id")?,
            conversation_id: row.try_get("conversation_id")?,
            threecx_call_id: row.try_get("threecx_call_id")?,
            caller_id: row.try_get("caller_id")?,
            called_number: row.try_get("called_number")?,
            line: row.try_get("line")?,
            pbx: row.try_get("pbx")?,
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
            summary_title: row.try_get("summary_title")?,
            call_successful: row.try_get("call_successful")?,
            cost_credits: row.try_get("cost_credits")?,
            cost_usd: row.try_get("cost_usd")?,
            canary: row.try_get("canary")?,
        })
    }
}

/// The columns of [`CallRow`].
macro_rules! call_columns {
    () => {
        "id, call_id as conversation_id, threecx_call_id, caller_id, called_number, line, pbx, route, state, status, \
         cause, blame, told, voice_missing, cloned_voice_id, call_started_at, call_ended_at, duration_seconds, \
         last_seq, canary, agent.analysis ->> 'call_summary_title' as summary_title, \
         agent.analysis ->> 'call_successful' as call_successful, \
         case when abs(cost.credits) < 1e18 then cost.credits::int8 end as cost_credits, \
         cost.usd::float8 as cost_usd"
    };
}

/// `call_log` with the analysis of the agent's latest conversation and the cost of all, for [`call_columns!`].
// A cost that is no number, or that no column takes, must not fail the whole list.
macro_rules! calls_with_analysis {
    () => {
        " from call_log
          left join lateral (
              select report -> 'analysis' as analysis from conversations
              where conversations.call = call_log.id and purpose = 'agent' order by ordinal desc limit 1
          ) agent on true
          left join lateral (
              select
                  sum((report ->> 'cost')::numeric) filter (where jsonb_typeof(report -> 'cost') = 'number') as credits,
                  sum((report ->> 'cost_usd')::numeric)
                      filter (where jsonb_typeof(report -> 'cost_usd') = 'number') as usd
              from conversations where conversations.call = call_log.id
          ) cost on true"
    };
}

pub(super) use {call_columns, calls_with_analysis};

/// One call in full.
#[derive(Clone, Debug)]
pub struct CallDetail {
    /// The columns that lists show.
    pub call: CallRow,
    /// The transcript: one `role: message` per line.
    pub transcript: Option<String>,
    /// Data without a column of their own.
    pub metadata: Option<Box<RawValue>>,
    /// The named times of the call.
    pub timings: Option<Box<RawValue>>,
}

const FIND: &str = concat!(
    "select ",
    call_columns!(),
    ", transcript, metadata, timings",
    calls_with_analysis!(),
    " where id = $1"
);

/// The call with that id; `None` if there is none.
///
/// # Errors
/// When the query fails.
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

/// More calls with one id are not needed to say that there are several.
const NAMED_MOST: i64 = 11;

const NAMED: &str = "
    select id from (
        select id, call_started_at from call_log where threecx_call_id = $1
        union
        select id, call_started_at from call_log where call_id = $1
        union
        select l.id, l.call_started_at from conversations c join call_log l on l.id = c.call where c.provider_id = $1
    ) as named
    order by call_started_at desc, id desc limit $2";

/// The calls with this id at the PBX or with this conversation, newest first; at most 11. A PBX gives its ids again.
///
/// # Errors
/// When the query fails.
pub async fn named(pool: &Pool, name: &str) -> Result<Vec<Uuid>, StoreError> {
    let rows = read(pool, NAMED, &[&name, &NAMED_MOST]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

const EXISTS: &str = "select 1 from call_log where id = $1";

/// Whether there is a call with that id.
///
/// # Errors
/// When the query fails.
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
    /// The outcome of the dial.
    pub dial: String,
    /// The reported outcome: `initiated`, `failed` or `completed`.
    pub outcome: String,
    /// The reported duration.
    pub duration_seconds: Option<i32>,
    /// When it began.
    pub started_at: Timestamp,
    /// When the report came.
    pub reported_at: Option<Timestamp>,
    /// What else the report says; its fields are those of `conversations.report`.
    pub report: Option<Box<RawValue>>,
}

// A call has a handful. The limit protects against unexpected rows.
const CONVERSATIONS: &str =
    "select purpose, ordinal, provider_id, dial, outcome, duration_seconds, started_at, reported_at, report
      from conversations
      where call = $1
      order by started_at, purpose, ordinal
      limit 100";

/// The conversations of a call, in the order in which they began.
///
/// # Errors
/// When the query fails.
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
            report: row.try_get::<_, Option<Json<Box<RawValue>>>>("report")?.map(|Json(raw)| raw),
        })
    };
    rows.iter().map(read_row).collect()
}
