//! Spool directories that hold the events of another database, in words.

use std::path::PathBuf;

use uuid::Uuid;

use super::survey;

/// A directory under `SPOOL_DIR` that this database must not get.
#[derive(Clone, Debug)]
pub(super) struct Foreign {
    pub(super) path: PathBuf,
    /// The database of its events; none if its file `database` cannot be read.
    pub(super) database: Option<Uuid>,
    /// This database; none before its first precall.
    pub(super) ours: Option<Uuid>,
}

impl Foreign {
    /// What is in it, of which database, and what to do. Blocks.
    pub(super) fn words(&self) -> String {
        let path = self.path.display();
        let found = match survey::of(&self.path) {
            Ok(found) => found,
            Err(error) => return format!("{path} cannot be read: {error}"),
        };
        let since = found.since.map(|since| format!(" since {since:.0}")).unwrap_or_default();
        let of = self.database.map_or_else(
            || "an unknown database: its file `database` cannot be read".to_owned(),
            |database| format!("the database with the id {database}"),
        );
        let ours = self.ours.map_or_else(|| "is new".to_owned(), |ours| format!("has {ours}"));
        format!(
            "{path} keeps {} acknowledged events{since} of {of}; this one {ours}. Start precall once with that \
             DATABASE_URL, or move the directory away",
            found.entries
        )
    }
}
