//! Writes what earlier starts of precall left in the spool into the database.
//!
//! Each write checks that no other start has become active since those events were acknowledged, or since the active
//! start has taken their directories over ([`LeftSpools::claim`]). Otherwise [`late`] decides which of the logs may
//! still be written.

mod call_rows;
mod foreign;
pub mod index;
mod late;
pub mod survey;

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Pool;
use futures_util::future::{join, try_join_all};
use slog::{Logger, error, info};
use tokio_postgres::GenericClient;
use uuid::Uuid;

use super::error::StoreError;
use crate::events::import::{Imported, import};
use crate::events::positions::Positions;
use crate::events::raw::RawBatch;
use crate::leader::{adoption, engine_lock};
use crate::spool::batch::Together;
use crate::spool::disk::{Belongs, Directory};
use crate::spool::handle::SpoolHandle;
use crate::spool_pace::Pace;
use foreign::Foreign;
use index::{Index, Wanted};

/// Time limit of one transaction.
const WRITE_WITHIN: Duration = Duration::from_secs(30);
/// Connections that write at the same time.
const LANES: usize = 2;
/// Bytes of frames that the lanes write together. More of them in one transaction share derived rows; fewer let live
/// writes go first sooner.
const WINDOW_BYTES: usize = 8 * 1024 * 1024;

/// Why the spool could not be emptied.
#[derive(Debug, thiserror::Error)]
pub enum LeftError {
    /// The disk cannot be read.
    #[error("the spool of an earlier start cannot be read: {0}")]
    Disk(#[from] io::Error),
    /// The database does not accept it now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What runs beside an import.
#[derive(Clone, Copy, Debug)]
pub struct Beside<'a> {
    /// Live writes.
    pub pace: &'a Pace,
    /// Readers of events.
    pub positions: &'a Positions,
}

/// The spools that earlier starts left behind: locked, and read once. Dropping it lets them go.
pub struct LeftSpools {
    directories: Vec<Left>,
    index: Arc<Index>,
    foreign: Vec<Foreign>,
    unusable: Vec<(PathBuf, io::Error)>,
    /// The generation of the database when it was asked.
    before: Option<u64>,
}

/// A directory.
struct Left {
    id: Option<Uuid>,
    path: PathBuf,
    spool: SpoolHandle,
    standing: Standing,
}

/// Whether other starts may have changed the logs of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Nobody has, while this generation is the active one.
    Current(u64),
    /// Another start has acted since.
    Late,
}

impl LeftSpools {
    /// Locks and reads every spool directory under `root` that no process holds and that is of this database.
    ///
    /// # Errors
    /// When the disk cannot be read, or the database does not answer.
    pub async fn find(root: &Path, pool: &Pool, log: &Logger) -> Result<Self, LeftError> {
        let root = root.to_owned();
        let found = blocking(move || Directory::left_behind(&root)).await??;
        let mut left = Self {
            directories: Vec::new(),
            index: Arc::default(),
            foreign: Vec::new(),
            unusable: found.unusable,
            before: None,
        };
        if found.directories.is_empty() {
            return Ok(left);
        }
        let client = pool.get().await.map_err(StoreError::from)?;
        let state = adoption::state(&**client).await?;
        drop(client);
        left.before = state.generation;
        let (opened, foreign, index) = blocking(move || open(found.directories, state.database)).await??;
        left.foreign = foreign;
        left.index = Arc::new(index);
        for Opened { id, path, spool, generations } in opened {
            let waiting = spool.waiting().await;
            info!(log, "an earlier start left events in the spool"; "directory" => path.display().to_string(),
                "batches" => waiting.frames, "bytes" => waiting.bytes);
            let is_adopted = id.is_some_and(|id| state.adopted.contains(&id));
            let is_own = |generation: u64| generations.iter().all(|written| *written == generation);
            let current = state.generation.filter(|generation| is_adopted || is_own(*generation));
            let standing = current.map_or(Standing::Late, Standing::Current);
            left.directories.push(Left { id, path, spool, standing });
        }
        Ok(left)
    }

    /// Which calls and jobs have events in them. Those of other databases are not among them.
    #[must_use]
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The directories that stay as they are.
    pub fn staying(&self) -> impl Iterator<Item = &Path> {
        self.foreign.iter().map(|foreign| &*foreign.path).chain(self.unusable.iter().map(|(path, _)| &**path))
    }

    /// Why they stay, in words: they are of another database, or cannot be locked. Reads them whole.
    pub async fn problems(&self) -> Vec<String> {
        let foreign = self.foreign.clone();
        let words = blocking(move || foreign.iter().map(Foreign::words).collect()).await;
        let unusable =
            self.unusable.iter().map(|(path, error)| format!("{} cannot be locked: {error}", path.display()));
        words.unwrap_or_else(|error| vec![error.to_string()]).into_iter().chain(unusable).collect()
    }

