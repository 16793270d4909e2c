//! How much room the file system of the spool has, and what to do about a disk that does not take a frame.

use std::io;
use std::path::Path;

use nix::sys::statvfs::statvfs;

/// Below this the spool can take next to nothing: some seconds of a busy engine.
const FLOOR_BYTES: u64 = 16 * 1024 * 1024;

const MIB: u64 = 1024 * 1024;

/// What this user may still write on a file system. Quotas do not show here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Free bytes.
    pub bytes: u64,
    /// Whether no file can be made, because the file system has no inode left.
    pub no_inodes: bool,
}

/// The room at this path, or where it would be made. Blocks.
///
/// # Errors
/// When the system does not say.
pub fn at(path: &Path) -> io::Result<Room> {
    let there = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("."));
    let stat = statvfs(there)?;
    // The widths of these numbers differ between systems.
    #[allow(
        clippy::useless_conversion,
        clippy::unnecessary_fallible_conversions,
        reason = "not on every system"
    )]
    let (blocks, size, files, free_files) = (
        u64::try_from(stat.blocks_available()).unwrap_or(u64::MAX),
        u64::try_from(stat.fragment_size()).unwrap_or(u64::MAX),
        u64::try_from(stat.files()).unwrap_or(u64::MAX),
        u64::try_from(stat.files_available()).unwrap_or(u64::MAX),
    );
    // A file system that makes inodes as it needs them says that it has 0 of 0.
    Ok(Room { bytes: blocks.saturating_mul(size), no_inodes: files > 0 && free_files == 0 })
}

/// Whether the spool can take next to nothing.
#[must_use]
pub fn is_full(room: Room, waiting: u64, max: u64) -> bool {
    room.no_inodes || room.bytes < FLOOR_BYTES.min(max.saturating_sub(waiting))
}

/// Why the spool may soon fail: there is less room than `SPOOL_MAX_MB` promises. `None` while there is enough.
#[must_use]
pub fn shortage(room: Room, waiting: u64, max: u64) -> Option<String> {
    let wanted = max.saturating_sub(waiting);
    let of =
        format!("{} MiB are free and {} MiB may be needed (SPOOL_MAX_MB)", room.bytes / MIB, wanted / MIB);
    if room.no_inodes {
        return Some("its file system has no inodes left: delete files there".to_owned());
    }
    if is_full(room, waiting, max) {
        return Some(format!(
            "its disk is full: {of}. In a database outage new calls will be refused: free space there, or point \
             SPOOL_DIR to a larger disk"
        ));
    }
    (room.bytes < wanted).then(|| {
        format!(
            "its disk is too small for a long database outage: {of}. Free space there, or lower SPOOL_MAX_MB"
        )
    })
}

/// What is wrong with a spool under `directory` that cannot be written, and what to change. `wanted`: how many bytes
/// it may have to take. Blocks: it asks the file system.
#[must_use]
pub fn fault(directory: &Path, error: &io::Error, wanted: u64) -> String {
    advice(&directory.display().to_string(), error, at(directory).ok(), wanted)
}

fn advice(directory: &str, error: &io::Error, room: Option<Room>, wanted: u64) -> String {
    let free = room.map_or_else(|| "an unknown number of".to_owned(), |room| (room.bytes / MIB).to_string());
    let wanted = wanted / MIB;
    match error.kind() {
        io::ErrorKind::StorageFull if room.is_some_and(|room| room.no_inodes) => format!(
            "{directory}: its file system has no inodes left: delete files there. precall goes on by itself"
        ),
        io::ErrorKind::StorageFull => format!(
            "{directory}: its disk is full, {free} MiB are free and up to {wanted} MiB are needed (SPOOL_MAX_MB): free \
             space there, or point SPOOL_DIR to a larger disk. precall goes on by itself"
        ),
        io::ErrorKind::QuotaExceeded => format!(
            "{directory}: the disk quota of this user is used up, up to {wanted} MiB are needed (SPOOL_MAX_MB): raise \
             the quota or delete files of this user. precall goes on by itself"
        ),
        io::ErrorKind::ReadOnlyFilesystem => format!(
            "{directory}: its file system is read-only: look for disk errors in the kernel's log, mount it writable, \
             or point SPOOL_DIR elsewhere"
        ),
        io::ErrorKind::PermissionDenied => format!(
            "{directory}: this user may not write there: give it to user {} (mode 0700), or set SPOOL_DIR",
            nix::unistd::geteuid()
        ),
        io::ErrorKind::NotFound => {
            format!("{directory}: it does not exist: mount its disk or make the directory, or set SPOOL_DIR")
        }
        io::ErrorKind::NotADirectory => {
            format!("{directory}: a part of this path is a file: remove that file, or set SPOOL_DIR")
        }
        _ => format!("{directory}: {error}: look at the disk, or point SPOOL_DIR to another one"),
    }
}

/// Whether it may pass without a change of the configuration: space that somebody frees, a disk that is mended.
#[must_use]
pub fn may_pass(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests;
