//! The spool for asynchronous code: every disk access runs on a blocking thread.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::batch::{self, Together};
use super::disk::Directory;
use super::{AppendError, Spool};

/// A shared handle of one spool.
#[derive(Clone, Debug)]
pub struct SpoolHandle(Arc<Mutex<Spool<Directory>>>);

/// What waits in a spool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Number of frames.
    pub frames: usize,
    /// Their bytes.
    pub bytes: u64,
}

impl SpoolHandle {
    /// Creates a spool under `root`, of at most `max` bytes. Blocks.
    ///
    /// # Errors
    /// When precall cannot write there.
    pub fn fresh(root: &Path, max: u64) -> io::Result<Self> {
        Self::open(Directory::fresh(root)?, max)
    }

    /// Opens the spool in this directory. Blocks.
    ///
    /// # Errors
    /// When a frame cannot be read.
    pub fn open(directory: Directory, max: u64) -> io::Result<Self> {
        Ok(Self(Arc::new(Mutex::new(Spool::open(directory, max)?))))
    }

    /// Appends a frame.
    ///
    /// # Errors
    /// As [`Spool::append`].
    pub async fn append(&self, frame: Vec<u8>) -> Result<(), AppendError> {
        self.on_disk(move |spool| spool.append(&frame)).await?
    }

    /// The frames after the first `skip`; `None` at the end.
    ///
    /// # Errors
    /// When a frame cannot be read.
    pub async fn peek(&self, skip: usize) -> io::Result<Option<Together>> {
        self.on_disk(move |spool| batch::peek(spool, skip)).await?
    }

    /// Removes the first `count` frames: they are in the database.
    ///
    /// # Errors
    /// When an empty segment could not be deleted.
    pub async fn take_out(&self, count: usize) -> io::Result<()> {
        self.on_disk(move |spool| spool.take_out(count)).await?
    }

    /// Checks that precall can write.
    ///
    /// # Errors
    /// When it cannot write.
    pub async fn probe(&self) -> io::Result<()> {
        self.on_disk(|spool| spool.segments().probe()).await?
    }

    /// What waits in the spool. Waits for a running disk access.
    pub async fn waiting(&self) -> Waiting {
        let waiting = |spool: &mut Spool<Directory>| Waiting { frames: spool.frames(), bytes: spool.bytes() };
        self.on_disk(waiting).await.unwrap_or_default()
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Spool<Directory>) -> T + Send + 'static,
    ) -> io::Result<T> {
        let spool = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || {
            work(&mut spool.lock().unwrap_or_else(PoisonError::into_inner))
        });
        done.await.map_err(io::Error::other)
    }
}
