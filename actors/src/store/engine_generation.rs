//! Counts the starts of the engine on this database.

use tokio_postgres::GenericClient;

use super::error::StoreError;

const NEXT: &str = "select nextval('engine_generation')";

/// The statements of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[NEXT];

/// This start's number.
///
/// # Errors
/// When the database cannot be asked.
pub async fn next(client: &impl GenericClient) -> Result<u64, StoreError> {
    let number: i64 = client.query_one(NEXT, &[]).await?.try_get(0)?;
    Ok(u64::try_from(number).unwrap_or(0))
}
