//! How calls ended, counted by time, for the histogram of the history.

use deadpool_postgres::Pool;
use jiff::Timestamp;
use tokio_postgres::types::Type;

use super::call_list::{CallFilter, Statement};
use crate::StoreError;
use crate::reads::read_only::read_once;

/// A span of time in parts of equal width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its begin.
    pub since: Timestamp,
    /// Its end, which is not part of it.
    pub until: Timestamp,
    /// Width of a part in seconds, above 0.
    pub width_seconds: i64,
}

/// Calls that came in during one part of the span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bin {
    /// Begin of the part.
    pub since: Timestamp,
    /// Calls with an agent conversation that did not end with a person.
    pub completed: i64,
    /// Calls that went on to a person.
    pub to_person: i64,
    /// Calls without an agent conversation and without a person.
    pub failed: i64,
    /// Calls that have not ended.
    pub live: i64,
}

// Grouped and not filtered in each count: a million calls take half the time.
const COUNT: &str = "
    select date_bin($3::int8 * interval '1 second', call_started_at, $1::timestamptz) as since,
        case when told = 'person' then told else status end as outcome, count(*) as calls
    from call_log where call_started_at >= $1 and call_started_at < $2";

/// The parts of the span that have calls, in their order. The times of the filter do not count.
///
/// # Errors
/// When the query fails.
pub async fn bins(pool: &Pool, filter: &CallFilter, span: &Span) -> Result<Vec<Bin>, StoreError> {
    let mut statement = Statement {
        text: COUNT.to_owned(),
        values: vec![
            (&span.since, Type::TIMESTAMPTZ),
            (&span.until, Type::TIMESTAMPTZ),
            (&span.width_seconds, Type::INT8),
        ],
    };
    filter.narrow(&mut statement);
    statement.text.push_str(" group by 1, 2 order by 1");
    let rows = read_once(pool, &statement.text, &statement.values).await?;
    let mut bins: Vec<Bin> = Vec::new();
    for row in rows {
        let since: Timestamp = row.try_get("since")?;
        if bins.last().is_none_or(|bin| bin.since != since) {
            bins.push(Bin { since, ..Bin::default() });
        }
        let Some(bin) = bins.last_mut() else { continue };
        let calls = row.try_get("calls")?;
        match row.try_get("outcome")? {
            "person" => bin.to_person = calls,
            "completed" => bin.completed = calls,
            "failed" => bin.failed = calls,
            _ => bin.live = calls,
        }
    }
    Ok(bins)
}
