//! Installs PostgreSQL by a script: it runs the commands that an administrator would type.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::account::RunAs;
use super::binaries::{Binaries, Search};
use super::download_cache;
use super::error::{EmbeddedError, io_error};
use super::process::{self, status_text};

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
    let cache = download_cache::writable(run_as)?;
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
