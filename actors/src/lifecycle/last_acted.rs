//! When an engine on this host last acted, in a file beside the spool that the acting process locks.
//!
//! After a kill the next start must play music to live legs at once, also while the database does not answer. If the
//! file says that an engine acted here a moment ago, and nobody holds its lock, that engine is dead and this process is
//! its successor at the PBX. A standby on another host has no such file: it never takes the PBX client from a living
//! engine without asking the database.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use precall_base::clock;
use precall_call::At;
use slog::{Logger, warn};

const NAME: &str = "acting";
/// Interval of the marks.
const MARK_INTERVAL: Duration = Duration::from_secs(1);
/// After this time without a mark the database has to be asked first: another host may act by now.
const RECENT: Duration = Duration::from_secs(60);

/// The file `acting` in the spool folder.
#[derive(Clone, Debug)]
pub(crate) struct LastActed {
    path: PathBuf,
    /// The locked file, while this process holds it.
    held: Arc<Mutex<Option<File>>>,
    /// Nothing is marked any more.
    is_over: Arc<AtomicBool>,
}

impl LastActed {
    /// The file in this folder.
    #[must_use]
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self { path: folder.join(NAME), held: Arc::default(), is_over: Arc::default() }
    }

    /// Locks the file. Returns whether an engine on this host acted a moment ago and is dead.
    pub(crate) async fn succeeds(&self) -> bool {
        let now = clock::now();
        let read = self.on_disk(|file| {
            let mut text = String::new();
            file.rewind()?;
            file.read_to_string(&mut text)?;
            Ok(text.trim().parse().ok().map(At))
        });
        let marked: Option<At> = read.await.ok().flatten();
        marked.is_some_and(|marked| now.since(marked).max(marked.since(now)) < RECENT)
    }

    /// Marks again and again that this process acts, while `acts` says so.
    pub(crate) async fn keep_marked(self, acts: impl Fn() -> bool, log: Logger) {
        let mut is_failing = false;
        while acts() {
            let error = self.mark().await.err();
            if let Some(error) = error.as_ref().filter(|_| !is_failing) {
                warn!(log, "could not mark that this process acts"; "error" => %error,
                    "file" => %self.path.display());
            }
            is_failing = error.is_some();
            tokio::time::sleep(MARK_INTERVAL).await;
        }
    }

    /// Not synced: the mark has to outlive the process, not the host.
    async fn mark(&self) -> io::Result<()> {
        let (now, is_over) = (clock::now().0.to_string(), Arc::clone(&self.is_over));
        self.on_disk(move |file| {
            if is_over.load(Ordering::Relaxed) {
                return Ok(());
            }
            file.rewind()?;
            file.write_all(now.as_bytes())
        })
        .await
    }

    /// Another engine acts: the next start here is not the successor. Blocks.
    pub(crate) fn forget(&self) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_over.store(true, Ordering::Relaxed);
        // A mark that stays counts for a minute only.
        let _forgotten = held.as_ref().map(|file| file.set_len(0));
    }

    /// Works on the file, which this process locks first.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut File) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (path, held) = (self.path.clone(), Arc::clone(&self.held));
        let done = tokio::task::spawn_blocking(move || {
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            let file = match held.take() {
                Some(file) => file,
                None => lock(&path)?,
            };
            work(held.insert(file))
        });
        done.await.map_err(io::Error::other)?
    }
}

fn lock(path: &Path) -> io::Result<File> {
    let options = &mut OpenOptions::new();
    let file = options.create(true).truncate(false).read(true).write(true).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::ErrorKind::ResourceBusy.into()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests;
