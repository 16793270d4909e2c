//! Samples in one folder, and nothing outside it: links are resolved before any read, write or deletion. All
//! functions block.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use precall_call::At;
use tempfile::Builder;

use super::check::{SAMPLE_BYTES_MAX, check_size};
use super::{SampleDeleted, SampleError, SampleMark};

/// Folder of unfinished uploads, apart from the finished ones.
const INCOMING: &str = "uploads/.incoming";
/// Unfinished uploads older than this are from a crash.
const LEFT_BEHIND: Duration = Duration::from_secs(3_600);

/// The folder that samples may come from (`LOCAL_VOICE_SAMPLES_PATH`).
#[derive(Clone, Debug)]
pub(crate) struct SampleFolder {
    root: PathBuf,
}

impl SampleFolder {
    /// The configured folder. It may not exist yet, because a volume may be mounted late; each access checks it.
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Reads a whole file, named by an absolute path inside the folder or by a relative one.
    pub(crate) fn read(&self, named: &Path) -> Result<Bytes, SampleError> {
        let path = self.resolve(named)?;
        // Before the open: opening a pipe blocks until a writer opens it too.
        file_at(&path)?;
        let file = File::open(&path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        if size > SAMPLE_BYTES_MAX {
            return Err(SampleError::TooLarge);
        }
        let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        // The file may grow while it is read.
        file.take(SAMPLE_BYTES_MAX + 1).read_to_end(&mut content).map_err(unreadable)?;
        check_size(content.len())?;
        Ok(Bytes::from(content))
    }

    /// Size, modification time and inode: a write changes the time, a replacement the inode.
    pub(crate) fn mark(&self, named: &Path) -> Result<SampleMark, SampleError> {
        let about = file_at(&self.resolve(named)?)?;
        let (size, inode) = (about.size(), about.ino());
        Ok(SampleMark::new(format!("file:{size}:{}.{:09}:{inode}", about.mtime(), about.mtime_nsec())))
    }

    /// Writes the content under this name, completely or not at all, readable by the service only.
    pub(crate) fn write(&self, name: &str, content: &[u8], now: At) -> Result<(), SampleError> {
        let root = self.root()?;
        let target = root.join(name);
        let folder = target.parent().unwrap_or(&root);
        let incoming = root.join(INCOMING);
        for folder in [folder, &incoming] {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unwritable)?;
            // The folder may be a link that leads outside.
            if !folder.canonicalize().map_err(unwritable)?.starts_with(&root) {
                return Err(SampleError::Outside);
            }
        }
        sweep(&incoming, now);
        let mut file = Builder::new().tempfile_in(&incoming).map_err(unwritable)?;
        file.write_all(content).map_err(unwritable)?;
        file.as_file().sync_all().map_err(unwritable)?;
        file.persist(&target).map_err(|error| unwritable(error.error))?;
        sync(folder)
    }

    /// Deletes the file, and the link that led to it, if any.
    pub(crate) fn delete(&self, named: &Path) -> Result<SampleDeleted, SampleError> {
        let root = self.root()?;
        let path = match self.resolve(named) {
            Ok(path) => path,
            Err(SampleError::Missing) => return Ok(SampleDeleted::WasGone),
            Err(error) => return Err(error),
        };
        file_at(&path)?;
        if let Some(link) = link_inside(&root, &root.join(named)) {
            remove(&link)?;
        }
        remove(&path)
    }

    fn root(&self) -> Result<PathBuf, SampleError> {
        self.root.canonicalize().map_err(|error| SampleError::NoFolder(error.kind()))
    }

    /// The sample's real path, with all links resolved, inside the folder.
    fn resolve(&self, named: &Path) -> Result<PathBuf, SampleError> {
        let root = self.root()?;
        let real = root.join(named).canonicalize().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => SampleError::Missing,
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => SampleError::Malformed,
            kind => SampleError::Unreadable(kind),
        })?;
        if real.starts_with(&root) { Ok(real) } else { Err(SampleError::Outside) }
    }
}

fn file_at(path: &Path) -> Result<fs::Metadata, SampleError> {
    let about = path.metadata().map_err(unreadable)?;
    if about.is_file() { Ok(about) } else { Err(SampleError::NotAFile) }
}

/// The link's own path, if it is a link and inside the folder.
fn link_inside(root: &Path, named: &Path) -> Option<PathBuf> {
    let folder = named.parent()?.canonicalize().ok()?;
    let link = folder.join(named.file_name()?);
    (link.starts_with(root) && link.is_symlink()).then_some(link)
}

/// Deletes a file and syncs its folder, so that the deletion survives a power failure.
fn remove(path: &Path) -> Result<SampleDeleted, SampleError> {
    let deleted = match fs::remove_file(path) {
        Ok(()) => SampleDeleted::Now,
        Err(error) if error.kind() == io::ErrorKind::NotFound => SampleDeleted::WasGone,
        Err(error) => return Err(unwritable(error)),
    };
    path.parent().map_or(Ok(()), sync)?;
    Ok(deleted)
}

fn sync(folder: &Path) -> Result<(), SampleError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritable)
}

/// Deletes unfinished uploads of crashes. A failure is retried at the next upload.
fn sweep(incoming: &Path, now: At) {
    let Ok(entries) = fs::read_dir(incoming) else { return };
    for entry in entries.flatten() {
        let written = entry.metadata().and_then(|about| about.modified()).ok();
        let since = written.and_then(|written| written.duration_since(UNIX_EPOCH).ok());
        let written = since.and_then(|since| i64::try_from(since.as_micros()).ok());
        if written.is_some_and(|written| now.since(At(written)) > LEFT_BEHIND) {
            let _tried_again = fs::remove_file(entry.path());
        }
    }
}

fn unreadable(error: io::Error) -> SampleError {
    SampleError::Unreadable(error.kind())
}

fn unwritable(error: io::Error) -> SampleError {
    SampleError::Unwritable(error.kind())
}
