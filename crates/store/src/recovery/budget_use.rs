//! What budgets restore after a restart: calls of the last hour, clones and conversations of the last day, live
//! callers.

use precall_call::{At, CallId, ConversationId};
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::error::StoreError;
use crate::events::event_log::timestamp;

/// No installation has more in a day. If one does, the newest are read.
const ROWS_MAX: i64 = 1_000_000;

// Calls of the canary use no budget. Calls that were refused, or had ended before they came, used no budget.
const CALLS: &str = "
    select c.account_id, c.caller_id, c.call_started_at from call_log c
    join call_events e on e.call = c.id and e.seq = 1 and e.event ->> 'admission' = 'accepted'
    where c.call_started_at > $1 and c.caller_id is not null and not c.canary order by c.call_started_at desc limit $2";

const LIVE: &str = "
    select id, account_id, caller_id,
        state in ('handing_off', 'conversing') or (state = 'greeting' and route = 'callback')
    from call_log where state <> 'released' and last_seq > 0 and not canary";

// A failed clone left no voice at the provider. An erasure may have removed the caller.
const CLONES: &str = "
    select coalesce(r.pii ->> 'account_id', 'default'), coalesce(r.pii ->> 'caller_id', ''), r.at from voice_events r
    where r.event ->> 'kind' = 'clone_requested' and r.at > $1 and not exists (
        select from voice_events f where f.job = r.job and f.event ->> 'kind' = 'clone_failed')
    order by r.at desc limit $2";

const CONVERSATIONS: &str = "
    select provider_id, coalesce(duration_seconds, 0)::bigint,
        case jsonb_typeof(report -> 'cost') when 'number' then (report ->> 'cost')::bigint else 0 end, reported_at
    from conversations where reported_at > $1 and provider_id is not null
        and not exists (select from call_log c where c.id = conversations.call and c.canary)
    order by reported_at desc limit $2";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[CALLS, LIVE, CLONES, CONVERSATIONS];

/// One use of a budget by a caller.
#[derive(Clone, Debug)]
pub struct Done {
    /// The caller's account.
    pub account: String,
    /// E.164 or extension; empty where it was erased.
    pub caller: String,
    /// Time of the use.
    pub at: At,
}

/// A call that has not ended.
#[derive(Clone, Debug)]
pub struct LiveCaller {
    /// The call.
    pub call: CallId,
    /// The caller's account.
    pub account: String,
    /// E.164 or extension, if known.
    pub caller: Option<String>,
    /// Whether the provider may have an open conversation for it.
    pub has_conversation: bool,
}

/// What a conversation used.
#[derive(Clone, Debug)]
pub struct Took {
    /// The provider's id.
    pub conversation: ConversationId,
    /// How long it lasted.
    pub seconds: i64,
    /// The provider's credits.
    pub credits: i64,
    /// Time of the report.
    pub at: At,
}

/// Calls that were accepted after `since`.
///
/// # Errors
/// When the query fails.
pub async fn calls(client: &impl GenericClient, since: At) -> Result<Vec<Done>, StoreError> {
    client.query(CALLS, &[&timestamp(since), &ROWS_MAX]).await?.iter().map(done).collect()
}

/// Calls that have not ended.
///
/// # Errors
/// When the query fails.
pub async fn live(client: &impl GenericClient) -> Result<Vec<LiveCaller>, StoreError> {
    let rows = client.query(LIVE, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(LiveCaller {
                call: CallId(row.try_get::<_, Uuid>(0)?.as_u128()),
                account: row.try_get(1)?,
                caller: row.try_get(2)?,
                has_conversation: row.try_get(3)?,
            })
        })
        .collect()
}

/// Clone uploads that began after `since`.
///
/// # Errors
/// When the query fails.
pub async fn clones(client: &impl GenericClient, since: At) -> Result<Vec<Done>, StoreError> {
    client.query(CLONES, &[&timestamp(since), &ROWS_MAX]).await?.iter().map(done).collect()
}

/// Conversations whose report came after `since`.
///
/// # Errors
/// When the query fails.
pub async fn conversations(client: &impl GenericClient, since: At) -> Result<Vec<Took>, StoreError> {
    let rows = client.query(CONVERSATIONS, &[&timestamp(since), &ROWS_MAX]).await?;
    rows.iter()
        .map(|row| {
            Ok(Took {
                conversation: ConversationId::new(row.try_get::<_, String>(0)?),
                seconds: row.try_get(1)?,
                credits: row.try_get(2)?,
                at: at(row, 3)?,
            })
        })
        .collect()
}

fn done(row: &Row) -> Result<Done, StoreError> {
    Ok(Done { account: row.try_get(0)?, caller: row.try_get(1)?, at: at(row, 2)? })
}

fn at(row: &Row, column: usize) -> Result<At, StoreError> {
    Ok(At(row.try_get::<_, jiff::Timestamp>(column)?.as_microsecond()))
}