    /// Makes this start the active one, and takes the directories over in the same transaction: their events may
    /// still be written while this start is the active one. Returns the id of the database.
    ///
    /// # Errors
    /// [`StoreError::Superseded`] when another start has acted since these spools were found: find them again. Else
    /// when the query fails.
    pub async fn claim(
        &mut self,
        client: &impl GenericClient,
        generation: u64,
        lease: Duration,
        process: Uuid,
    ) -> Result<Uuid, StoreError> {
        let current = self.directories.iter().filter(|left| left.standing != Standing::Late);
        let ids: Vec<Uuid> = current.filter_map(|left| left.id).collect();
        if self.directories.is_empty() {
            return engine_lock::claim(client, generation, lease, process).await;
        }
        let database = adoption::claim(client, generation, self.before, &ids, lease, process).await?;
        for left in &mut self.directories {
            if matches!(left.standing, Standing::Current(_)) {
                left.standing = Standing::Current(generation);
            }
        }
        self.before = Some(generation);
        Ok(database)
    }

    /// Imports what these calls and jobs need before their logs may be read or continued: their events, those of logs
    /// that share a row with theirs, and the ends and reports that wait for a call. Directories of starts that others
    /// have followed are imported whole. The frames stay until [`Self::import_rest`]. Returns the number of entries.
    ///
    /// # Errors
    /// When they are not imported. The next call does it again, without harm.
    pub async fn import_first(
        &mut self,
        owners: &HashSet<Uuid>,
        pool: &Pool,
        log: &Logger,
    ) -> Result<usize, LeftError> {
        let wanted = self.index.groups_of(owners.iter().copied());
        let mut entries = 0_usize;
        for place in 0..self.directories.len() {
            let Some(left) = self.directories.get(place) else { break };
            let written = match left.standing {
                Standing::Late => late::write_all(&left.spool, pool, log).await?,
                Standing::Current(acting) => self.first_of(place, &wanted, acting, pool, log).await?,
            };
            entries = entries.saturating_add(written);
        }
        Ok(entries)
    }

    async fn first_of(
        &self,
        place: usize,
        wanted: &Wanted,
        acting: u64,
        pool: &Pool,
        log: &Logger,
    ) -> Result<usize, LeftError> {
        let (Some(left), mut entries) = (self.directories.get(place), 0_usize) else { return Ok(0) };
        for (_, frame) in wanted.frames.range((place, 0)..=(place, usize::MAX)) {
            let Some(read) = left.spool.peek_raw(*frame, 0).await? else { break };
            let batch = wanted.of(read.batch, &self.index);
            entries = entries.saturating_add(batch.len());
            write(pool, vec![Arc::new(batch)], acting, log).await?;
        }
        Ok(entries)
    }

    /// Imports everything that is left, and deletes the files. Live writes go first. Readers of `positions` do not pass
    /// what is being written. Returns the number of entries.
    ///
    /// # Errors
    /// When a directory is not empty yet. The next start continues where this one stopped.
    pub async fn import_rest(
        self,
        pool: &Pool,
        beside: Beside<'_>,
        log: &Logger,
    ) -> Result<usize, LeftError> {
        let imported = self.import_directories(pool, beside, log).await;
        // After a failure of the database one of its transactions may still end: readers wait until the next attempt.
        if !matches!(imported, Err(LeftError::Store(_))) {
            beside.positions.import_ended();
        }
        let (entries, not_deleted) = imported?;
        self.forget(pool).await;
        not_deleted.map_or(Ok(entries), |error| Err(error.into()))
    }

    async fn import_directories(
        &self,
        pool: &Pool,
        beside: Beside<'_>,
        log: &Logger,
    ) -> Result<(usize, Option<io::Error>), LeftError> {
        let (mut entries, mut not_deleted) = (0_usize, None);
        for left in &self.directories {
            match left.standing {
                Standing::Late => {
                    entries = entries.saturating_add(late::write_all(&left.spool, pool, log).await?)
                }
                Standing::Current(acting) => {
                    let (written, error) = self.empty(left, acting, pool, beside, log).await?;
                    entries = entries.saturating_add(written);
                    not_deleted = not_deleted.or(error);
                }
            }
        }
        Ok((entries, not_deleted))
    }

    /// Windows in their order; the next one is read while one is written. A file that cannot be deleted does no harm:
    /// the next start imports it again, and nothing changes. Returns the first such error.
    async fn empty(
        &self,
        left: &Left,
        acting: u64,
        pool: &Pool,
        beside: Beside<'_>,
        log: &Logger,
    ) -> Result<(usize, Option<io::Error>), LeftError> {
        let (mut entries, mut not_deleted) = (0_usize, None);
        let mut next = self.window(left, 0, log).await?;
        while let Some(window) = next {
            beside.pace.give_way().await;
            beside.positions.import_begins(&**pool.get().await.map_err(StoreError::from)?).await?;
            let written = write(pool, window.lanes, acting, log);
            let (written, read) = join(written, self.window(left, window.frames, log)).await;
            match written {
                Ok(last) => last.into_iter().for_each(|last| beside.positions.advance(last)),
                Err(StoreError::Superseded) => {
                    let late = late::write_all(&left.spool, pool, log).await?;
                    return Ok((entries.saturating_add(late), not_deleted));
                }
                Err(error) => return Err(error.into()),
            }
            entries = entries.saturating_add(window.entries);
            if let Err(error) = left.spool.take_out(window.frames).await {
                error!(log, "an imported file of the spool cannot be deleted"; "error" => %error,
                    "directory" => left.path.display().to_string());
                not_deleted = not_deleted.or(Some(error));
            }
            next = read?;
        }
        Ok((entries, not_deleted))
    }

