//! The erasure ledger: one line per erasure, in a file outside the database. After a restore the same data is erased
//! again. No line holds a number or a name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use precall_store::people::erasure::Scope;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest line in bytes.
const LINE_MAX: u64 = 256 << 20;

/// A line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// Version of the format.
    pub v: u8,
    /// The erasure's id, a UUIDv7.
    pub erasure: Uuid,
    /// What was erased.
    #[serde(flatten)]
    pub scope: Scope,
}

/// Why a ledger cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line is invalid.
    #[error("line {line} cannot be read: {why}")]
    Line {
        /// Line number, from 1.
        line: u64,
        /// Why it is invalid.
        why: String,
    },
}

/// The file `ERASURE_LEDGER`.
#[derive(Clone, Debug)]
pub struct Ledger {
    path: PathBuf,
}

impl Ledger {
    /// The ledger in this file. The file may not exist yet.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Adds a line and syncs the file. Blocks.
    ///
    /// # Errors
    /// If the line cannot be written. Then nothing may be erased, or a restore would bring it back.
    pub fn add(&self, line: &LedgerEntry) -> io::Result<()> {
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?;
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        file.write_all(&text)?;
        file.sync_all()
    }
}

/// Reads all lines of a ledger in the order of writing. Leaves out an unfinished last line: a crash came before its
/// erasure. Blocks.
///
/// # Errors
/// If the file or a line cannot be read.
pub fn read(path: &Path) -> Result<Vec<LedgerEntry>, LedgerError> {
    let mut reader = BufReader::new(File::open(path)?);
    let (mut lines, mut number) = (Vec::new(), 0_u64);
    loop {
        let mut text = String::new();
        let read = io::Read::take(&mut reader, LINE_MAX).read_line(&mut text)?;
        if read == 0 || !text.ends_with('\n') {
            return Ok(lines);
        }
        number = number.saturating_add(1);
        let line = serde_json::from_str(&text)
            .map_err(|error| LedgerError::Line { line: number, why: error.to_string() })?;
        lines.push(line);
    }
}

#[cfg(test)]
mod tests;
