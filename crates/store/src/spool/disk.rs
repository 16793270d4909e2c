//! The spool's segments as files, in a directory of one start of precall.
//!
//! Each start has a directory of its own under `SPOOL_DIR` and locks it while it runs. A directory without a lock is
//! left over from an earlier start; the process that locks it may empty it. So two processes on one host never share a
//! file, and no process waits for a stopped one.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::Segments;

const LOCK: &str = "lock";
const PROBE: &str = "probe";
const ENDING: &str = "spool";
const DAMAGED: &str = "damaged";
/// Prefix of a directory that is not ready yet.
const UNFINISHED: &str = ".new-";

/// The locked spool directory of one start.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Holds the lock. Never read.
    _lock: File,
    open: Option<(u64, File)>,
}

impl Directory {
    /// Creates the directory of this start, and `root` if it is missing.
    ///
    /// # Errors
    /// When a directory cannot be created or written.
    pub fn fresh(root: &Path) -> io::Result<Self> {
        make(root)?;
        let name = Uuid::now_v7().to_string();
        // It gets its name only after the lock, so that no process takes it for a left-over one.
        let (unfinished, path) = (root.join(format!("{UNFINISHED}{name}")), root.join(name));
        make(&unfinished)?;
        let lock = lock_in(&unfinished)?.ok_or(io::ErrorKind::AddrInUse)?;
        fs::rename(&unfinished, &path)?;
        sync(root)?;
        let mut directory = Self { path, _lock: lock, open: None };
        directory.probe()?;
        Ok(directory)
    }

    /// Locks and returns the directories that no process holds, oldest first. Dropping an empty one deletes it.
    ///
    /// # Errors
    /// When `root` cannot be listed.
    pub fn left_behind(root: &Path) -> io::Result<Vec<Self>> {
        let mut names: Vec<PathBuf> = match fs::read_dir(root) {
            Ok(found) => found.filter_map(|entry| Some(entry.ok()?.path())).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        // Names are time-ordered ids.
        names.retain(|path| named(path).is_some_and(|name| Uuid::try_parse(name).is_ok()));
        names.sort_unstable();
        let mut left = Vec::new();
        for path in names {
            // A directory that disappears meanwhile belongs to another process.
            if let Ok(Some(lock)) = lock_in(&path) {
                left.push(Self { path, _lock: lock, open: None });
            }
        }
        Ok(left)
    }

    /// Checks that precall can write here.
    ///
    /// # Errors
    /// When it cannot write.
    pub fn probe(&mut self) -> io::Result<()> {
        let path = self.path.join(PROBE);
        let mut file = options().create(true).truncate(true).write(true).open(&path)?;
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        fs::remove_file(&path)
    }

    /// The path of the directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn of(&self, segment: u64) -> PathBuf {
        self.path.join(format!("{segment:020}.{ENDING}"))
    }
}

impl Drop for Directory {
    /// Deletes the directory if it is empty.
    fn drop(&mut self) {
        let is_empty = fs::read_dir(&self.path)
            .is_ok_and(|found| found.filter_map(Result::ok).all(|entry| entry.file_name() == LOCK));
        if is_empty {
            let _ = fs::remove_file(self.path.join(LOCK));
            let _ = fs::remove_dir(&self.path);
        }
    }
}

impl Segments for Directory {
    fn list(&mut self) -> io::Result<Vec<(u64, u64)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let path = entry.path();
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            if let Some(number) = number.filter(|_| path.extension().is_some_and(|end| end == ENDING)) {
                found.push((number, entry.metadata()?.len()));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    fn read(&mut self, segment: u64, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        File::open(self.of(segment))?.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    fn append(&mut self, segment: u64, bytes: &[u8]) -> io::Result<()> {
        let is_new = self.open.as_ref().is_none_or(|(open, _)| *open != segment);
        // Taken, and put back after success: after an error precall does not write to the file again.
        let mut file = match self.open.take().filter(|_| !is_new) {
            Some((_, file)) => file,
            None => options().create_new(true).append(true).open(self.of(segment))?,
        };
        file.write_all(bytes)?;
        file.sync_data()?;
        if is_new {
            sync(&self.path)?;
        }
        self.open = Some((segment, file));
        Ok(())
    }

    fn remove(&mut self, segment: u64) -> io::Result<()> {
        self.open.take_if(|(open, _)| *open == segment);
        fs::remove_file(self.of(segment))
    }

    fn set_aside(&mut self, segment: u64) -> io::Result<()> {
        self.open.take_if(|(open, _)| *open == segment);
        fs::rename(self.of(segment), self.of(segment).with_extension(DAMAGED))
    }
}

fn named(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

/// The spool holds personal data: no other user may read it.
fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// A new file name is durable only after its directory is synced.
fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn lock_in(directory: &Path) -> io::Result<Option<File>> {
    let lock = options().create(true).truncate(false).write(true).open(directory.join(LOCK))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests;
