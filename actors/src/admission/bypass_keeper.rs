//! Keeps the bypass over a restart: in a file beside the spool, so that it can be switched while the database is away,
//! and in the database, for every process that may lead. The newest word of both counts.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use precall_base::clock;
use precall_call::At;
use precall_store::StoreError;
use precall_store::bypass::{self, BypassRow};
use serde::{Deserialize, Serialize};
use slog::{Logger, info, warn};
use tokio::sync::Mutex;

use crate::admission::contract::Busy;
use crate::durability::leadership::EngineRole;
use crate::durability::persistence_state::PersistenceState;
use crate::limits::bypass::Bypass;

const NAME: &str = "bypass.json";
/// How often the database is asked: another process may have been told.
const EVERY: Duration = Duration::from_secs(1);
/// Pause while the database does not answer.
const EVERY_WHILE_AWAY: Duration = Duration::from_secs(5);
/// Time limit of an exchange with the database.
const WITHIN: Duration = Duration::from_secs(1);

/// The file and the table of the bypass.
#[derive(Debug)]
pub(crate) struct Keeper {
    bypass: Arc<Bypass>,
    /// None without a spool.
    path: Option<PathBuf>,
    /// Held while the file is written.
    one_writer: Mutex<()>,
    pool: Pool,
    state: Arc<PersistenceState>,
    log: Logger,
}

#[derive(Serialize, Deserialize)]
struct Record {
    line: String,
    is_on: bool,
    until: Option<i64>,
    reason: String,
    who: String,
    changed_at: i64,
}

impl Keeper {
    /// Reads the file in this folder, if there is one.
    pub(crate) fn new(
        bypass: Arc<Bypass>,
        folder: Option<&Path>,
        pool: Pool,
        state: Arc<PersistenceState>,
        log: Logger,
    ) -> Self {
        let path = folder.map(|folder| folder.join(NAME));
        match path.as_deref().map(read) {
            None => {}
            Some(Ok(rows)) => {
                bypass.take(rows);
            }
            Some(Err(error)) => warn!(log, "the file of the bypass cannot be read"; "error" => %error),
        }
        for row in bypass.in_force() {
            say(&log, &row);
        }
        Self { bypass, path, one_writer: Mutex::default(), pool, state, log }
    }

    /// Applies what an operator says, at once, and keeps it.
    ///
    /// # Errors
    /// If neither the file nor the database takes it. Then nothing is changed.
    pub(crate) async fn set(&self, mut row: BypassRow) -> Result<BypassRow, Busy> {
        let before = self.bypass.of_line(&row.line);
        // Later than the word before, also if the clock was set back.
        let after = before.as_ref().map_or(At(0), |before| At(before.changed_at.0.saturating_add(1)));
        row.changed_at = clock::wall().max(after);
        self.bypass.take(vec![row.clone()]);
        let is_in_file = self.write().await;
        let is_in_database = self.has_database() && in_time(bypass::put(&self.pool, &row)).await.is_ok();
        if !is_in_file && !is_in_database {
            self.bypass.restore(&row.line, before);
            return Err(Busy::CannotKeep);
        }
        say(&self.log, &row);
        Ok(row)
    }

    /// Holds what is known here against the database, for ever.
    pub(crate) async fn run(self: Arc<Self>) {
        loop {
            let is_away = self.has_database() && self.round().await.is_err();
            tokio::time::sleep(if is_away { EVERY_WHILE_AWAY } else { EVERY }).await;
        }
    }

    /// Whether the database is known to be that of this installation: it must not be told what holds for another one.
    fn has_database(&self) -> bool {
        matches!(self.state.leadership().now(), EngineRole::Acting(_) | EngineRole::Standby)
    }

    async fn round(&self) -> Result<(), StoreError> {
        let rows = in_time(bypass::all(&self.pool)).await?;
        let known = self.bypass.all();
        let is_newer = |row: &BypassRow, among: &[BypassRow]| {
            !among.iter().any(|other| other.line == row.line && other.changed_at >= row.changed_at)
        };
        for row in known.iter().filter(|row| is_newer(row, &rows)) {
            in_time(bypass::put(&self.pool, row)).await?;
        }
        let news: Vec<BypassRow> = rows.into_iter().filter(|row| is_newer(row, &known)).collect();
        if self.bypass.take(news.clone()) {
            for row in &news {
                say(&self.log, row);
            }
            self.write().await;
        }
        Ok(())
    }

    /// Whether the file has everything that was said.
    async fn write(&self) -> bool {
        let Some(path) = self.path.clone() else { return false };
        let _alone = self.one_writer.lock().await;
        let rows = self.bypass.all();
        let written = tokio::task::spawn_blocking(move || write(&path, &rows)).await;
        let error = match written {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => error,
            Err(error) => io::Error::other(error),
        };
        warn!(self.log, "the file of the bypass cannot be written"; "error" => %error);
        false
    }
}

async fn in_time<T>(exchange: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(WITHIN, exchange).await.unwrap_or(Err(StoreError::TooSlow))
}

fn say(log: &Logger, row: &BypassRow) {
    let line = if row.line.is_empty() { "every line" } else { &row.line };
    info!(log, "bypass switched"; "of" => line, "on" => row.is_on, "who" => &row.who, "reason" => &row.reason);
}

fn read(path: &Path) -> io::Result<Vec<BypassRow>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let records: Vec<Record> = serde_json::from_slice(&text)?;
    let row = |record: Record| BypassRow {
        line: record.line,
        is_on: record.is_on,
        until: record.until.map(At),
        reason: record.reason,
        who: record.who,
        changed_at: At(record.changed_at),
    };
    Ok(records.into_iter().map(row).collect())
}

fn write(path: &Path, rows: &[BypassRow]) -> io::Result<()> {
    let record = |row: &BypassRow| Record {
        line: row.line.clone(),
        is_on: row.is_on,
        until: row.until.map(|until| until.0),
        reason: row.reason.clone(),
        who: row.who.clone(),
        changed_at: row.changed_at.0,
    };
    let records: Vec<Record> = rows.iter().map(record).collect();
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(&serde_json::to_vec(&records)?)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests;
