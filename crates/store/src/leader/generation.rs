//! Where the engine begins: which start of it this is, and where the logs stand.

use tokio_postgres::GenericClient;

use crate::error::StoreError;

const NEXT: &str = "select nextval('engine_generation')";

const LAST_POSITION: &str = "
    select greatest((select coalesce(max(position), 0) from call_events),
        (select coalesce(max(position), 0) from voice_events))";

/// The statements of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[NEXT, LAST_POSITION];

/// This start's number.
///
/// # Errors
/// When the database cannot be asked.
pub async fn next(client: &impl GenericClient) -> Result<u64, StoreError> {
    let number: i64 = client.query_one(NEXT, &[]).await?.try_get(0)?;
    Ok(u64::try_from(number).unwrap_or(0))
}

/// The position of the last event.
///
/// # Errors
/// When the database cannot be asked.
pub async fn last_position(client: &impl GenericClient) -> Result<i64, StoreError> {
    Ok(client.query_one(LAST_POSITION, &[]).await?.try_get(0)?)
}
