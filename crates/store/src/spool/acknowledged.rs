//! How far events were acknowledged, in a small file beside the spool: a restored database is older than it says.
//!
//! The file has the highest position that is in the database, and is written about once a second. So it may lack the
//! last second, and never promises more than was true. Events that wait in the spool are not in it; they say so
//! themselves.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::disk::replace;

const PREFIX: &str = "acknowledged-";
const ENDING: &str = ".json";

/// How far events of a database were acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The database.
    pub database: Uuid,
    /// The start that acknowledged them.
    pub generation: u64,
    /// The last position.
    pub position: i64,
    /// When it was the last one.
    pub at: Timestamp,
}

/// How far a database goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The database.
    pub database: Uuid,
    /// The last position that it gave to an event.
    pub position: i64,
    /// Time of its newest event; none without events.
    pub newest: Option<Timestamp>,
}

/// Acknowledged events that a database lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// How far events were acknowledged.
    pub mark: Mark,
    /// How far the database goes.
    pub end: End,
    /// The file that says so.
    pub file: PathBuf,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mark, end, file } = self;
        write!(f, "events were acknowledged up to position {} at {:.0}, ", mark.position, mark.at)?;
        write!(f, "this database ended at position {}", end.position)?;
        if let Some(newest) = end.newest {
            write!(f, " at {newest:.0}")?;
        }
        write!(f, ": up to {} events", mark.position.saturating_sub(end.position))?;
        let span = end.newest.and_then(|newest| mark.at.since((Unit::Second, newest)).ok());
        if let Some(seconds) = span.map(|span| span.get_seconds()).filter(|seconds| *seconds > 0) {
            write!(f, " of {seconds} s")?;
        }
        write!(f, " are missing, as after the restore of an older backup. {} says so", file.display())
    }
}

/// The file of an older state of the database, with that state.
#[derive(Serialize, Deserialize)]
struct Lost {
    mark: Mark,
    ended_at: i64,
    newest: Option<Timestamp>,
}

/// Writes the mark of its database. Blocks.
///
/// # Errors
/// When the file cannot be written.
pub fn write(root: &Path, mark: &Mark) -> io::Result<()> {
    replace(&file(root, mark.database), &serde_json::to_vec(mark)?)
}

/// What a database that ends here lacks, now and since its earlier restores. Blocks.
///
/// # Errors
/// When a file cannot be read.
pub fn missing(root: &Path, end: End) -> io::Result<Vec<Missing>> {
    let mut found = Vec::new();
    for path in lost_files(root, end.database)? {
        if let Ok(Lost { mark, ended_at, newest }) = serde_json::from_slice(&fs::read(&path)?) {
            let end = End { position: ended_at, newest, ..end };
            found.push(Missing { mark, end, file: path });
        }
    }
    let path = file(root, end.database);
    let current = match fs::read(&path) {
        // A file of no use says nothing.
        Ok(bytes) => serde_json::from_slice::<Mark>(&bytes).ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let older = current.filter(|mark| mark.database == end.database && mark.position > end.position);
    found.extend(older.map(|mark| Missing { mark, end, file: path }));
    Ok(found)
}

/// Keeps what [`missing`] finds in files of its own, before a start writes its own mark. Blocks.
///
/// # Errors
/// When a file cannot be read or written.
pub fn keep_missing(root: &Path, end: End) -> io::Result<Vec<Missing>> {
    let mut all = missing(root, end)?;
    for found in all.iter_mut().filter(|found| found.file == file(root, end.database)) {
        let lost = Lost { mark: found.mark, ended_at: end.position, newest: end.newest };
        let kept = root.join(format!("{PREFIX}{}-lost-{}{ENDING}", end.database, found.mark.position));
        replace(&kept, &serde_json::to_vec(&lost)?)?;
        fs::remove_file(&found.file)?;
        found.file = kept;
    }
    Ok(all)
}

fn file(root: &Path, database: Uuid) -> PathBuf {
    root.join(format!("{PREFIX}{database}{ENDING}"))
}

fn lost_files(root: &Path, database: Uuid) -> io::Result<Vec<PathBuf>> {
    let prefix = format!("{PREFIX}{database}-lost-");
    let entries = match fs::read_dir(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let is_lost = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with(&prefix) && name.ends_with(ENDING))
    };
    let mut found: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_lost).collect();
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests;
