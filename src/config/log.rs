//! Where log lines go and how much of them is kept.

use std::path::PathBuf;

use serde::Deserialize;

use super::problem::Problems;
use super::value::Read;
use super::values::Values;
use super::variables::Section;

/// A log file and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// The file that is written; older ones get `.1`, `.2` and so on.
    pub path: PathBuf,
    /// Bytes of one file at most.
    pub max_bytes: u64,
    /// Files at most, the one that is written included.
    pub keep: usize,
}

/// Logging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The lowest level that is written.
    pub level: slog::Level,
    /// A file beside standard error.
    pub file: Option<LogFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    log_level: Read<slog::Level>,
    log_file: Option<Read<PathBuf>>,
    log_file_max_mb: Read<u64>,
    log_file_keep: Read<u64>,
}

impl Log {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        const BYTES_PER_MB: u64 = 1024 * 1024;
        let raw: Raw = values.section(Section::Log, problems)?;
        let level = problems.value("LOG_LEVEL", raw.log_level);
        let path = problems.optional("LOG_FILE", raw.log_file);
        let max_mb: Option<u64> = problems.number("LOG_FILE_MAX_MB", raw.log_file_max_mb, 1..=10_240, "MiB");
        let keep = problems.number("LOG_FILE_KEEP", raw.log_file_keep, 1..=100, "files");
        let (max_bytes, keep) = (max_mb?.saturating_mul(BYTES_PER_MB), keep?);
        let file = path?.map(|path| LogFile { path, max_bytes, keep });
        Some(Self { level: level?, file })
    }
}
