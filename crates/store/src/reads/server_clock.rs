//! The clock of the database server, for `precall check`.

use tokio_postgres::GenericClient;

use crate::error::StoreError;

const SECONDS: &str = "select extract(epoch from clock_timestamp())::bigint";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[SECONDS];

/// Seconds since 1970 by the server's clock.
///
/// # Errors
/// When the query fails.
pub async fn seconds(client: &impl GenericClient) -> Result<i64, StoreError> {
    Ok(client.query_one(SECONDS, &[]).await?.try_get(0)?)
}
