//! The spool's segments as files, in a directory of one start of precall.
//!
//! Each start has a directory of its own under `SPOOL_DIR` and locks it while it runs. A directory without a lock is
//! left over from an earlier start; the process that locks it may empty it. So two processes on one host never share a
//! file, and no process waits for a stopped one.
//!
//! The file `database` in it names the database whose events it holds. It is there before the first frame.

mod files;

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::Segments;
pub(super) use files::replace;
use files::{Cached, lock_in, make, options, sync};

const LOCK: &str = "lock";
const PROBE: &str = "probe";
const DATABASE: &str = "database";
const ENDING: &str = "spool";
const DAMAGED: &str = "damaged";
/// Prefix of a directory that is not ready yet.
const UNFINISHED: &str = ".new-";
/// A look at a directory (`precall verify`) holds its lock for one system call: so often a lock is tried again.
const LOOKS: usize = 3;

/// Which database a directory's events are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belongs {
    /// It does not say: an earlier version of precall wrote it, or nothing was written yet.
    Unsaid,
    /// The one with this id.
    To(Uuid),
    /// Its file cannot be read.
    Unreadable,
}

/// The locked spool directory of one start.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Holds the lock.
    lock: File,
    open: Option<(u64, File)>,
    cached: Cached,
    /// The database that its frames are of, once it is known.
    database: Option<Uuid>,
    /// Whether the directory says so.
    is_marked: bool,
}

