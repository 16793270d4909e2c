//! Open alerts, kept over a restart.

use deadpool_postgres::Pool;
use precall_call::At;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::StoreError;
use crate::events::event_log::timestamp;
use crate::reads::read_only::{LONGEST, in_time, read};

const READ: &str = "select rule, opened_at, told_at, ended_at, words from alerts";

const PUT: &str = "
    insert into alerts (rule, opened_at, told_at, ended_at, words) values ($1, $2, $3, $4, $5)
    on conflict (rule) do update set opened_at = excluded.opened_at, told_at = excluded.told_at,
        ended_at = excluded.ended_at, words = excluded.words";

const DROP_OTHERS: &str = "delete from alerts where not (rule = any($1))";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[READ, PUT, DROP_OTHERS];

/// An alert that is open, or whose end is not told yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertRow {
    /// The name of its rule.
    pub rule: String,
    /// When it was opened.
    pub opened_at: At,
    /// When a message about it was last sent.
    pub told_at: Option<At>,
    /// When it ended; none while it is open.
    pub ended_at: Option<At>,
    /// What happened; without secrets and whole numbers.
    pub words: String,
}

/// All rows.
///
/// # Errors
/// When the query fails.
pub async fn all(pool: &Pool) -> Result<Vec<AlertRow>, StoreError> {
    read(pool, READ, &[]).await?.iter().map(row).collect()
}

/// Replaces all rows by these.
///
/// # Errors
/// When a statement fails. Then the rows are as they were.
pub async fn replace(pool: &Pool, rows: &[AlertRow]) -> Result<(), StoreError> {
    in_time(async {
        let mut client = pool.get().await?;
        let transaction = client.transaction().await?;
        transaction.batch_execute(LONGEST).await?;
        let kept: Vec<&str> = rows.iter().map(|row| row.rule.as_str()).collect();
        transaction.execute(DROP_OTHERS, &[&kept]).await?;
        for row in rows {
            let (told, ended) = (row.told_at.map(timestamp), row.ended_at.map(timestamp));
            let values: [&(dyn ToSql + Sync); 5] =
                [&row.rule, &timestamp(row.opened_at), &told, &ended, &row.words];
            transaction.execute(PUT, &values).await?;
        }
        transaction.commit().await?;
        Ok(())
    })
    .await
}

fn row(row: &Row) -> Result<AlertRow, StoreError> {
    let at = |time: jiff::Timestamp| At(time.as_microsecond());
    Ok(AlertRow {
        rule: row.try_get(0)?,
        opened_at: at(row.try_get(1)?),
        told_at: row.try_get::<_, Option<jiff::Timestamp>>(2)?.map(at),
        ended_at: row.try_get::<_, Option<jiff::Timestamp>>(3)?.map(at),
        words: row.try_get(4)?,
    })
}
