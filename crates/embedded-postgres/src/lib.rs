//! A PostgreSQL server on a private unix socket, for the demo, the tests and development.
//!
//! All functions block; call them inside `spawn_blocking` from async code. A running server consists of a locked data
//! directory, a `postgres` in its own process group, and a `sh` that stops it if we are killed. Under systemd set
//! `KillMode=mixed`, or a stop of the service ends the database before precall has drained.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod account;
mod binaries;
mod cluster_dir;
mod download_cache;
mod error;
mod guardian;
mod install;
mod leftover;
mod process;
mod server;
pub mod template;
#[cfg(test)]
mod tests;

use account::RunAs;
use cluster_dir::ClusterDir;
use guardian::Guardian;
use server::Server;

pub use binaries::Binaries;
pub use error::EmbeddedError;
pub use server::Stopped;

/// Where the data live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataDir {
    /// A new directory that is removed when the server stops, and also when we are killed.
    Temporary,
    /// This directory, created when missing, kept. Running as root, where the server's account cannot enter it (a
    /// 0700 home above it, say), a directory under /var/tmp named by a hash of the path takes its place;
    /// [`EmbeddedPostgres::directory`] says which it is.
    At(PathBuf),
}

/// Whether a commit survives a power failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// PostgreSQL's default: it does.
    Fsync,
    /// For tests: faster, but a crash of the machine loses data.
    NoFsync,
}

/// What to do when there are no server programs on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Install {
    /// Return an error: a service never installs anything.
    Never,
    /// Install them by the system's package manager, or as a download whose hash is checked.
    IfMissing,
}

/// How to start an embedded PostgreSQL.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the data live.
    pub data: DataDir,
    /// Whether a commit survives a power failure.
    pub durability: Durability,
    /// What to do when PostgreSQL is not installed.
    pub install: Install,
    /// More server settings, by their names in `postgresql.conf`. They override ours.
    pub settings: Vec<(String, String)>,
    /// How long the server may take until it is ready, recovery included.
    pub start_timeout: Duration,
    /// How long a clean stop may take before it becomes an immediate one.
    pub stop_timeout: Duration,
}

impl Options {
    /// The usual deadlines: 60 s to start, 10 s to stop.
    #[must_use]
    pub fn new(data: DataDir, durability: Durability, install: Install) -> Self {
        Self {
            data,
            durability,
            install,
            settings: Vec::new(),
            start_timeout: Duration::from_secs(60),
            stop_timeout: Duration::from_secs(10),
        }
    }
}

/// A running server. Dropping it stops it, as [`EmbeddedPostgres::stop`] does.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    // Dropped in this order: the server, its guardian, the files.
    server: Server,
    _guardian: Guardian,
    dir: ClusterDir,
    binaries: Binaries,
}

impl EmbeddedPostgres {
    /// Finds (or installs) PostgreSQL, makes the data directory if it is new, starts the server and waits until it is
    /// ready. Blocks: about a second for new data, a tenth of one for data that are there, longer for an install.
    pub fn start(options: &Options) -> Result<Self, EmbeddedError> {
        let run_as = RunAs::decide()?;
        let dir = ClusterDir::open(&options.data, run_as)?;
        let major = dir.major()?;
        let binaries = find(major, run_as, options.install, &dir)?;
        let mut guardian = Guardian::start(run_as, dir.base(), dir.to_remove())?;
        leftover::clear(&dir, options.stop_timeout)?;
        if major.is_none() {
            server::initdb(&dir, &binaries, run_as, options.durability, &mut guardian)?;
        }
        let server = Server::start(&dir, &binaries, run_as, options, &mut guardian)?;
        Ok(Self { server, _guardian: guardian, dir, binaries })
    }

    /// The URL of one of its databases, over the socket and without a password. `postgres` always exists.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let socket = percent_encoded(self.dir.socket_dir().as_os_str().as_bytes());
        format!("postgresql://postgres@{socket}:5432/{}", percent_encoded(database.as_bytes()))
    }

    /// Such as `17.5`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.binaries.version
    }

    /// The data directory in use; see [`DataDir::At`].
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.dir.base()
    }

    /// Stops the server: cleanly within the stop timeout, else at once. Removes a temporary directory.
    pub fn stop(mut self) -> Stopped {
        self.server.stop()
    }
}

/// The server programs that [`EmbeddedPostgres::start`] would use for new data, without installing anything.
pub fn installed() -> Result<Binaries, EmbeddedError> {
    binaries::Search::of_this_machine().find(None, RunAs::decide()?)
}

/// The server programs, installed first when there are none (the command `install-postgres`). Says what it does on
/// standard error; takes up to 15 minutes.
pub fn install() -> Result<Binaries, EmbeddedError> {
    install::find_or_install(None, RunAs::decide()?)
}

fn find(
    major: Option<u32>,
    run_as: RunAs,
    install: Install,
    dir: &ClusterDir,
) -> Result<Binaries, EmbeddedError> {
    let found = match install {
        Install::IfMissing => install::find_or_install(major, run_as),
        Install::Never => binaries::Search::of_this_machine().find(major, run_as),
    };
    match (found, major) {
        (Err(EmbeddedError::NotFound { found, .. }), Some(data)) if !found.is_empty() => {
            Err(EmbeddedError::VersionMismatch { dir: dir.pgdata(), data, found })
        }
        (found, _) => found,
    }
}

fn percent_encoded(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(*byte));
        } else {
            let _infallible = write!(text, "%{byte:02X}");
        }
        text
    })
}