/// What a look for left-behind directories found.
#[derive(Debug, Default)]
pub struct LeftBehind {
    /// Locked, oldest first.
    pub directories: Vec<Directory>,
    /// Those that cannot be locked, and why. A directory that another process holds is none of them.
    pub unusable: Vec<(PathBuf, io::Error)>,
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
        let made = Self::named_after_lock(&unfinished, &path);
        if made.is_err() {
            // On a full disk each attempt would leave one behind.
            let _ = fs::remove_file(unfinished.join(LOCK));
            let _ = fs::remove_dir(&unfinished);
        }
        let mut directory = Self::holding(path, made?);
        sync(root)?;
        directory.probe()?;
        Ok(directory)
    }

    fn named_after_lock(unfinished: &Path, path: &Path) -> io::Result<File> {
        make(unfinished)?;
        let lock = lock_in(unfinished)?.ok_or(io::ErrorKind::AddrInUse)?;
        fs::rename(unfinished, path)?;
        Ok(lock)
    }

    fn holding(path: PathBuf, lock: File) -> Self {
        Self { path, lock, open: None, cached: Cached::default(), database: None, is_marked: false }
    }

    /// Locks and returns the directories that no process holds. Dropping an empty one deletes it.
    ///
    /// # Errors
    /// When `root` cannot be listed.
    pub fn left_behind(root: &Path) -> io::Result<LeftBehind> {
        let mut left = LeftBehind::default();
        for path in all(root)? {
            let mut locked = lock_in(&path);
            for _ in 0..LOOKS {
                if matches!(locked, Ok(None)) {
                    locked = lock_in(&path);
                }
            }
            match locked {
                Ok(Some(lock)) => left.directories.push(Self::holding(path, lock)),
                // Another process holds it, or has just emptied it.
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => left.unusable.push((path, error)),
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
        let written = file.write_all(&[0; 4096]).and_then(|()| file.sync_data());
        // A full disk needs its space.
        fs::remove_file(&path)?;
        written
    }

    /// Its frames are of this database. The directory says so before its first frame.
    pub fn belong_to(&mut self, database: Uuid) {
        self.is_marked &= self.database == Some(database);
        self.database = Some(database);
    }

    /// Which database its frames are of.
    #[must_use]
    pub fn belongs(&self) -> Belongs {
        belongs(&self.path)
    }

    /// The path of the directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The id of the directory: its name.
    #[must_use]
    pub fn id(&self) -> Option<Uuid> {
        id_of(&self.path)
    }

    fn of(&self, segment: u64) -> PathBuf {
        file_of(&self.path, segment)
    }

    fn mark(&mut self) -> io::Result<()> {
        let Some(database) = self.database.filter(|_| !self.is_marked) else { return Ok(()) };
        replace(&self.path.join(DATABASE), database.to_string().as_bytes())?;
        self.is_marked = true;
        Ok(())
    }
}

impl Drop for Directory {
    /// Deletes the directory if it is empty, and lets it go.
    fn drop(&mut self) {
        let ours = |name: &std::ffi::OsStr| name == LOCK || name == DATABASE;
        let is_empty = fs::read_dir(&self.path)
            .is_ok_and(|found| found.filter_map(Result::ok).all(|entry| ours(&entry.file_name())));
        if is_empty {
            let _ = fs::remove_file(self.path.join(DATABASE));
            let _ = fs::remove_file(self.path.join(LOCK));
            let _ = fs::remove_dir(&self.path);
        }
        // Closing the file is not enough: a child that another thread starts at this moment has a copy until it runs
        // its program.
        let _ = self.lock.unlock();
    }
}

impl Segments for Directory {
    fn list(&mut self) -> io::Result<Vec<(u64, u64)>> {
        list(&self.path)
    }

    fn read(&mut self, segment: u64, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.cached.read(&self.path, segment, offset, length)
    }

    fn append(&mut self, segment: u64, bytes: &[u8]) -> io::Result<()> {
        self.mark()?;
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
        self.cached.forget(segment);
        match fs::remove_file(self.of(segment)) {
            // An earlier attempt may have removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn set_aside(&mut self, segment: u64) -> io::Result<()> {
        self.open.take_if(|(open, _)| *open == segment);
        self.cached.forget(segment);
        fs::rename(self.of(segment), self.of(segment).with_extension(DAMAGED))
    }
}

/// A directory that is only looked at: nothing in it changes, and it needs no lock.
#[derive(Debug)]
pub struct Looked {
    path: PathBuf,
    cached: Cached,
}

impl Looked {
    /// The directories of all starts under `root`, oldest first.
    ///
    /// # Errors
    /// When `root` cannot be listed.
    pub fn all(root: &Path) -> io::Result<Vec<Self>> {
        Ok(all(root)?.iter().map(|path| Self::at(path)).collect())
    }

    /// The directory at this path.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), cached: Cached::default() }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which database its frames are of.
    #[must_use]
    pub fn belongs(&self) -> Belongs {
        belongs(&self.path)
    }

    /// Whether a running precall writes into it.
    #[must_use]
    pub fn is_held(&self) -> bool {
        File::open(self.path.join(LOCK))
            .is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

impl Segments for Looked {
    fn list(&mut self) -> io::Result<Vec<(u64, u64)>> {
        list(&self.path)
    }

    fn read(&mut self, segment: u64, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.cached.read(&self.path, segment, offset, length)
    }

    fn append(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn remove(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn set_aside(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }
}

/// The directories of all starts, oldest first: their names are time-ordered ids.
fn all(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = match fs::read_dir(root) {
        Ok(found) => found.filter_map(|entry| Some(entry.ok()?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    paths.retain(|path| id_of(path).is_some());
    paths.sort_unstable();
    Ok(paths)
}

fn belongs(path: &Path) -> Belongs {
    match fs::read_to_string(path.join(DATABASE)) {
        Ok(text) => text.trim().parse().map_or(Belongs::Unreadable, Belongs::To),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Belongs::Unsaid,
        Err(_) => Belongs::Unreadable,
    }
}

fn list(path: &Path) -> io::Result<Vec<(u64, u64)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
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

fn file_of(directory: &Path, segment: u64) -> PathBuf {
    directory.join(format!("{segment:020}.{ENDING}"))
}

fn id_of(path: &Path) -> Option<Uuid> {
    Uuid::try_parse(path.file_name()?.to_str()?).ok()
}

#[cfg(test)]
mod tests;
