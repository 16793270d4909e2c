//! The spool from asynchronous code: every touch of the disk on a thread that may wait.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::batch::{self, Together};
use super::disk::Directory;
use super::{AppendError, Spool};

/// Shares one spool.
#[derive(Clone, Debug)]
pub struct SpoolHandle(Arc<Mutex<Spool<Directory>>>);

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Frames.
    pub frames: usize,
    /// Their bytes.
    pub bytes: u64,
}

impl SpoolHandle {
    /// A new one under `root`, of at most `max` bytes. Blocks.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn fresh(root: &Path, max: u64) -> io::Result<Self> {
        Self::open(Directory::fresh(root)?, max)
    }

    /// The one in this directory. Blocks.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(directory: Directory, max: u64) -> io::Result<Self> {
        Ok(Self(Arc::new(Mutex::new(Spool::open(directory, max)?))))
    }

    /// Adds a frame.
    ///
    /// # Errors
    /// As [`Spool::append`].
    pub async fn append(&self, frame: Vec<u8>) -> Result<(), AppendError> {
        self.on_disk(move |spool| spool.append(&frame)).await?
    }

    /// What comes after the first `skip` frames.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn peek(&self, skip: usize) -> io::Result<Option<Together>> {
        self.on_disk(move |spool| batch::peek(spool, skip)).await?
    }

    /// The first `count` frames are in the database.
    ///
    /// # Errors
    /// When their segments could not be deleted.
    pub async fn take_out(&self, count: usize) -> io::Result<()> {
        self.on_disk(move |spool| spool.take_out(count)).await?
    }

    /// Whether something can be written.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn probe(&self) -> io::Result<()> {
        self.on_disk(|spool| spool.segments().probe()).await?
    }

    /// How much waits. Waits itself while the disk is being touched.
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
