//! Partitions of the growing tables: created ahead of time, dropped when all their rows are old.
//!
//! DDL takes no parameters, so names and bounds go into the SQL text. All of them are precall's own.

use std::time::Duration;

use deadpool_postgres::Pool;
use precall_call::At;
use tokio_postgres::{Client, Row, Transaction};
use uuid::Uuid;

use crate::error::StoreError;
use crate::events::event_log::timestamp;

const WEEK: i64 = 7 * DAY;
const DAY: i64 = 24 * 3600;
/// Partitions to have in advance, including the current one. They last longer than any gap between two runs.
const AHEAD: i64 = 8;
/// A statement that creates or drops a partition waits for running ones, and all later ones wait behind it. So it must
/// not wait long.
const LOCK_TIMEOUT: &str = "set lock_timeout = '1s'";
const NO_LOCK_TIMEOUT: &str = "reset lock_timeout";
/// The same for the rest of a transaction.
const LOCK_TIMEOUT_HERE: &str = "set local lock_timeout = '1s'";

// The catalogue stores the bound as it was written.
const PIECES: &str = "
    select p.relname, c.relname,
        substring(pg_get_expr(c.relpartbound, c.oid) from 'TO \\(''([^'']+)''\\)') as until
    from pg_inherits i join pg_class p on p.oid = i.inhparent join pg_class c on c.oid = i.inhrelid
    where p.relname in ('call_events', 'voice_events', 'webhooks') and p.relnamespace = current_schema()::regnamespace
    order by 1, 2";

/// All statements of this file, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[PIECES];

/// A partitioned table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Weekly partitions.
    CallEvents,
    /// Weekly partitions.
    VoiceEvents,
    /// Daily partitions.
    Webhooks,
}

impl Table {
    const ALL: [Self; 3] = [Self::CallEvents, Self::VoiceEvents, Self::Webhooks];

    fn name(self) -> &'static str {
        match self {
            Self::CallEvents => "call_events",
            Self::VoiceEvents => "voice_events",
            Self::Webhooks => "webhooks",
        }
    }

    fn seconds(self) -> i64 {
        match self {
            Self::CallEvents | Self::VoiceEvents => WEEK,
            Self::Webhooks => DAY,
        }
    }

    /// The name of the partition that begins at this time, in seconds since 1970.
    fn piece(self, from: i64) -> String {
        let day = timestamp(At(from.saturating_mul(1_000_000))).strftime("%Y%m%d").to_string();
        format!("{}_{day}", self.name())
    }

    /// The statement that creates it.
    fn making(self, from: i64) -> String {
        let bound = |seconds: i64| match self {
            Self::CallEvents | Self::VoiceEvents => {
                first_id(At(seconds.saturating_mul(1_000_000))).to_string()
            }
            Self::Webhooks => timestamp(At(seconds.saturating_mul(1_000_000))).to_string(),
        };
        let (name, until) = (self.name(), from.saturating_add(self.seconds()));
        format!(
            "create table if not exists {} partition of {name} for values from ('{}') to ('{}')",
            self.piece(from),
            bound(from),
            bound(until)
        )
    }
}

/// The smallest id that precall creates at this time or later.
#[must_use]
pub fn first_id(at: At) -> Uuid {
    let millis = u128::try_from(at.0.max(0) / 1_000).unwrap_or(0);
    Uuid::from_u128(millis << 80)
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its name.
    pub name: String,
    /// Its table.
    pub table: Table,
    /// All its rows are older than this; none for the default partition.
    pub until: Option<At>,
}

impl Piece {
    fn read(row: &Row) -> Result<Option<Self>, StoreError> {
        let (table, name, until): (String, String, Option<String>) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let Some(table) = Table::ALL.into_iter().find(|known| known.name() == table) else { return Ok(None) };
        let until = until.and_then(|until| match table {
            Table::CallEvents | Table::VoiceEvents => {
                let millis = Uuid::try_parse(&until).ok()?.as_u128() >> 80;
                Some(At(i64::try_from(millis).ok()?.saturating_mul(1_000)))
            }
            Table::Webhooks => {
                Some(At(until.replacen(' ', "T", 1).parse::<jiff::Timestamp>().ok()?.as_microsecond()))
            }
        });
        Ok(Some(Self { name, table, until }))
    }
}

/// Creates the missing partitions of now and of the near future. Returns how many could not be created: another session
/// locks the table, or the default partition already has rows in their range.
///
/// # Errors
/// When the query fails.
pub async fn make_ahead(pool: &Pool, now: At) -> Result<usize, StoreError> {
    let client = pool.get().await?;
    let there = pieces(&client).await?;
    let mut not_made = 0_usize;
    client.batch_execute(LOCK_TIMEOUT).await?;
    for table in Table::ALL {
        let size = table.seconds();
        // Weeks begin on Mondays; the first day of 1970 was a Thursday.
        let offset = if size == WEEK { 4 * DAY } else { 0 };
        let seconds = now.0.div_euclid(1_000_000);
        let this =
            seconds.saturating_sub(offset).div_euclid(size).saturating_mul(size).saturating_add(offset);
        // A webhook arrives within minutes, so its time may be yesterday.
        let first = if table == Table::Webhooks { -1 } else { 0 };
        for n in first..AHEAD {
            let from = this.saturating_add(size.saturating_mul(n));
            let covered = At(from.saturating_mul(1_000_000));
            let oldest = there.iter().filter(|piece| piece.table == table && piece.name.ends_with("_before"));
            if oldest.filter_map(|piece| piece.until).any(|until| covered < until) {
                continue;
            }
            let name = table.piece(from);
            if there.iter().any(|piece| piece.name == name) {
                continue;
            }
            if client.batch_execute(&table.making(from)).await.is_err() {
                not_made = not_made.saturating_add(1);
            }
        }
    }
    client.batch_execute(NO_LOCK_TIMEOUT).await?;
    Ok(not_made)
}

/// All existing partitions.
///
/// # Errors
/// When the query fails.
pub async fn pieces(client: &Client) -> Result<Vec<Piece>, StoreError> {
    let rows = client.query(PIECES, &[]).await?;
    let pieces: Result<Vec<Option<Piece>>, StoreError> = rows.iter().map(Piece::read).collect();
    Ok(pieces?.into_iter().flatten().collect())
}

/// Drops a partition with its rows.
///
/// # Errors
/// When another session holds the table for longer than a second, or the query fails.
pub(crate) async fn drop_piece(transaction: &Transaction<'_>, piece: &Piece) -> Result<(), StoreError> {
    let name = piece.name.replace('"', "");
    Ok(transaction.batch_execute(&format!("{LOCK_TIMEOUT_HERE}; drop table \"{name}\"")).await?)
}

/// A time span of whole days.
#[must_use]
pub fn days(days: u64) -> Duration {
    Duration::from_secs(days.saturating_mul(DAY.unsigned_abs()))
}

#[cfg(test)]
mod tests;
