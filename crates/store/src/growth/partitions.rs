//! The pieces of the tables that grow: made ahead, and dropped when everything in them is old.
//!
//! Names and bounds are ours alone: statements that make tables take no parameters.

use std::time::Duration;

use deadpool_postgres::Pool;
use precall_call::At;
use tokio_postgres::{Client, Row, Transaction};
use uuid::Uuid;

use crate::error::StoreError;
use crate::events::event_log::timestamp;

const WEEK: i64 = 7 * DAY;
const DAY: i64 = 24 * 3600;
/// Pieces that are there before they are needed, the one of today included: more than any time without a look at them.
const AHEAD: i64 = 8;
/// A statement that makes or drops a piece waits for those that run, and all others wait behind it.
const PATIENCE: &str = "set lock_timeout = '1s'";
const NO_PATIENCE: &str = "reset lock_timeout";
/// In a transaction, until its end.
const PATIENCE_HERE: &str = "set local lock_timeout = '1s'";

// The bound is in the catalogue as it was written.
const PIECES: &str = "
    select p.relname, c.relname,
        substring(pg_get_expr(c.relpartbound, c.oid) from 'TO \\(''([^'']+)''\\)') as until
    from pg_inherits i join pg_class p on p.oid = i.inhparent join pg_class c on c.oid = i.inhrelid
    where p.relname in ('call_events', 'voice_events', 'webhooks') and p.relnamespace = current_schema()::regnamespace
    order by 1, 2";

/// The statements of this file, for the test that prepares them all.
pub const STATEMENTS: &[&str] = &[PIECES];

/// A table that is cut into pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Pieces of a week.
    CallEvents,
    /// Pieces of a week.
    VoiceEvents,
    /// Pieces of a day.
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

    /// The name of the piece that begins then, seconds since 1970.
    fn piece(self, from: i64) -> String {
        let day = timestamp(At(from.saturating_mul(1_000_000))).strftime("%Y%m%d").to_string();
        format!("{}_{day}", self.name())
    }

    /// The statement that makes it.
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

/// The least id that is made at this time or later.
#[must_use]
pub fn first_id(at: At) -> Uuid {
    let millis = u128::try_from(at.0.max(0) / 1_000).unwrap_or(0);
    Uuid::from_u128(millis << 80)
}

/// A piece of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its own name.
    pub name: String,
    /// Of which table.
    pub table: Table,
    /// Everything in it is from before that; none for the piece that takes what no other does.
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

/// Makes the pieces of now and of the time to come that are not there. Returns how many could not be made: somebody holds the table, or the
/// piece that takes what no other does has rows of theirs.
///
/// # Errors
/// When the database cannot be asked.
pub async fn make_ahead(pool: &Pool, now: At) -> Result<usize, StoreError> {
    let client = pool.get().await?;
    let there = pieces(&client).await?;
    let mut not_made = 0_usize;
    client.batch_execute(PATIENCE).await?;
    for table in Table::ALL {
        let size = table.seconds();
        // Weeks begin on Mondays; the first day of 1970 was a Thursday.
        let offset = if size == WEEK { 4 * DAY } else { 0 };
        let seconds = now.0.div_euclid(1_000_000);
        let this =
            seconds.saturating_sub(offset).div_euclid(size).saturating_mul(size).saturating_add(offset);
        // A webhook may be of yesterday, and comes within minutes.
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
    client.batch_execute(NO_PATIENCE).await?;
    Ok(not_made)
}

/// All pieces that there are.
///
/// # Errors
/// When the database cannot be asked.
pub async fn pieces(client: &Client) -> Result<Vec<Piece>, StoreError> {
    let rows = client.query(PIECES, &[]).await?;
    let pieces: Result<Vec<Option<Piece>>, StoreError> = rows.iter().map(Piece::read).collect();
    Ok(pieces?.into_iter().flatten().collect())
}

/// Drops a piece, and everything in it.
///
/// # Errors
/// When somebody reads the table for longer than one waits for it, or the database cannot be asked.
pub async fn drop_piece(transaction: &Transaction<'_>, piece: &Piece) -> Result<(), StoreError> {
    let name = piece.name.replace('"', "");
    Ok(transaction.batch_execute(&format!("{PATIENCE_HERE}; drop table \"{name}\"")).await?)
}

/// Days as a span.
#[must_use]
pub fn days(days: u64) -> Duration {
    Duration::from_secs(days.saturating_mul(DAY.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_begins_with_the_first_id_of_its_time() {
        let at = At(1_796_601_600_000_000); // 2026-12-07, a Monday.
        assert_eq!(first_id(at).to_string(), "01a24dcc-d800-0000-0000-000000000000");
        assert_eq!(
            Table::CallEvents.making(1_796_601_600),
            "create table if not exists call_events_20261207 partition of call_events for values from \
             ('01a24dcc-d800-0000-0000-000000000000') to ('01a271d9-5c00-0000-0000-000000000000')"
        );
        assert!(
            Table::Webhooks.making(0).ends_with("from ('1970-01-01T00:00:00Z') to ('1970-01-02T00:00:00Z')")
        );
    }
}
