//! The identity of a call: what its actor needs beside the event log when it resumes the call after a restart.

use std::collections::HashMap;

use precall_call::CallId;
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use crate::error::StoreError;

const READ: &str = "
    select id, account_id, pbx, line, threecx_call_id, caller_id, called_number, canary
    from call_log where id = any($1)";

const UNRELEASED: &str =
    "select id, line from call_log where state <> 'released' and last_seq > 0 order by id";

// The log cannot be replayed, so no event can close the call: this statement changes the row directly.
const CLOSE_UNREADABLE: &str = "
    update call_log set state = 'released', cause = 'unreadable_log', blame = 'precall', told = 'nothing',
        status = case status when 'completed' then status else 'failed' end,
        call_ended_at = coalesce(call_ended_at, now()), updated_at = now()
    where id = $1 and state <> 'released'";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[READ, UNRELEASED, CLOSE_UNREADABLE];

/// The identity of a call, from `call_log`.
#[derive(Clone, Debug)]
pub struct StoredContext {
    /// The account.
    pub account: String,
    /// The name of the PBX.
    pub pbx: String,
    /// The line that was called.
    pub line: String,
    /// The id of the call at the PBX.
    pub threecx_call_id: Option<String>,
    /// The caller, E.164 or extension.
    pub caller: Option<String>,
    /// The number that was called.
    pub called: Option<String>,
    /// Whether it is a test call of precall itself.
    pub canary: bool,
}

/// Reads the identities of calls; those that do not exist are not among them.
///
/// # Errors
/// When the query fails.
pub async fn read(
    client: &impl GenericClient,
    calls: &[CallId],
) -> Result<HashMap<CallId, StoredContext>, StoreError> {
    let ids: Vec<Uuid> = calls.iter().map(|call| Uuid::from_u128(call.0)).collect();
    let rows = client.query(READ, &[&ids]).await?;
    let of_row = |row: &Row| {
        let context = StoredContext {
            account: row.try_get(1)?,
            pbx: row.try_get(2)?,
            line: row.try_get(3)?,
            threecx_call_id: row.try_get(4)?,
            caller: row.try_get(5)?,
            called: row.try_get(6)?,
            canary: row.try_get(7)?,
        };
        Ok((CallId(row.try_get::<_, Uuid>(0)?.as_u128()), context))
    };
    rows.iter().map(of_row).collect()
}

/// Calls that were live when the last engine stopped, each with its line.
///
/// # Errors
/// When the query fails.
pub async fn unreleased(client: &impl GenericClient) -> Result<Vec<(CallId, String)>, StoreError> {
    let rows = client.query(UNRELEASED, &[]).await?;
    rows.iter().map(|row| Ok((CallId(row.try_get::<_, Uuid>(0)?.as_u128()), row.try_get(1)?))).collect()
}

/// Closes a call whose log cannot be read.
///
/// # Errors
/// When the query fails.
pub async fn close_unreadable(client: &impl GenericClient, call: CallId) -> Result<(), StoreError> {
    client.execute(CLOSE_UNREADABLE, &[&Uuid::from_u128(call.0)]).await?;
    Ok(())
}
