//! A log file that never grows past its limits, and never stops the program when it cannot be written.

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

/// How often a file that could not be written is tried again, and a good one is looked for on the disk.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What became of a write.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Nothing to tell: written, or as unwritable as it was.
    AsBefore,
    /// From now on it is not written, and why.
    Failed(String),
    /// It is written again.
    Again,
}

/// The file with its older ones.
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
    /// Two processes that rotate one file would each keep what the other removes.
    _lock: File,
}

impl RotatingFile {
    pub(super) fn new(limits: LogFile) -> Self {
        Self { limits, state: State::New, looked_at: Instant::now() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.limits.path
    }

    /// Appends whole lines, after a rotation if they do not fit.
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
            // Somebody removed or moved it: what is written now would be seen by nobody.
            State::Open(open) => is_time_to_look && inode(&self.limits.path).ok() != Some(open.inode),
        };
        if is_time_to_look {
            self.looked_at = Instant::now();
        }
        if is_lost {
            // The lock goes with the old state, before it is taken again.
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
        // The library opens it once more and keeps quiet when it cannot.
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

/// The limit may have been higher at the last start. Before the library looks: it trusts what it found.
fn remove_excess(path: &Path, keep: usize) -> io::Result<()> {
    let older = quiet(|| AppendCount::new(keep).scan_suffixes(path))?;
    // Youngest first; the file that is written counts as well.
    for file in older.iter().skip(keep.saturating_sub(1)) {
        fs::remove_file(file.to_path(path))?;
    }
    Ok(())
}

/// Readable for the group that operates the host, for nobody else.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).create(true).append(true).mode(0o640);
    options
}

/// A hidden file beside it, since the log file itself changes its name.
fn lock(path: &Path) -> io::Result<File> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside: PathBuf = path.with_file_name(format!(".{name}.lock"));
    let file = options().open(beside)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::Error::other("another process writes it")),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn inode(path: &Path) -> io::Result<u64> {
    fs::metadata(path).map(|about| about.ino())
}

/// The library panics where the directory changes under it; a log file is not worth that.
fn quiet<T>(work: impl FnOnce() -> T) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|_| io::Error::other("its directory changed while it was rotated"))
}

#[cfg(test)]
mod tests;
