//! What is kept beside the database, and for how long.

use std::path::PathBuf;

use serde::Deserialize;

use super::problem::Problems;
use super::value::Read;
use super::values::Values;
use super::variables::Section;

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

/// What is kept.
#[derive(Clone, Debug)]
pub struct Retention {
    /// Where events wait while the database is away.
    pub spool_dir: PathBuf,
    /// How much may wait there.
    pub spool_max_bytes: u64,
    /// What was erased, to be erased again after a restore.
    pub ledger: PathBuf,
    /// Whether recordings of conversations become files.
    pub store_recordings: bool,
    /// After how many days calls and their events are deleted; none keeps them.
    pub days: Option<u64>,
    /// How large the database may get, where somebody knows.
    pub database_max_bytes: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    spool_dir: Read<PathBuf>,
    spool_max_mb: Read<u64>,
    erasure_ledger: Read<PathBuf>,
    store_recordings: Read<bool>,
    retention_days: Option<Read<u64>>,
    database_max_gb: Option<Read<u64>>,
}

impl Retention {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        let raw: Raw = values.section(Section::Retention, problems)?;
        let spool_dir = problems.value("SPOOL_DIR", raw.spool_dir);
        let ledger = problems.value("ERASURE_LEDGER", raw.erasure_ledger);
        let store_recordings = problems.value("STORE_RECORDINGS", raw.store_recordings);
        // Overdue reports are asked for within a day: their calls must still be there.
        let days =
            raw.retention_days.and_then(|days| problems.number("RETENTION_DAYS", days, 2..=36_500, "days"));
        let database_max = raw
            .database_max_gb
            .and_then(|size| problems.number::<u64>("DATABASE_MAX_GB", size, 1..=1_000_000, "GiB"));
        let spool_max = problems.number::<u64>("SPOOL_MAX_MB", raw.spool_max_mb, 16..=1_000_000, "MiB");
        Some(Self {
            spool_dir: spool_dir?,
            spool_max_bytes: spool_max?.saturating_mul(MIB),
            ledger: ledger?,
            store_recordings: store_recordings?,
            days,
            database_max_bytes: database_max.map(|size| size.saturating_mul(GIB)),
        })
    }
}
