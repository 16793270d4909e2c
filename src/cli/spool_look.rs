//! What waits in `SPOOL_DIR`, and whether a database lacks what was acknowledged there, for `verify` and `check`.

use std::path::PathBuf;

use precall_store::connect::Dedicated;
use precall_store::reads::log_end;
use precall_store::spool::acknowledged::{self, End, Missing};
use precall_store::spool::disk::Belongs;
use precall_store::spool_recovery::survey::{Surveyed, survey};
use uuid::Uuid;

/// What the spool says.
pub(super) struct SpoolLook {
    /// What waits, oldest first.
    pub(super) waiting: Vec<Surveyed>,
    /// What this database lacks.
    pub(super) missing: Vec<Missing>,
    /// This database; none if it had no precall yet, or was not reached.
    pub(super) ours: Option<Uuid>,
}

impl SpoolLook {
    /// Looks at the spool and at the end of the database.
    pub(super) async fn at(root: PathBuf, database: Option<&Dedicated>) -> Result<Self, String> {
        let end = match database {
            Some(database) => log_end::end(&database.client).await.map_err(|error| error.to_string())?,
            None => None,
        };
        let looked = tokio::task::spawn_blocking(move || {
            let missing = end.map_or(Ok(Vec::new()), |end: End| acknowledged::missing(&root, end));
            Ok::<_, std::io::Error>((survey(&root)?, missing?))
        });
        let looked = looked.await.map_err(|error| error.to_string())?;
        let (waiting, missing) = looked.map_err(|error| format!("the spool cannot be read: {error}"))?;
        Ok(Self { waiting, missing, ours: end.map(|end| end.database) })
    }

    /// What is in a directory, in words, and whether the next start of precall brings it into this database.
    pub(super) fn words(&self, found: &Surveyed) -> (bool, String) {
        let since = found.since.map(|since| format!(" since {since:.0}")).unwrap_or_default();
        let what = format!("{} keeps {} acknowledged events{since}", found.path.display(), found.entries);
        let of = match found.belongs {
            Belongs::Unsaid => "of a database that it does not name".to_owned(),
            Belongs::Unreadable => "of an unknown database: its file `database` cannot be read".to_owned(),
            Belongs::To(database) if Some(database) == self.ours => format!("of this database, {database}"),
            Belongs::To(database) => format!("of the database with the id {database}"),
        };
        let enters = match found.belongs {
            Belongs::Unsaid => true,
            Belongs::Unreadable => false,
            Belongs::To(database) => self.ours.is_none_or(|ours| ours == database),
        };
        let what_next = match (found.is_held, enters) {
            (true, _) => "the precall that runs there writes them",
            (false, true) => "the next start of precall brings them in",
            (false, false) => "start precall once with that DATABASE_URL, or move the directory away",
        };
        (enters || found.is_held, format!("{what} {of}: {what_next}"))
    }
}
