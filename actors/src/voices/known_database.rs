//! Whether the database is the one that acted here before. Remembered in a file beside the spool, which no backup of the database brings
//! back: a database that is older than the file says was restored.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::voices::reconcile_rules::Trust;

const NAME: &str = "database.json";

/// See the file.
#[derive(Clone, Debug)]
pub struct KnownDatabase {
    path: PathBuf,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    database: Uuid,
    /// The last start that acted on it here.
    generation: u64,
    /// Somebody has looked at its voices, or there was nothing to look at.
    trusted: bool,
}

impl KnownDatabase {
    /// What is remembered in this folder.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self { path: folder.join(NAME) }
    }

    /// This start acts on this database. Blocks.
    ///
    /// # Errors
    /// When it cannot be written down; then nothing may be believed of it.
    pub fn acts(&self, database: Uuid, generation: u64) -> io::Result<Trust> {
        let before = self.read();
        // Numbers of starts only grow, unless an older database took the place of this one.
        let is_same = |seen: &Seen| seen.database == database && seen.generation < generation;
        let trusted = before.as_ref().is_some_and(|seen| seen.trusted && is_same(seen));
        self.write(&Seen { database, generation, trusted })?;
        Ok(if trusted { Trust::Known } else { Trust::New })
    }

    /// Somebody has looked at its voices, or there was nothing to look at. Blocks.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn trust(&self) -> io::Result<()> {
        match self.read() {
            Some(seen) => self.write(&Seen { trusted: true, ..seen }),
            None => Ok(()),
        }
    }

    /// None where nothing is remembered, or nothing that can be read.
    fn read(&self) -> Option<Seen> {
        serde_json::from_slice(&fs::read(&self.path).ok()?).ok()
    }

    fn write(&self, seen: &Seen) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(seen)?)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)
    }
}

#[cfg(test)]
mod tests;
