//! The directory of one cluster: its owner, its lock, and the data, socket and log in it.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::Uid;
use sha2::{Digest, Sha256};

use super::account::RunAs;
use super::error::{EmbeddedError, io_error};
use super::{DataDir, process};

/// The name of every socket: one server per directory, so the port number means nothing.
pub(super) const SOCKET_NAME: &str = ".s.PGSQL.5432";
/// `sun_path` ends with a zero byte and holds 108 bytes on Linux, 104 on macOS.
const SOCKET_PATH_LIMIT_BYTES: usize = 103;
const LOG_TAIL_BYTES: u64 = 4096;
/// A released lock stays held for a moment while its holder starts a child process: until the child executes its
/// program, it has a copy of the lock's file descriptor.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);

/// A cluster's directory, held by an exclusive lock for as long as this value lives.
#[derive(Debug)]
pub(super) struct ClusterDir {
    base: PathBuf,
    socket_dir: PathBuf,
    to_remove: Vec<PathBuf>,
    _lock: Option<File>,
}

impl ClusterDir {
    /// Creates what is missing, makes sure that `run_as` can use it, and takes the lock.
    pub(super) fn open(data: &DataDir, run_as: RunAs) -> Result<Self, EmbeddedError> {
        let (base, to_remove) = match data {
            DataDir::Temporary => {
                let base = temporary_dir("precall-postgres-", run_as)?;
                (base.clone(), vec![base])
            }
            DataDir::At(path) => (persistent_dir(path, run_as)?, Vec::new()),
        };
        let socket_dir = base.join("socket");
        let mut dir = Self { base, socket_dir, to_remove, _lock: None };
        dir._lock = Some(dir.take_lock()?);
        dir.prepare_socket_dir(run_as)?;
        Ok(dir)
    }

    /// The directory. It can differ from the requested one, see [`DataDir::At`].
    pub(super) fn base(&self) -> &Path {
        &self.base
    }

    /// PGDATA.
    pub(super) fn pgdata(&self) -> PathBuf {
        self.base.join("data")
    }

    /// PGDATA while initdb is at work.
    pub(super) fn unfinished_pgdata(&self) -> PathBuf {
        self.base.join("data.unfinished")
    }

    /// The directory of the socket, mode 0700.
    pub(super) fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// Directories that are removed when the cluster stops.
    pub(super) fn to_remove(&self) -> &[PathBuf] {
        &self.to_remove
    }

    /// The major version that wrote the data; `None` when there are none yet.
    pub(super) fn major(&self) -> Result<Option<u32>, EmbeddedError> {
        let file = self.pgdata().join("PG_VERSION");
        match fs::read_to_string(&file) {
            Ok(text) => Ok(text.trim().parse().ok()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error("cannot read", &file)(error)),
        }
    }

    /// An empty log. It covers one start, which limits its size.
    pub(super) fn new_log(&self) -> Result<File, EmbeddedError> {
        let path = self.log_path();
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .map_err(io_error("cannot write", &path))
    }

    /// The end of the log, for an error message.
    pub(super) fn log_tail(&self) -> String {
        tail(&self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.base.join("postgres.log")
    }

    fn take_lock(&self) -> Result<File, EmbeddedError> {
        let path = self.base.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io_error("cannot open", &path))?;
        let locked = process::poll(LOCK_PATIENCE, || match file.try_lock() {
            Ok(()) => Ok(Some(())),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(io_error("cannot lock", &path)(error)),
        })?;
        if locked.is_none() {
            let holder = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
            return Err(EmbeddedError::InUse { dir: self.base.clone(), holder });
        }
        // The error message of a second process names this one.
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(io_error("cannot write", &path))?;
        Ok(file)
    }

    fn prepare_socket_dir(&mut self, run_as: RunAs) -> Result<(), EmbeddedError> {
        let path_bytes = self.socket_dir.join(SOCKET_NAME).as_os_str().len();
        if path_bytes > SOCKET_PATH_LIMIT_BYTES {
            self.socket_dir = temporary_dir("pc-", run_as)?;
            self.to_remove.push(self.socket_dir.clone());
            return Ok(());
        }
        create_private(&self.socket_dir, run_as)
    }
}

