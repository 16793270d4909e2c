//! Files and directories as the spool needs them: private, locked, durable, and read a segment at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

use super::{LOCK, file_of};

/// A longer file is read piece by piece.
const CACHED_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The bytes of the segment that was read last: frames are small and many, and are read in their order.
#[derive(Debug, Default)]
pub(super) struct Cached(Option<(u64, Vec<u8>)>);

impl Cached {
    pub(super) fn read(
        &mut self,
        directory: &Path,
        segment: u64,
        offset: u64,
        length: usize,
    ) -> io::Result<Vec<u8>> {
        if let Some(bytes) = self.piece(segment, offset, length) {
            return Ok(bytes);
        }
        // What is in a segment never changes; only more may have come.
        let mut file = File::open(file_of(directory, segment))?;
        let size = file.metadata()?.len();
        if size <= CACHED_BYTES_MAX {
            let mut bytes = self.0.take().map(|(_, bytes)| bytes).unwrap_or_default();
            bytes.clear();
            file.read_to_end(&mut bytes)?;
            self.0 = Some((segment, bytes));
            return self.piece(segment, offset, length).ok_or_else(|| io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    fn piece(&self, segment: u64, offset: u64, length: usize) -> Option<Vec<u8>> {
        let (_, bytes) = self.0.as_ref().filter(|(cached, _)| *cached == segment)?;
        let from = usize::try_from(offset).ok()?;
        bytes.get(from..from.checked_add(length)?).map(<[u8]>::to_vec)
    }

    pub(super) fn forget(&mut self, segment: u64) {
        self.0.take_if(|(cached, _)| *cached == segment);
    }
}

/// The spool holds personal data: no other user may read it.
pub(super) fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

pub(super) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// A new file name is durable only after its directory is synced.
pub(super) fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Writes a file that is whole after a crash: the old one, or the new one.
pub(in crate::spool) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let written = options().create(true).truncate(true).write(true).open(&new).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(&new, path));
    if renamed.is_err() {
        let _ = fs::remove_file(&new);
    }
    renamed?;
    path.parent().map_or(Ok(()), sync)
}

/// Locks a directory; `None` if another process holds it.
pub(super) fn lock_in(directory: &Path) -> io::Result<Option<File>> {
    let path = directory.join(LOCK);
    let lock = match options().create(true).truncate(false).write(true).open(&path) {
        // What was left on a disk that became read-only can still be read.
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => File::open(&path)?,
        opened => opened?,
    };
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
