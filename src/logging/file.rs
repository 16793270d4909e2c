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
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::time::Instant;

    use super::{LOOK_EVERY, RotatingFile, Written};
    use crate::config::LogFile;

    const LINE: &[u8] = b"0123456789012345678901234567890123456789\n";

    fn file(path: &Path, max_bytes: u64, keep: usize) -> RotatingFile {
        RotatingFile::new(LogFile { path: path.to_owned(), max_bytes, keep })
    }

    /// The visible files, by name, with their sizes.
    fn sizes(directory: &Path) -> Vec<(String, u64)> {
        let mut found: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len()))
            .filter(|(name, _)| !name.starts_with('.'))
            .collect();
        found.sort();
        found
    }

    /// Pretends that the time to look again has come.
    fn wait(file: &mut RotatingFile) {
        file.looked_at = Instant::now().checked_sub(LOOK_EVERY).unwrap();
    }

    #[test]
    fn size_and_count_are_real_limits() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = file(&dir.path().join("a.log"), 100, 3);
        for _ in 0..1_000 {
            assert_eq!(log.write(LINE), Written::AsBefore);
        }
        let expected = ["a.log", "a.log.1", "a.log.2"].map(|name| (name.to_owned(), 82));
        assert_eq!(sizes(dir.path()), expected);
    }

    #[test]
    fn one_file_is_possible() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = file(&dir.path().join("a.log"), 100, 1);
        for _ in 0..9 {
            log.write(LINE);
        }
        assert_eq!(sizes(dir.path()), [("a.log".to_owned(), 41)]);
    }

    #[test]
    fn a_new_start_goes_on_and_applies_a_lower_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let mut log = file(&path, 50, 6);
        for _ in 0..10 {
            log.write(LINE);
        }
        assert_eq!(sizes(dir.path()).len(), 6);
        drop(log);
        let mut log = file(&path, 100, 2);
        log.write(LINE);
        assert_eq!(sizes(dir.path()), [("a.log".to_owned(), 82), ("a.log.1".to_owned(), 41)]);
        for _ in 0..10 {
            assert_eq!(log.write(LINE), Written::AsBefore);
        }
        assert_eq!(sizes(dir.path()).len(), 2);
    }

    #[test]
    fn a_line_longer_than_a_file_is_kept_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let mut log = file(&path, 10, 2);
        log.write(LINE);
        log.write(LINE);
        assert_eq!(fs::read(&path).unwrap(), LINE);
    }

    #[test]
    fn what_cannot_be_written_is_told_once_and_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let blocker = dir.path().join("logs");
        fs::write(&blocker, "not a directory").unwrap();
        let mut log = file(&blocker.join("a.log"), 100, 2);
        assert!(matches!(log.write(LINE), Written::Failed(_)));
        assert_eq!(log.write(LINE), Written::AsBefore);
        wait(&mut log);
        assert_eq!(log.write(LINE), Written::AsBefore);
        fs::remove_file(&blocker).unwrap();
        assert_eq!(log.write(LINE), Written::AsBefore, "not before its time");
        wait(&mut log);
        assert_eq!(log.write(LINE), Written::Again);
        assert_eq!(sizes(&blocker), [("a.log".to_owned(), 41)]);
    }

    #[test]
    fn a_second_process_does_not_rotate_the_same_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let (mut first, mut second) = (file(&path, 100, 2), file(&path, 100, 2));
        assert_eq!(first.write(LINE), Written::AsBefore);
        assert_eq!(second.write(LINE), Written::Failed("another process writes it".to_owned()));
        drop(first);
        wait(&mut second);
        assert_eq!(second.write(LINE), Written::Again);
    }

    #[test]
    fn a_file_that_was_moved_away_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let mut log = file(&path, 1_000, 2);
        log.write(LINE);
        fs::remove_file(&path).unwrap();
        wait(&mut log);
        assert_eq!(log.write(LINE), Written::AsBefore);
        assert_eq!(fs::read(&path).unwrap(), LINE);
    }

    #[test]
    fn files_of_others_in_the_way_do_not_end_logging() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let mut log = file(&path, 50, 3);
        log.write(LINE);
        // The library did not see this one when it started, and asserts that it is not there.
        fs::write(dir.path().join("a.log.1"), "x").unwrap();
        assert!(matches!(log.write(LINE), Written::Failed(_)));
        wait(&mut log);
        assert_eq!(log.write(LINE), Written::Again);
        assert!(sizes(dir.path()).len() <= 3);
    }

    #[test]
    fn others_may_not_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        file(&path, 50, 3).write(LINE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o007, 0);
    }
}