impl Drop for ClusterDir {
    fn drop(&mut self) {
        for dir in &self.to_remove {
            // The guardian has usually removed it already.
            let _gone = fs::remove_dir_all(dir);
        }
    }
}

/// Makes an empty directory, or takes one that is there, and gives it to the account alone.
pub(super) fn create_private(dir: &Path, run_as: RunAs) -> Result<(), EmbeddedError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io_error("cannot create", dir))?;
    run_as.give(dir)?;
    fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(io_error("cannot protect", dir))
}

/// A new directory that only the account can enter, in the first temporary place that it can reach.
fn temporary_dir(prefix: &str, run_as: RunAs) -> Result<PathBuf, EmbeddedError> {
    let mut refused = None;
    for parent in [env::temp_dir(), PathBuf::from("/tmp"), PathBuf::from("/var/tmp")] {
        let parent = fs::canonicalize(&parent).unwrap_or(parent);
        match tempfile::Builder::new()
            .prefix(prefix)
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&parent)
        {
            Ok(dir) => {
                run_as.give(dir.path())?;
                let too_long = dir.path().join(SOCKET_NAME).as_os_str().len() > SOCKET_PATH_LIMIT_BYTES;
                if !too_long && run_as.can_enter(dir.path()) {
                    return Ok(dir.keep());
                }
            }
            Err(error) => refused = Some(io_error("cannot create a directory in", &parent)(error)),
        }
    }
    Err(refused.unwrap_or_else(|| {
        EmbeddedError::NoAccount("the account of the server can enter no temporary directory".to_owned())
    }))
}

/// `path`, or a directory in its place when the account cannot enter a parent of `path`.
fn persistent_dir(path: &Path, run_as: RunAs) -> Result<PathBuf, EmbeddedError> {
    let mode = if run_as == RunAs::Ourselves { 0o700 } else { 0o711 };
    DirBuilder::new().recursive(true).mode(mode).create(path).map_err(io_error("cannot create", path))?;
    // The path without links: a server of an earlier run is recognised by it.
    let path = fs::canonicalize(path).map_err(io_error("cannot resolve", path))?;
    let found = fs::symlink_metadata(&path).map_err(io_error("cannot look at", &path))?;
    if found.mode() & 0o002 != 0 {
        let reason = "everybody can write to it; name a directory in it instead";
        return Err(EmbeddedError::UnsafeDirectory { dir: path, reason });
    }
    if run_as.can_enter(&path) {
        return Ok(path);
    }
    let hash = hex::encode(Sha256::digest(path.as_os_str().as_bytes()));
    let name = format!("precall-postgres-{}", hash.get(..16).unwrap_or(&hash));
    // /var/tmp first: these are data, and it survives a restart of the machine.
    for parent in [PathBuf::from("/var/tmp"), env::temp_dir(), PathBuf::from("/tmp")] {
        let Ok(parent) = fs::canonicalize(parent) else { continue };
        let dir = parent.join(&name);
        match DirBuilder::new().mode(0o711).create(&dir) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => refuse_foreign(&dir)?,
            Err(_) => continue,
        }
        if run_as.can_enter(&dir) {
            return Ok(dir);
        }
    }
    Err(EmbeddedError::UnsafeDirectory { dir: path, reason: "the account of the server cannot enter it" })
}

/// The name can be guessed and every account may write to the parent: another account may have made it before us.
fn refuse_foreign(dir: &Path) -> Result<(), EmbeddedError> {
    let found = fs::symlink_metadata(dir).map_err(io_error("cannot look at", dir))?;
    let private = found.is_dir() && found.uid() == Uid::effective().as_raw() && found.mode() & 0o022 == 0;
    if private {
        return Ok(());
    }
    Err(EmbeddedError::UnsafeDirectory { dir: dir.to_owned(), reason: "somebody else can write to it" })
}

fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}
