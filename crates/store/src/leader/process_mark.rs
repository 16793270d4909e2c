//! Shows other processes of this host whether a process has ended: a locked file in `SPOOL_DIR`.
//!
//! The lease names the file of the acting process. The kernel frees the lock when the process ends, however it ends. A
//! process of another host does not find the file, and knows nothing.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

const PREFIX: &str = "process-";
const UNFINISHED: &str = "unfinished-";

/// The locked file of this process.
#[derive(Debug)]
pub struct ProcessMark {
    id: Uuid,
    folder: PathBuf,
    /// Holds the lock. Never read.
    _lock: File,
}

impl ProcessMark {
    /// Makes the file in this folder. Blocks.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn make(folder: &Path) -> io::Result<Self> {
        let id = Uuid::now_v7();
        // It gets its name after the lock, so that no process takes it for that of an ended one.
        let unfinished = folder.join(format!("{UNFINISHED}{id}"));
        let lock = OpenOptions::new().write(true).create_new(true).open(&unfinished)?;
        lock.try_lock()?;
        fs::rename(&unfinished, path(folder, id))?;
        Ok(Self { id, folder: folder.to_owned(), _lock: lock })
    }

    /// Names the file.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Whether this process ran with the same folder and has surely ended. Blocks.
    #[must_use]
    pub fn has_ended(&self, process: Uuid) -> bool {
        is_free(&path(&self.folder, process))
    }

    /// Removes the files of ended processes, when their names are needed no more. Blocks.
    pub fn remove_ended(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for file in entries.flatten() {
            let is_mark = file.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
            if is_mark && is_free(&file.path()) {
                // A file that stays is removed by the next start.
                let _stays = fs::remove_file(file.path());
            }
        }
    }
}

fn path(folder: &Path, process: Uuid) -> PathBuf {
    folder.join(format!("{PREFIX}{process}"))
}

/// Whether the file is there and nothing holds its lock. The lock that this takes ends with the call.
fn is_free(path: &Path) -> bool {
    File::options().write(true).open(path).is_ok_and(|file| file.try_lock().is_ok())
}

#[cfg(test)]
mod tests;
