//! Remembers in a file beside the spool which database acted here. A restored database is older than this file says.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::voices::reconcile_rules::DatabaseOrigin;

const NAME: &str = "database.json";

/// The file `database.json` in the spool folder.
#[derive(Clone, Debug)]
pub(crate) struct KnownDatabase {
    path: PathBuf,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    database: Uuid,
    /// Generation of the last start that acted on it here.
    generation: u64,
    /// The voices were approved, or there was nothing to approve.
    trusted: bool,
}

impl KnownDatabase {
    /// The record in this folder.
    #[must_use]
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self { path: folder.join(NAME) }
    }

    /// Records that this start acts on this database. Blocks.
    ///
    /// # Errors
    /// If the file cannot be written. Then the database must count as new.
    pub(crate) fn record_start(&self, database: Uuid, generation: u64) -> io::Result<DatabaseOrigin> {
        let before = self.read();
        // Generations only grow, unless an older copy of the database was restored.
        let is_same = |record: &Record| record.database == database && record.generation < generation;
        let trusted = before.as_ref().is_some_and(|record| record.trusted && is_same(record));
        self.write(&Record { database, generation, trusted })?;
        Ok(if trusted { DatabaseOrigin::Known } else { DatabaseOrigin::New })
    }

    /// Records that the voices of this database were approved, or that there was nothing to approve. Blocks.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn mark_reviewed(&self) -> io::Result<()> {
        match self.read() {
            Some(record) => self.write(&Record { trusted: true, ..record }),
            None => Ok(()),
        }
    }

    /// `None` if there is no readable record.
    fn read(&self) -> Option<Record> {
        serde_json::from_slice(&fs::read(&self.path).ok()?).ok()
    }

    fn write(&self, record: &Record) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(record)?)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)
    }
}

#[cfg(test)]
mod tests;
