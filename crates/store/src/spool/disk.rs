//! The spool's segments as files, in a directory of one start of precall.
//!
//! Each start has a directory of its own under `SPOOL_DIR` and holds a lock on it while it lives. A directory whose lock is free was left
//! behind, and whoever takes the lock may empty it; so two processes on one host never share a file, and none waits for one that was stopped.

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
/// Of a directory that is not finished.
const UNFINISHED: &str = ".new-";

/// See the file.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Held, never read.
    _lock: File,
    open: Option<(u64, File)>,
}

impl Directory {
    /// One for this start. Makes `root` when it is missing.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub fn fresh(root: &Path) -> io::Result<Self> {
        make(root)?;
        let name = Uuid::now_v7().to_string();
        // Under its name only when it is locked: nobody may take it for one that was left behind.
        let (unfinished, path) = (root.join(format!("{UNFINISHED}{name}")), root.join(name));
        make(&unfinished)?;
        let lock = lock_in(&unfinished)?.ok_or(io::ErrorKind::AddrInUse)?;
        fs::rename(&unfinished, &path)?;
        sync(root)?;
        let mut directory = Self { path, _lock: lock, open: None };
        directory.probe()?;
        Ok(directory)
    }

    /// Those that nobody holds any more, oldest first, locked. Empty ones are gone afterwards.
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
            // One that goes away meanwhile is somebody else's.
            if let Ok(Some(lock)) = lock_in(&path) {
                left.push(Self { path, _lock: lock, open: None });
            }
        }
        Ok(left)
    }

    /// Whether something can be written.
    ///
    /// # Errors
    /// When it cannot.
    pub fn probe(&mut self) -> io::Result<()> {
        let path = self.path.join(PROBE);
        let mut file = options().create(true).truncate(true).write(true).open(&path)?;
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        fs::remove_file(&path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn of(&self, segment: u64) -> PathBuf {
        self.path.join(format!("{segment:020}.{ENDING}"))
    }
}

impl Drop for Directory {
    /// An empty one is of no use to anybody; one that is not stays as it is.
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
        // Taken out until it worked: after an error the file is not written again.
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

/// What waits here is personal data: nobody else reads it.
fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// A new name is durable when its directory is.
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
