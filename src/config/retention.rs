//! What is kept beside the database, and for how long.

use std::path::PathBuf;

use serde::Deserialize;

use super::problem::Problems;
use super::value::{Complaint, FromText, List, Read};
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
    /// After how many days what is deleted.
    pub kept: Kept,
    /// How large the database may get, where somebody knows.
    pub database_max_bytes: Option<u64>,
}

/// `RETENTION_DAYS`: after how many days what is deleted; none keeps it, webhooks for a week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Calls, their events, and everything that derives from them.
    pub calls: Option<u64>,
    /// What was said.
    pub transcripts: Option<u64>,
    /// Recordings; as long as calls where nothing is said of them.
    pub recordings: Option<u64>,
    /// Webhooks that could be read.
    pub webhooks: Option<u64>,
}

impl FromText for Kept {
    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str =
            "days from 2 to 36500, or a list such as calls=365, transcripts=90, recordings=30, webhooks=7";
        let wrong = |what: &str| Complaint::new(what.to_owned(), RIGHT);
        // Overdue reports are asked for within a day: their calls must still be there.
        let days = |text: &str| {
            let days = text.trim().parse().ok().filter(|days| (2..=36_500).contains(days));
            days.ok_or_else(|| wrong("holds something that is no number of days"))
        };
        let mut kept = Self::default();
        for entry in List::from_text(text)?.0 {
            let Some((kind, text)) = entry.split_once('=') else {
                kept.calls = Some(days(&entry)?);
                continue;
            };
            let of_kind = match kind.trim() {
                "calls" => &mut kept.calls,
                "transcripts" => &mut kept.transcripts,
                "recordings" => &mut kept.recordings,
                "webhooks" => &mut kept.webhooks,
                _ => return Err(wrong("names something that is not kept")),
            };
            *of_kind = Some(days(text)?);
        }
        Ok(kept)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    spool_dir: Read<PathBuf>,
    spool_max_mb: Read<u64>,
    erasure_ledger: Read<PathBuf>,
    store_recordings: Read<bool>,
    retention_days: Option<Read<Kept>>,
    database_max_gb: Option<Read<u64>>,
}

impl Retention {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        let raw: Raw = values.section(Section::Retention, problems)?;
        let spool_dir = problems.value("SPOOL_DIR", raw.spool_dir);
        let ledger = problems.value("ERASURE_LEDGER", raw.erasure_ledger);
        let store_recordings = problems.value("STORE_RECORDINGS", raw.store_recordings);
        let kept = problems.optional("RETENTION_DAYS", raw.retention_days).flatten();
        let database_max = raw
            .database_max_gb
            .and_then(|size| problems.number::<u64>("DATABASE_MAX_GB", size, 1..=1_000_000, "GiB"));
        let spool_max = problems.number::<u64>("SPOOL_MAX_MB", raw.spool_max_mb, 16..=1_000_000, "MiB");
        Some(Self {
            spool_dir: spool_dir?,
            spool_max_bytes: spool_max?.saturating_mul(MIB),
            ledger: ledger?,
            store_recordings: store_recordings?,
            kept: kept.unwrap_or_default(),
            database_max_bytes: database_max.map(|size| size.saturating_mul(GIB)),
        })
    }
}

#[cfg(test)]
mod tests;
