//! Looks at everything that waits under `SPOOL_DIR`, and changes nothing. It may run beside a precall that writes
//! there.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use precall_call::At;

use crate::events::raw::RawBatch;
use crate::spool::Spool;
use crate::spool::batch::{Together, peek_up_to};
use crate::spool::disk::{Belongs, Looked};

const BYTES_AT_ONCE: usize = 4 * 1024 * 1024;

/// What one start of precall has in its directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surveyed {
    /// The directory.
    pub path: PathBuf,
    /// The database of its events.
    pub belongs: Belongs,
    /// Whether a precall runs that writes into it.
    pub is_held: bool,
    /// Events, and rows of no event.
    pub entries: usize,
    /// Time of the oldest event.
    pub since: Option<Timestamp>,
}

/// The directories that hold something, oldest first. Blocks.
///
/// # Errors
/// When a directory cannot be read.
pub fn survey(root: &Path) -> io::Result<Vec<Surveyed>> {
    let mut all = Vec::new();
    for directory in Looked::all(root)? {
        match look(directory) {
            Ok(found) if found.entries > 0 => all.push(found),
            Ok(_) => {}
            // Its precall has emptied it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// The directory at this path. Blocks.
pub(super) fn of(path: &Path) -> io::Result<Surveyed> {
    look(Looked::at(path))
}

fn look(directory: Looked) -> io::Result<Surveyed> {
    let (path, belongs, is_held) = (directory.path().to_owned(), directory.belongs(), directory.is_held());
    let (mut frames, mut entries, mut oldest) = (0_usize, 0_usize, None::<At>);
    let mut spool = Spool::open(directory, u64::MAX)?;
    while let Some(read) = peek_up_to(&mut spool, frames, BYTES_AT_ONCE)? {
        let Together::<RawBatch> { batch, frames: read, .. } = read;
        frames = frames.saturating_add(read);
        entries = entries.saturating_add(batch.len());
        oldest = batch.entries.iter().map(|entry| entry.at).chain(oldest).min();
    }
    let since = oldest.and_then(|at| Timestamp::from_microsecond(at.0).ok());
    Ok(Surveyed { path, belongs, is_held, entries, since })
}
