//! Live calls whose callers are at the PBX, and which PBX that is: a start must not leave them behind.

use tokio_postgres::GenericClient;

use crate::error::StoreError;

const READ: &str = "
    select (select count(*) from call_log
            where state <> 'released' and last_seq > 0 and route in ('bridge', 'transfer')),
        (select pbx from engine)";

const SET_PBX: &str = "update engine set pbx = $1 where pbx is distinct from $1";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[READ, SET_PBX];

/// Live calls on routes with a live leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveAtPbx {
    /// Their number.
    pub calls: i64,
    /// The PBX of the last engine; none if it had none, and before the first start of this version.
    pub pbx: Option<String>,
}

/// Reads the live calls of the last engine.
///
/// # Errors
/// When the query fails.
pub async fn read(client: &impl GenericClient) -> Result<LiveAtPbx, StoreError> {
    let row = client.query_one(READ, &[]).await?;
    Ok(LiveAtPbx { calls: row.try_get(0)?, pbx: row.try_get(1)? })
}

/// Records the PBX of this engine, after it has claimed its generation.
///
/// # Errors
/// When the query fails.
pub async fn set_pbx(client: &impl GenericClient, pbx: Option<&str>) -> Result<(), StoreError> {
    client.execute(SET_PBX, &[&pbx]).await?;
    Ok(())
}