    async fn window(&self, left: &Left, skip: usize, log: &Logger) -> Result<Option<Window>, LeftError> {
        let Some(read) = left.spool.peek_raw(skip, WINDOW_BYTES).await? else { return Ok(None) };
        for error in &read.passed_over {
            error!(log, "a batch in the spool is damaged, its file is kept"; "error" => %error);
        }
        let index = Arc::clone(&self.index);
        Ok(Some(blocking(move || Window::of(read, &index)).await?))
    }

    /// The adoption of emptied directories is not needed any more. Otherwise the next claim forgets them.
    async fn forget(&self, pool: &Pool) {
        let ids: Vec<Uuid> = self.directories.iter().filter_map(|left| left.id).collect();
        if let (false, Ok(client)) = (ids.is_empty(), pool.get().await) {
            let _ = adoption::forget(&**client, &ids).await;
        }
    }
}

/// Frames that are written together, each lane in a transaction of its own.
struct Window {
    lanes: Vec<Arc<RawBatch>>,
    frames: usize,
    entries: usize,
}

impl Window {
    fn of(read: Together<RawBatch>, index: &Index) -> Self {
        let entries = read.batch.len();
        let mut lanes = vec![RawBatch::default(); LANES];
        let lane_of = |group: u32| usize::try_from(group).unwrap_or(0) % LANES;
        for entry in read.batch.entries {
            if let Some(lane) = lanes.get_mut(lane_of(index.group_of(&entry))) {
                lane.entries.push(entry);
            }
        }
        for row in read.batch.rows {
            if let Some(lane) = lanes.get_mut(lane_of(index.group_of_row(&row))) {
                lane.rows.push(row);
            }
        }
        Self { lanes: lanes.into_iter().map(Arc::new).collect(), frames: read.frames, entries }
    }
}

/// Returns the last position that it gave.
async fn write(
    pool: &Pool,
    lanes: Vec<Arc<RawBatch>>,
    acting: u64,
    log: &Logger,
) -> Result<Option<i64>, StoreError> {
    let writes = lanes.into_iter().filter(|lane| lane.len() > 0).map(|lane| async move {
        tokio::time::timeout(WRITE_WITHIN, import(pool, lane, acting))
            .await
            .unwrap_or(Err(StoreError::TooSlow))
    });
    let done = try_join_all(writes).await?.into_iter().fold(Imported::default(), Imported::and);
    if done.quarantined > 0 {
        error!(log, "entries were quarantined"; "entries" => done.quarantined);
    }
    Ok(done.last)
}

struct Opened {
    id: Option<Uuid>,
    path: PathBuf,
    spool: SpoolHandle,
    /// The generations of its frames.
    generations: BTreeSet<u64>,
}

/// Opens and reads the directories of this database. Blocks.
fn open(directories: Vec<Directory>, ours: Option<Uuid>) -> io::Result<(Vec<Opened>, Vec<Foreign>, Index)> {
    let (mut opened, mut others, mut index) = (Vec::new(), Vec::new(), Index::default());
    for directory in directories {
        let (id, path) = (directory.id(), directory.path().to_owned());
        let database = match directory.belongs() {
            Belongs::To(database) if Some(database) != ours => Some(Some(database)),
            Belongs::Unreadable => Some(None),
            Belongs::Unsaid | Belongs::To(_) => None,
        };
        if let Some(database) = database {
            // An empty directory is gone now.
            drop(directory);
            if path.exists() {
                others.push(Foreign { path, database, ours });
            }
            continue;
        }
        let spool = SpoolHandle::open(directory, u64::MAX)?;
        let mut generations = BTreeSet::new();
        let place = opened.len();
        spool.each_raw(|frame, generation, batch| {
            generations.insert(generation);
            index.add(place, frame, &batch);
        })?;
        if !generations.is_empty() {
            opened.push(Opened { id, path, spool, generations });
        }
    }
    Ok((opened, others, index))
}

/// Empties every spool directory under `root` that no process holds and that is of this database. Migrate first.
/// Returns the number of entries.
///
/// # Errors
/// When a directory is not empty yet. The next call continues where this one stopped.
pub async fn bring_in(root: &Path, pool: &Pool, log: &Logger) -> Result<usize, LeftError> {
    let (pace, positions) = (Pace::default(), Positions::default());
    let beside = Beside { pace: &pace, positions: &positions };
    LeftSpools::find(root, pool, log).await?.import_rest(pool, beside, log).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}
