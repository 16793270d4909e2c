//! Why the embedded database did not start. Each text says what to do.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why there is no embedded PostgreSQL. No text holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// No usable server programs on this machine, and installing was not allowed or did not help.
    #[error(
        "no PostgreSQL {} on this machine{}. Install it (Debian, Ubuntu: `apt-get install postgresql`; \
         Fedora: `dnf install postgresql-server`; Alpine: `apk add postgresql`; macOS: `brew install postgresql@17`), \
         set PG_BIN_DIR to the directory that holds initdb and postgres, or set DATABASE_URL to a server elsewhere",
        wanted_text(*.wanted), found_text(.found)
    )]
    NotFound {
        /// The major version that the data directory needs; `None` when any supported one will do.
        wanted: Option<u32>,
        /// The folders that were searched, and why each was refused.
        found: Vec<String>,
    },
    /// PG_BIN_DIR names a directory that cannot be used. No other directory is tried.
    #[error("PG_BIN_DIR is {dir}: {reason}")]
    BinDir {
        /// The directory as set.
        dir: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The data were written by another major version than the programs that are here.
    #[error(
        "the data in {dir} were written by PostgreSQL {data}, but here are only: {}. Install PostgreSQL {data} \
         (or point PG_BIN_DIR at it), or move the data with pg_dump or pg_upgrade; the files were not touched",
        .found.join("; ")
    )]
    VersionMismatch {
        /// The data directory.
        dir: PathBuf,
        /// The major version in its PG_VERSION.
        data: u32,
        /// The versions found.
        found: Vec<String>,
    },
    /// Another process holds the data directory.
    #[error("the data directory {dir} is in use by another process{}", holder_text(*.holder))]
    InUse {
        /// The data directory.
        dir: PathBuf,
        /// Its process id, where it is known.
        holder: Option<u32>,
    },
    /// initdb and postgres look up the name of the user they run as.
    #[error("cannot run PostgreSQL: {0}")]
    NoAccount(String),
    /// A directory that we need belongs to another account.
    #[error("refusing to use {dir}: {reason}")]
    UnsafeDirectory {
        /// The directory.
        dir: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The installer failed.
    #[error("PostgreSQL could not be installed: {0}")]
    Install(String),
    /// initdb failed.
    #[error("initdb failed: {0}")]
    Initdb(String),
    /// The server stopped before it was ready.
    #[error("postgres ended while starting ({status}): {log}")]
    Ended {
        /// How it ended.
        status: String,
        /// The end of its log.
        log: String,
    },
    /// The server was not ready in time.
    #[error("postgres was not ready after {} s: {log}", .waited.as_secs())]
    NotReady {
        /// How long we waited.
        waited: Duration,
        /// The end of its log.
        log: String,
    },
    /// A server left behind by a killed process would not stop.
    #[error("a server left behind (process {0}) does not stop")]
    Leftover(u32),
    /// The operating system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Its error.
        source: io::Error,
    },
}

fn wanted_text(wanted: Option<u32>) -> String {
    wanted.map_or_else(|| "15 to 18".to_owned(), |major| major.to_string())
}

fn found_text(found: &[String]) -> String {
    if found.is_empty() { String::new() } else { format!(" (not usable: {})", found.join("; ")) }
}

fn holder_text(holder: Option<u32>) -> String {
    holder.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

/// Says what was being done to which path when the operating system refused.
pub(super) fn io_error(what: &str, path: &Path) -> impl FnOnce(io::Error) -> EmbeddedError {
    let what = format!("{what} {}", path.display());
    move |source| EmbeddedError::Io { what, source }
}
