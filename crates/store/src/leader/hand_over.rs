//! The legs that a process which has left by plan still plays into. It writes the list, its successor reads it.
//!
//! The row is advice and not fenced: without it the successor takes all legs at once.

use tokio_postgres::GenericClient;

use crate::error::StoreError;

const WRITE: &str = "
    insert into hand_over (generation, beat, legs, token) values ($1, $2, $3, $4)
    on conflict (one) do update set generation = excluded.generation, beat = excluded.beat, legs = excluded.legs,
        token = coalesce(excluded.token, hand_over.token),
        has_calls = hand_over.has_calls and hand_over.generation = excluded.generation
    where hand_over.generation <= excluded.generation
    returning has_calls";
const HAS_CALLS: &str = "update hand_over set has_calls = true where generation = $1";
const FORGET_TOKEN: &str = "update hand_over set token = null where generation = $1";

// A process of a version before this table leaves none.
const TABLE: &str = "select to_regclass('hand_over') is not null";
const LEFT: &str = "
    select h.generation, h.beat, h.legs, h.token from hand_over h
    join engine_lease l on l.generation = h.generation and l.released";
const READ: &str = "select generation, beat, legs, null::bytea from hand_over where generation = $1";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[WRITE, HAS_CALLS, FORGET_TOKEN, TABLE, LEFT, READ];

/// What a process that has left says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOverRow {
    /// The process.
    pub generation: u64,
    /// How often it has said so. A process that ended or froze says nothing.
    pub beat: u64,
    /// Legs that it still plays into, in the writer's notation.
    pub legs: Vec<String>,
    /// The access token of 3CX, sealed; only in the first list.
    pub token: Option<Vec<u8>>,
}

/// Writes the list. A newer process's list stays. Returns whether the successor has read the calls back.
///
/// # Errors
/// When the query fails.
pub async fn write(client: &impl GenericClient, row: &HandOverRow) -> Result<bool, StoreError> {
    let HandOverRow { generation, beat, legs, token } = row;
    let written = client.query_opt(WRITE, &[&number(*generation), &number(*beat), legs, token]).await?;
    // A row that was not written is that of a successor.
    written.map_or(Ok(true), |row| Ok(row.try_get(0)?))
}

/// Says that the successor of this generation has read the calls back.
///
/// # Errors
/// When the query fails.
pub async fn set_has_calls(client: &impl GenericClient, generation: u64) -> Result<(), StoreError> {
    client.execute(HAS_CALLS, &[&number(generation)]).await?;
    Ok(())
}

/// Takes the token out: the successor has it, or there is none.
///
/// # Errors
/// When the query fails.
pub async fn forget_token(client: &impl GenericClient, generation: u64) -> Result<(), StoreError> {
    client.execute(FORGET_TOKEN, &[&number(generation)]).await?;
    Ok(())
}

/// The list of the last leader, if it has left by plan.
///
/// # Errors
/// When a query fails.
pub async fn of_last_leader(client: &impl GenericClient) -> Result<Option<HandOverRow>, StoreError> {
    if !client.query_one(TABLE, &[]).await?.try_get::<_, bool>(0)? {
        return Ok(None);
    }
    client.query_opt(LEFT, &[]).await?.map(row).transpose()
}

/// The list of this generation.
///
/// # Errors
/// When the query fails.
pub async fn read(client: &impl GenericClient, generation: u64) -> Result<Option<HandOverRow>, StoreError> {
    client.query_opt(READ, &[&number(generation)]).await?.map(row).transpose()
}

fn row(row: tokio_postgres::Row) -> Result<HandOverRow, StoreError> {
    let count = |value: i64| u64::try_from(value).unwrap_or(0);
    Ok(HandOverRow {
        generation: count(row.try_get(0)?),
        beat: count(row.try_get(1)?),
        legs: row.try_get(2)?,
        token: row.try_get(3)?,
    })
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
