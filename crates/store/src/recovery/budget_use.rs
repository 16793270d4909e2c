//! What budgets must remember over a restart: calls of the last hour, clones and conversations of the last day, and who was live.

use precall_call::{At, CallId, ConversationId};
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::error::StoreError;
use crate::events::event_log::timestamp;

/// More than that no installation has in a day; of more, the newest are read.
const ROWS_MAX: i64 = 1_000_000;

// Calls that were refused, or over before they came, used nothing.
const CALLS: &str = "
    select c.account_id, c.caller_id, c.call_started_at from call_log c
    join call_events e on e.call = c.id and e.seq = 1 and e.event ->> 'admission' = 'accepted'
    where c.call_started_at > $1 and c.caller_id is not null order by c.call_started_at desc limit $2";

const LIVE: &str = "
    select id, account_id, caller_id, state in ('handing_off', 'conversing') or (state = 'greeting' and route = 'callback')
    from call_log where state <> 'released' and last_seq > 0";

// One that failed left nothing at the provider. Whose it was may have been erased.
const CLONES: &str = "
    select coalesce(r.pii ->> 'account_id', 'default'), coalesce(r.pii ->> 'caller_id', ''), r.at from voice_events r
    where r.event ->> 'kind' = 'clone_requested' and r.at > $1 and not exists (
        select from voice_events f where f.job = r.job and f.event ->> 'kind' = 'clone_failed')
    order by r.at desc limit $2";

const CONVERSATIONS: &str = "
    select provider_id, coalesce(duration_seconds, 0)::bigint,
        case jsonb_typeof(report -> 'cost') when 'number' then (report ->> 'cost')::bigint else 0 end, reported_at
    from conversations where reported_at > $1 and provider_id is not null order by reported_at desc limit $2";

/// The statements of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[CALLS, LIVE, CLONES, CONVERSATIONS];

/// Something that a caller did.
#[derive(Clone, Debug)]
pub struct Done {
    /// Whose caller.
    pub account: String,
    /// E.164 or extension; empty where it was erased.
    pub caller: String,
    /// When.
    pub at: At,
}

/// A call that is not over.
#[derive(Clone, Debug)]
pub struct LiveCaller {
    /// The call.
    pub call: CallId,
    /// Whose caller.
    pub account: String,
    /// E.164 or extension, where it is known.
    pub caller: Option<String>,
    /// Whether a conversation at the provider may be open for it.
    pub has_conversation: bool,
}

/// What a conversation took.
#[derive(Clone, Debug)]
pub struct Took {
    /// The provider's id.
    pub conversation: ConversationId,
    /// How long it lasted.
    pub seconds: i64,
    /// The provider's credits.
    pub credits: i64,
    /// When it was reported.
    pub at: At,
}

/// Calls that were taken after `since`.
///
/// # Errors
/// When the database cannot be asked.
pub async fn calls(client: &impl GenericClient, since: At) -> Result<Vec<Done>, StoreError> {
    client.query(CALLS, &[&timestamp(since), &ROWS_MAX]).await?.iter().map(done).collect()
}

/// Calls that are not over.
///
/// # Errors
/// When the database cannot be asked.
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

/// Uploads that began after `since`.
///
/// # Errors
/// When the database cannot be asked.
pub async fn clones(client: &impl GenericClient, since: At) -> Result<Vec<Done>, StoreError> {
    client.query(CLONES, &[&timestamp(since), &ROWS_MAX]).await?.iter().map(done).collect()
}

/// Conversations that were reported after `since`.
///
/// # Errors
/// When the database cannot be asked.
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
