//! The spool for asynchronous code: every disk access runs on a blocking thread. The directory of this start is made
//! when the disk allows it, at the latest before the first frame.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use precall_call::At;
use uuid::Uuid;

use super::acknowledged::{self, End, Mark, Missing};
use super::batch::{self, Together};
use super::disk::Directory;
use super::room::{self, Room};
use super::{AppendError, Spool};
use crate::events::raw::RawBatch;

/// A shared handle of one spool.
#[derive(Clone, Debug)]
pub struct SpoolHandle {
    root: Arc<Path>,
    max: u64,
    place: Arc<Mutex<Place>>,
}

#[derive(Debug, Default)]
struct Place {
    /// `None` until the directory could be made.
    spool: Option<Spool<Directory>>,
    /// The database of its events, once it is known.
    database: Option<Uuid>,
}

/// What waits in a spool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Number of frames.
    pub frames: usize,
    /// Their bytes.
    pub bytes: u64,
}

impl SpoolHandle {
    /// A spool under `root`, of at most `max` bytes. Its directory is made later.
    #[must_use]
    pub fn new(root: &Path, max: u64) -> Self {
        Self { root: root.into(), max, place: Arc::default() }
    }

    /// The same, with its directory. Blocks.
    ///
    /// # Errors
    /// When precall cannot write there.
    pub fn fresh(root: &Path, max: u64) -> io::Result<Self> {
        let handle = Self::new(root, max);
        handle.make()?;
        Ok(handle)
    }

    /// Opens the spool in this directory. Blocks.
    ///
    /// # Errors
    /// When a frame cannot be read.
    pub fn open(directory: Directory, max: u64) -> io::Result<Self> {
        let handle = Self::new(directory.path(), max);
        handle.lock().spool = Some(Spool::open(directory, max)?);
        Ok(handle)
    }

    /// Makes the directory of this start, if it is missing. Blocks.
    ///
    /// # Errors
    /// When precall cannot write there.
    pub fn make(&self) -> io::Result<()> {
        self.lock().made(&self.root, self.max).map(drop)
    }

    /// Everything appended from now on is of this database.
    pub async fn belong_to(&self, database: Uuid) {
        let set = move |place: &mut Place| {
            place.database = Some(database);
            if let Some(spool) = &mut place.spool {
                spool.segments().belong_to(database);
            }
        };
        // A blocking thread that ended early leaves the spool unmarked, as an earlier version does.
        let _ = self.blocking(move |handle| set(&mut handle.lock())).await;
    }

    /// Appends a frame.
    ///
    /// # Errors
    /// As [`Spool::append`], and when the directory cannot be made.
    pub async fn append(&self, frame: Vec<u8>) -> Result<(), AppendError> {
        self.blocking(move |handle| handle.lock().made(&handle.root, handle.max)?.append(&frame)).await?
    }

    /// The frames after the first `skip`; `None` at the end.
    ///
    /// # Errors
    /// When a frame cannot be read.
    pub async fn peek(&self, skip: usize) -> io::Result<Option<Together>> {
        let peek = move |spool: &mut Spool<Directory>| batch::peek(spool, skip);
        self.on_disk(peek).await?.transpose().map(Option::flatten)
    }

    /// The same frames as text, about `bytes` of them but at least one.
    pub(crate) async fn peek_raw(&self, skip: usize, bytes: usize) -> io::Result<Option<Together<RawBatch>>> {
        let peek = move |spool: &mut Spool<Directory>| batch::peek_up_to(spool, skip, bytes);
        self.on_disk(peek).await?.transpose().map(Option::flatten)
    }

    /// Reads every frame in order: its place, its generation and its content. Blocks.
    pub(crate) fn each_raw(&self, mut take: impl FnMut(usize, u64, RawBatch)) -> io::Result<()> {
        let mut place = self.lock();
        let Some(spool) = &mut place.spool else { return Ok(()) };
        let mut frame = 0_usize;
        while let Some(read) = batch::peek_up_to::<_, RawBatch>(spool, frame, 0)? {
            take(frame, read.generation, read.batch);
            frame = frame.saturating_add(1);
        }
        Ok(())
    }

    /// Removes the first `count` frames: they are in the database.
    ///
    /// # Errors
    /// When an empty segment could not be deleted.
    pub async fn take_out(&self, count: usize) -> io::Result<()> {
        self.on_disk(move |spool| spool.take_out(count)).await?.unwrap_or(Ok(()))
    }

    /// Checks that precall can write, and makes the directory if it is missing.
    ///
    /// # Errors
    /// When it cannot write.
    pub async fn probe(&self) -> io::Result<()> {
        self.blocking(|handle| {
            let mut place = handle.lock();
            // Somebody may have deleted it, or mounted another disk over it. Without `root` its disk is missing.
            let root = handle.root.exists();
            place.spool.take_if(|spool| root && spool.is_empty() && !spool.segments().path().exists());
            place.made(&handle.root, handle.max)?.segments().probe()
        })
        .await?
    }

    /// The room on its disk; `None` if the system does not say.
    pub async fn room(&self) -> Option<Room> {
        self.blocking(|handle| room::at(&handle.root)).await.ok()?.ok()
    }

    /// Records beside the spool that everything up to `position` is acknowledged. A failure does no harm: an older
    /// mark says less.
    pub async fn mark(&self, generation: u64, position: i64, at: At) {
        let write = move |handle: &Self| {
            let database = handle.lock().database?;
            let at = Timestamp::from_microsecond(at.0).ok()?;
            acknowledged::write(&handle.root, &Mark { database, generation, position, at }).ok()
        };
        let _ = self.blocking(write).await;
    }

    /// What was acknowledged and is not in a database that ends here; it is kept for `precall verify`.
    ///
    /// # Errors
    /// When the files beside the spool cannot be read or written.
    pub async fn keep_missing(&self, end: End) -> io::Result<Vec<Missing>> {
        self.blocking(move |handle| acknowledged::keep_missing(&handle.root, end)).await?
    }

    /// What is wrong, and what to change.
    pub async fn fault(&self, error: AppendError) -> String {
        match error {
            AppendError::Full { .. } => error.to_string(),
            AppendError::Disk(error) => {
                let waiting = self.waiting().await.bytes;
                let words = move |handle: &Self| {
                    room::fault(&handle.root, &error, handle.max.saturating_sub(waiting))
                };
                self.blocking(words).await.unwrap_or_else(|error| error.to_string())
            }
        }
    }

    /// What waits in the spool. Waits for a running disk access.
    pub async fn waiting(&self) -> Waiting {
        let waiting = |spool: &mut Spool<Directory>| Waiting { frames: spool.frames(), bytes: spool.bytes() };
        self.on_disk(waiting).await.ok().flatten().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Spool<Directory>) -> T + Send + 'static,
    ) -> io::Result<Option<T>> {
        self.blocking(move |handle| handle.lock().spool.as_mut().map(work)).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> io::Result<T> {
        let handle = self.clone();
        tokio::task::spawn_blocking(move || work(&handle)).await.map_err(io::Error::other)
    }
}

impl Place {
    fn made(&mut self, root: &Path, max: u64) -> io::Result<&mut Spool<Directory>> {
        let spool = match self.spool.take() {
            Some(spool) => spool,
            None => {
                let mut directory = Directory::fresh(root)?;
                if let Some(database) = self.database {
                    directory.belong_to(database);
                }
                Spool::open(directory, max)?
            }
        };
        Ok(self.spool.insert(spool))
    }
}
