//! What an acting start takes over from the start before it: the right to write what that one left in its spool.
//!
//! A row of `adopted_spools` counts only while `engine` has its generation. It is written with the claim, in one
//! statement: there is no moment in which another start could have acted unseen.

use std::time::Duration;

use tokio_postgres::GenericClient;
use uuid::Uuid;

use super::lease;
use crate::error::StoreError;

// Older tables have neither the id nor the adoptions.
const STATE: &str = "
    select (to_jsonb(e) ->> 'database')::uuid, e.generation, to_regclass('adopted_spools') is not null from engine e";

const ADOPTED: &str = "select directory from adopted_spools where generation = $1";

const CLAIM: &str = "
    with claimed as (
        insert into engine as e (generation) values ($1)
        on conflict (one) do update set generation = excluded.generation, since = now() where e.generation = $2
        returning database),
    lease as (
        insert into engine_lease (generation, beat, lease_ms, released, process, home)
        select $1, 0, $4, false, $5, 'engine_lease'::regclass from claimed
        on conflict (one) do update set generation = excluded.generation, beat = 0, lease_ms = excluded.lease_ms,
            released = false, process = excluded.process, home = excluded.home),
    forgotten as (
        delete from adopted_spools where directory <> all ($3) and exists (select from claimed)),
    adopted as (
        insert into adopted_spools (directory, generation)
        select directory, $1 from unnest($3::uuid[]) as n (directory) cross join claimed
        on conflict (directory) do update set generation = excluded.generation)
    select database from claimed";

const FORGET: &str = "delete from adopted_spools where directory = any ($1)";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[STATE, ADOPTED, CLAIM, FORGET];

/// What the database says of itself and of its starts.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// Its id; none before its first start, or on older tables.
    pub(crate) database: Option<Uuid>,
    /// The generation of the start that acts or acted last.
    pub(crate) generation: Option<u64>,
    /// The spool directories that this start has taken over.
    pub(crate) adopted: Vec<Uuid>,
}

/// Reads the state.
///
/// # Errors
/// When the query fails.
pub(crate) async fn state(client: &impl GenericClient) -> Result<State, StoreError> {
    let Some(row) = client.query_opt(STATE, &[]).await? else { return Ok(State::default()) };
    let (number, has_adoptions): (i64, bool) = (row.try_get(1)?, row.try_get(2)?);
    let rows = if has_adoptions { client.query(ADOPTED, &[&number]).await? } else { Vec::new() };
    Ok(State {
        database: row.try_get(0)?,
        generation: u64::try_from(number).ok(),
        adopted: rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?,
    })
}

/// Makes this start the active one, with a lease, if the last one is `before`, and gives it these spool directories.
/// Waits for running writes of an earlier start. Returns the id of the database.
///
/// # Errors
/// [`StoreError::Superseded`] when another start has acted meanwhile. Else when the query fails.
pub(crate) async fn claim(
    client: &impl GenericClient,
    generation: u64,
    before: Option<u64>,
    directories: &[Uuid],
    lease: Duration,
    process: Uuid,
) -> Result<Uuid, StoreError> {
    let number = |generation: u64| i64::try_from(generation).unwrap_or(i64::MAX);
    // No generation is negative: without an earlier start the row must be new.
    let before = before.map_or(-1, number);
    let lease = lease::milliseconds(lease);
    match client.query_opt(CLAIM, &[&number(generation), &before, &directories, &lease, &process]).await? {
        Some(row) => Ok(row.try_get(0)?),
        None => Err(StoreError::Superseded),
    }
}

/// Forgets directories that are empty.
///
/// # Errors
/// When the query fails.
pub(crate) async fn forget(client: &impl GenericClient, directories: &[Uuid]) -> Result<(), StoreError> {
    client.execute(FORGET, &[&directories]).await?;
    Ok(())
}
