//! Log level and log file.

use std::path::PathBuf;

use super::problem::Problems;
use super::section::Section;
use super::setting::variables;
use super::value::numbers::Whole;
use super::values::Values;
use super::variables::DefaultValue::Text;
use super::variables::{Probed, Restart};

variables! { Section::Log;
    log_level: slog::Level {
        restart: Restart::NotNeeded,
        probed: Probed::Nothing,
        default: Text("info"),
        help: "Lowest level that precall logs.",
    }
    log_file: PathBuf {
        probed: Probed::By("files"),
        example: "/var/log/mcp-services/voiceclone.log",
        help: "File that precall logs to, beside standard error.",
        note: "When precall cannot write the file, it warns and continues with standard error.",
    }
    log_file_max_mb: Whole<u64, 1, 10_240> {
        unit: "MiB",
        default: Text("50"),
        help: "Largest size of one log file.",
    }
    log_file_keep: Whole<usize, 1, 100> {
        unit: "files",
        default: Text("5"),
        help: "Number of log files that precall keeps, including the current one.",
    }
}

/// A log file and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// The current file; older ones get `.1`, `.2` and so on.
    pub path: PathBuf,
    /// Largest size of one file in bytes.
    pub max_bytes: u64,
    /// Largest number of files, including the current one.
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

impl Log {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        const BYTES_PER_MB: u64 = 1024 * 1024;
        let settings = Settings::read(values, problems)?;
        let max_bytes = settings.log_file_max_mb.value()?.0.saturating_mul(BYTES_PER_MB);
        let keep = settings.log_file_keep.value()?.0;
        let file = settings.log_file.optional()?.map(|path| LogFile { path, max_bytes, keep });
        Some(Self { level: settings.log_level.value()?, file })
    }
}
