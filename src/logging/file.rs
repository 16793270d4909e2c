//! A rotating log file with limits. If it cannot be written, precall goes on.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use file_rotate::compression::Compression;
use file_rotate::suffix::{AppendCount, SuffixScheme};
use file_rotate::{ContentLimit, FileRotate};

use crate::config::LogFile;

/// Interval for retrying a failed file, and for checking that an open file still exists.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Result of a write.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// No change: written, or still failing.
    AsBefore,
    /// The file started to fail, and why.
    Failed(String),
    /// The file works again.
    Again,
}

/// The log file and its older files.
pub(super) struct RotatingFile {
    limits: LogFile,
    state: State,
    looked_at: Instant,
}

enum State {
    /// Not tried yet.
    New,
    Open(Open),
    Failed,
}

struct Open {
    files: FileRotate<AppendCount>,
    bytes: u64,
    inode: u64,
    /// Two processes must not rotate the same file.
    _lock: File,
}

impl RotatingFile {
    pub(super) fn new(limits: LogFile) -> Self {
        Self { limits, state: State::New, looked_at: Instant::now() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.limits.path
    }

    /// Appends whole lines. Rotates before if they do not fit.
    pub(super) fn write(&mut self, lines: &[u8]) -> Written {
        let is_time_to_look = self.looked_at.elapsed() >= LOOK_EVERY;
        let had_failed = matches!(self.state, State::Failed);
        if had_failed && !is_time_to_look {
            return Written::AsBefore;
        }
        match self.try_write(lines, is_time_to_look) {
            Ok(()) if had_failed => Written::Again,
            Ok(()) => Written::AsBefore,
            Err(error) => {
                self.state = State::Failed;
                self.looked_at = Instant::now();
                if had_failed { Written::AsBefore } else { Written::Failed(error.to_string()) }
            }
        }
    }

    fn try_write(&mut self, lines: &[u8], is_time_to_look: bool) -> io::Result<()> {
        let is_lost = match &self.state {
            State::New | State::Failed => true,
            // The file was removed or moved. Lines written to it would be lost.
            State::Open(open) => is_time_to_look && inode(&self.limits.path).ok() != Some(open.inode),
        };
        if is_time_to_look {
            self.looked_at = Instant::now();
        }
        if is_lost {
            // Dropping the old state releases the lock before it is taken again.
            self.state = State::Failed;
            self.state = State::Open(Open::new(&self.limits)?);
        }
        let State::Open(open) = &mut self.state else { return Ok(()) };
        open.write(lines, &self.limits)
    }
}

impl Open {
    fn new(limits: &LogFile) -> io::Result<Self> {
        let path = std::path::absolute(&limits.path)?;
        let (Some(directory), Some(_name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::other("names no file"));
        };
        fs::create_dir_all(directory)?;
        let lock = lock(&path)?;
        remove_excess(&path, limits.keep)?;
        // Reports an error here, because the library opens the file again and ignores errors.
        options().open(&path)?;
        let files = quiet(|| {
            FileRotate::new(
                &path,
                AppendCount::new(limits.keep.saturating_sub(1)),
                ContentLimit::None,
                Compression::None,
                Some(options()),
            )
        })?;
        let about = fs::metadata(&path)?;
        Ok(Self { files, bytes: about.len(), inode: about.ino(), _lock: lock })
    }

    fn write(&mut self, lines: &[u8], limits: &LogFile) -> io::Result<()> {
        let more = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        if self.bytes > 0 && self.bytes.saturating_add(more) > limits.max_bytes {
            quiet(|| self.files.rotate())??;
            self.bytes = 0;
            self.inode = inode(&limits.path)?;
        }
        self.files.write_all(lines)?;
        self.bytes = self.bytes.saturating_add(more);
        Ok(())
    }
}

/// Removes files above the limit, which may have been higher at the last start. Must run before the library scans them.
fn remove_excess(path: &Path, keep: usize) -> io::Result<()> {
    let older = quiet(|| AppendCount::new(keep).scan_suffixes(path))?;
    // Youngest first. The current file counts too.
    for file in older.iter().skip(keep.saturating_sub(1)) {
        fs::remove_file(file.to_path(path))?;
    }
    Ok(())
}

/// Append mode; readable for owner and group only.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).create(true).append(true).mode(0o640);
    options
}

/// Locks a hidden file beside the log file, because rotation renames the log file.
fn lock(path: &Path) -> io::Result<File> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside: PathBuf = path.with_file_name(format!(".{name}.lock"));
    let file = options().open(beside)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::Error::other("another process writes this file")),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn inode(path: &Path) -> io::Result<u64> {
    fs::metadata(path).map(|about| about.ino())
}

/// Turns a panic of the library into an error. It panics when the directory changes during a rotation.
fn quiet<T>(work: impl FnOnce() -> T) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|_| io::Error::other("the directory changed during rotation"))
}

#[cfg(test)]
mod tests;
