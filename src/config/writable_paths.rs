//! Every path that the service writes, in one list. Dockerfile, compose.yaml, the systemd unit, docs/DEPLOYMENT.md and
//! `precall check` follow it.

use std::path::{Path, PathBuf};

use precall_call::Route;

use super::{Config, DatabaseSource, Storage};

#[cfg(test)]
mod tests;

/// A path that the service writes with this configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WritablePath {
    /// The variable that sets it.
    pub variable: &'static str,
    /// The folder or the file.
    pub path: PathBuf,
    /// Whether it is a folder or a file.
    pub kind: PathKind,
    /// What the service writes there.
    pub why: &'static str,
    /// What fails when it cannot be written.
    pub without: &'static str,
    /// Whether calls or erasures fail without it. Otherwise the service works, with less.
    pub required: bool,
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// The service makes files in this folder.
    Folder,
    /// The service writes this file, and may make others beside it.
    File,
}

impl WritablePath {
    /// The folder in which files must be created, renamed and deleted. The service makes it if it is missing.
    #[must_use]
    pub fn folder(&self) -> &Path {
        match self.kind {
            PathKind::Folder => &self.path,
            PathKind::File => self.path.parent().unwrap_or(Path::new(".")),
        }
    }
}

impl Config {
    /// Every path that `serve` writes with this configuration. It writes nowhere else.
    #[must_use]
    pub fn writable_paths(&self) -> Vec<WritablePath> {
        let folder = |variable, path: &Path, why, without, required| WritablePath {
            variable,
            path: path.to_owned(),
            kind: PathKind::Folder,
            why,
            without,
            required,
        };
        let file = |variable, path: &Path, why, without, required| WritablePath {
            kind: PathKind::File,
            ..folder(variable, path, why, without, required)
        };
        let mut all = vec![
            folder(
                "SPOOL_DIR",
                &self.retention.spool_dir,
                "events while the database is away, and which database this is",
                "calls are refused while the database is away",
                true,
            ),
            file(
                "ERASURE_LEDGER",
                &self.retention.ledger,
                "the ledger of erasures",
                "no caller can be erased",
                true,
            ),
        ];
        if self.clone.uploads == Storage::Local || self.retention.store_recordings {
            all.push(folder(
                "LOCAL_VOICE_SAMPLES_PATH",
                &self.clone.samples_path,
                "uploaded samples in uploads/, recordings in recordings/; erasure deletes files",
                "samples cannot be uploaded, and an erasure stays unfinished",
                true,
            ));
        }
        if self.call.route != Route::Callback {
            all.push(folder(
                "PROMPT_CACHE_DIR",
                &self.greeting.prompt_cache_dir,
                "greetings, notices and music, prepared once",
                "each start prepares them again and pays for it",
                false,
            ));
        }
        if let Some(log) = &self.log.file {
            all.push(file(
                "LOG_FILE",
                &log.path,
                "the log and its older pieces",
                "the log goes to standard error only",
                false,
            ));
        }
        if let DatabaseSource::Embedded { directory } = &self.database.source {
            all.push(folder(
                "EMBEDDED_DATABASE_DIR",
                directory,
                "the embedded database",
                "the service does not start",
                true,
            ));
        }
        all
    }
}
