//! What is kept beside the database, and for how long.

use std::path::PathBuf;

use serde::Deserialize;

use super::problem::Problems;
use super::value::Read;
use super::values::Values;
use super::variables::Section;

const MIB: u64 = 1024 * 1024;

/// What is kept. Recordings are never stored and nothing is removed by age: this build refuses a
/// configuration that asks for either.
#[derive(Clone, Debug)]
pub struct Retention {
    /// Where events wait while the database is away.
    pub spool_dir: PathBuf,
    /// How much may wait there.
    pub spool_max_bytes: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    spool_dir: Read<PathBuf>,
    spool_max_mb: Read<u64>,
    store_recordings: Read<bool>,
    retention_days: Option<Read<u64>>,
}

impl Retention {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        let raw: Raw = values.section(Section::Retention, problems)?;
        let spool_dir = problems.value("SPOOL_DIR", raw.spool_dir);
        if problems.value("STORE_RECORDINGS", raw.store_recordings) == Some(true) {
            problems.add("STORE_RECORDINGS", "`true` is not supported by this build yet", "false");
        }
        if let Some(days) = raw.retention_days
            && problems.number::<u64>("RETENTION_DAYS", days, 1..=36_500, "days").is_some()
        {
            // Accepting it would promise a deletion that does not happen.
            problems.add("RETENTION_DAYS", "is set, and this build does not delete by age yet", "not set");
        }
        let spool_max = problems.number::<u64>("SPOOL_MAX_MB", raw.spool_max_mb, 16..=1_000_000, "MiB");
        Some(Self { spool_dir: spool_dir?, spool_max_bytes: spool_max?.saturating_mul(MIB) })
    }
}
