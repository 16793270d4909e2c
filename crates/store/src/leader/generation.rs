//! The generation of the engine (its start number), and the last position of the logs.

use tokio_postgres::GenericClient;

use crate::error::StoreError;

const NEXT: &str = "select nextval('engine_generation')";

const LAST_POSITION: &str = "
    select greatest((select coalesce(max(position), 0) from call_events),
        (select coalesce(max(position), 0) from voice_events))";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[NEXT, LAST_POSITION];

/// Takes the generation number of this start.
///
/// # Errors
/// When the query fails.
pub async fn next(client: &impl GenericClient) -> Result<u64, StoreError> {
    let number: i64 = client.query_one(NEXT, &[]).await?.try_get(0)?;
    Ok(u64::try_from(number).unwrap_or(0))
}

/// The position of the last event in both logs.
///
/// # Errors
/// When the query fails.
pub async fn last_position(client: &impl GenericClient) -> Result<i64, StoreError> {
    Ok(client.query_one(LAST_POSITION, &[]).await?.try_get(0)?)
}
