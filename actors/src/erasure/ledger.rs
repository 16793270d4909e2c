//! What was erased, a line each, outside the database: after a restore the same is erased again. No line holds a number or a name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use precall_store::people::erasure::Scope;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longer lines are none of ours.
const LINE_MAX: u64 = 256 << 20;

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The version of this form.
    pub v: u8,
    /// Which erasure; time-ordered.
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
    /// A line is not one of ours.
    #[error("line {line} cannot be read: {why}")]
    Line {
        /// Counts from 1.
        line: u64,
        /// For people.
        why: String,
    },
}

/// `ERASURE_LEDGER`.
#[derive(Clone, Debug)]
pub struct Ledger {
    path: PathBuf,
}

impl Ledger {
    /// The ledger in this file, which need not exist yet.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Adds a line, and waits until the disk has it. Blocks.
    ///
    /// # Errors
    /// When it cannot be written: then nothing may be erased, or a restore would bring it back.
    pub fn add(&self, line: &Line) -> io::Result<()> {
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

/// Every line of a ledger, in the order in which they were written. A last line that was cut off by a crash was never acted on, and is left out.
/// Blocks.
///
/// # Errors
/// What cannot be read.
pub fn read(path: &Path) -> Result<Vec<Line>, LedgerError> {
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
