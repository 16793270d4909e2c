//! The audit log: what administrators changed. Each row is written in the transaction of the change.

use deadpool_postgres::Pool;
use jiff::Timestamp;
use precall_call::At;
use serde_json::Value;
use tokio_postgres::GenericClient;
use uuid::Uuid;

use crate::StoreError;
use crate::events::event_log::timestamp;
use crate::reads::read_only::read;

const RECORD: &str =
    "insert into audit_log (id, at, who, action, subject, detail) values ($1, $2, $3, $4, $5, $6)";

const LIST: &str = "
    select id, at, who, action, subject, detail from audit_log
    where id < $1 and ($3::text is null or who = $3) and ($4::text is null or action = $4)
        and ($5::uuid is null or subject = $5)
    order by id desc limit $2";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[RECORD, LIST];

/// Records who changed what. `detail` must not hold personal data.
///
/// # Errors
/// When the query fails.
pub async fn record(
    client: &impl GenericClient,
    who: &str,
    action: &str,
    subject: Option<Uuid>,
    detail: Option<Value>,
    now: At,
) -> Result<(), StoreError> {
    client.execute(RECORD, &[&Uuid::now_v7(), &timestamp(now), &who, &action, &subject, &detail]).await?;
    Ok(())
}

/// One recorded change.
#[derive(Clone, Debug)]
pub struct AuditRow {
    /// The id, a time-ordered UUID.
    pub id: Uuid,
    /// Time of the change.
    pub at: Timestamp,
    /// Who did it: the name of an API key, or `command line`.
    pub who: String,
    /// The action.
    pub action: String,
    /// The mapping, speaker or call that was changed.
    pub subject: Option<Uuid>,
    /// Details, without personal data.
    pub detail: Option<Value>,
}

/// Which changes are wanted. None of a field: all.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// The name of an API key, or `command line`.
    pub who: Option<String>,
    /// The action.
    pub action: Option<String>,
    /// The mapping, speaker or call that was changed.
    pub subject: Option<Uuid>,
}

/// At most `limit` changes that fit, older than `before`, the newest first.
///
/// # Errors
/// When the query fails.
pub async fn list(
    pool: &Pool,
    filter: &AuditFilter,
    before: Uuid,
    limit: i64,
) -> Result<Vec<AuditRow>, StoreError> {
    let AuditFilter { who, action, subject } = filter;
    let rows = read(pool, LIST, &[&before, &limit, who, action, subject]).await?;
    rows.iter()
        .map(|row| {
            Ok(AuditRow {
                id: row.try_get(0)?,
                at: row.try_get(1)?,
                who: row.try_get(2)?,
                action: row.try_get(3)?,
                subject: row.try_get(4)?,
                detail: row.try_get(5)?,
            })
        })
        .collect()
}
