//! Every path that precall writes: whether this user may write there.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use uuid::Uuid;

use super::finding::Judgement;
use crate::config::{Config, PathKind, WritablePath};

pub(super) fn look(config: &Config) -> Vec<Judgement> {
    config.writable_paths().into_iter().map(judge).collect()
}

fn judge(written: WritablePath) -> Judgement {
    let tried = try_folder(written.folder()).and_then(|()| match written.kind {
        PathKind::File if written.path.exists() => try_file(&written.path),
        PathKind::File | PathKind::Folder => Ok(()),
    });
    let WritablePath { variable, path, without, required, .. } = written;
    let path = path.display();
    match tried {
        Ok(()) => Judgement::Good(format!("{path} can be written ({variable})")),
        Err(error) => {
            let remedy = match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "Free space there",
                io::ErrorKind::ReadOnlyFilesystem => "Mount its file system writable",
                _ => "Correct owner and permissions",
            };
            let text = format!("{path} cannot be written ({error}): {without}. {remedy}, or set {variable}");
            if required { Judgement::Wrong(text) } else { Judgement::Note(text) }
        }
    }
}

/// Makes and deletes a file in the folder. precall creates a missing folder, so its nearest ancestor counts.
fn try_folder(path: &Path) -> io::Result<()> {
    let there = path.ancestors().find(|ancestor| ancestor.exists() || ancestor.as_os_str().is_empty());
    let there = there.filter(|there| !there.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !there.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::NotADirectory,
            format!("{} is no folder", there.display()),
        ));
    }
    let file = there.join(format!(".precall-check-{}", Uuid::new_v4()));
    OpenOptions::new().write(true).create_new(true).open(&file)?;
    fs::remove_file(&file)
}

/// Opens the file for appending and changes nothing.
fn try_file(path: &Path) -> io::Result<()> {
    OpenOptions::new().append(true).open(path).map(drop)
}
