//! Lines whose new calls go to the fallback destination at once, because an operator said so.

use deadpool_postgres::Pool;
use precall_call::At;
use serde_json::json;
use tokio_postgres::Row;

use crate::StoreError;
use crate::events::event_log::timestamp;
use crate::people::audit;
use crate::reads::read_only::{LONGEST, in_time, read};

const READ: &str = "select line, is_on, until, reason, who, changed_at from bypass";

// An older change never replaces a newer one, wherever it was made.
const PUT: &str = "
    insert into bypass as b (line, is_on, until, reason, who, changed_at) values ($1, $2, $3, $4, $5, $6)
    on conflict (line) do update set is_on = excluded.is_on, until = excluded.until, reason = excluded.reason,
        who = excluded.who, changed_at = excluded.changed_at
    where b.changed_at < excluded.changed_at
    returning true";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[READ, PUT];

/// What an operator last said of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BypassRow {
    /// The line; empty for every line.
    pub line: String,
    /// Whether new calls are sent away.
    pub is_on: bool,
    /// Until when; none until somebody switches it off.
    pub until: Option<At>,
    /// Why, in the operator's words.
    pub reason: String,
    /// The name of the API key.
    pub who: String,
    /// When it was said.
    pub changed_at: At,
}

/// What was last said of each line.
///
/// # Errors
/// When the query fails.
pub async fn all(pool: &Pool) -> Result<Vec<BypassRow>, StoreError> {
    read(pool, READ, &[]).await?.iter().map(row).collect()
}

/// Writes what is newer than the row of its line, with an audit row. Returns whether it was.
///
/// # Errors
/// When a statement fails.
pub async fn put(pool: &Pool, new: &BypassRow) -> Result<bool, StoreError> {
    in_time(async {
        let mut client = pool.get().await?;
        let transaction = client.transaction().await?;
        transaction.batch_execute(LONGEST).await?;
        let (until, changed) = (new.until.map(timestamp), timestamp(new.changed_at));
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&new.line, &new.is_on, &until, &new.reason, &new.who, &changed];
        let is_news = transaction.query_opt(PUT, &values).await?.is_some();
        if is_news {
            let action = if new.is_on { "bypass_switched_on" } else { "bypass_switched_off" };
            let line = Some(&new.line).filter(|line| !line.is_empty());
            let detail = json!({ "line": line, "reason": new.reason, "until": until });
            audit::record(&*transaction, &new.who, action, None, Some(detail), new.changed_at).await?;
        }
        transaction.commit().await?;
        Ok(is_news)
    })
    .await
}

fn at(time: jiff::Timestamp) -> At {
    At(time.as_microsecond())
}

fn row(row: &Row) -> Result<BypassRow, StoreError> {
    Ok(BypassRow {
        line: row.try_get(0)?,
        is_on: row.try_get(1)?,
        until: row.try_get::<_, Option<jiff::Timestamp>>(2)?.map(at),
        reason: row.try_get(3)?,
        who: row.try_get(4)?,
        changed_at: at(row.try_get(5)?),
    })
}
