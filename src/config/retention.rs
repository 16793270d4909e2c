//! What precall keeps on disk and in the database, and for how long.

use std::path::PathBuf;

use super::kind::Kind;
use super::problem::Problems;
use super::section::Section;
use super::setting::variables;
use super::value::lists::List;
use super::value::numbers::Whole;
use super::value::{Complaint, FromText};
use super::values::Values;
use super::variables::DefaultValue::{ByEnvironment, Text};
use super::variables::Probed;

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

variables! { Section::Retention;
    spool_dir: PathBuf {
        probed: Probed::By("files"),
        default: Text("/var/lib/precall/spool"),
        help: "Directory where events wait while the database is away.",
        note: "It must survive a restart and be on a local disk. Each start makes its own directory in it.",
    }
    spool_max_mb: Whole<u64, 16, 1_000_000> {
        unit: "MiB",
        default: Text("1024"),
        help: "Largest size of the spool.",
        note: "precall refuses new calls when seven eighths are full. Live calls may use the rest.",
    }
    erasure_ledger: PathBuf {
        probed: Probed::By("files"),
        default: ByEnvironment {
            production: "/var/lib/precall/erasures.jsonl",
            development: "data/erasures.jsonl",
        },
        help: "File with one line for each erasure, without numbers or names.",
        note: "After a restore of the database, `precall restore --ledger` erases the same people again. Keep the file \
            outside the backup of the database. precall erases nothing when it cannot write this file.",
    }
    store_recordings: bool {
        default: Text("false"),
        help: "Keep recordings of conversations as files under LOCAL_VOICE_SAMPLES_PATH/recordings.",
        note: "Each file is named by its conversation. ElevenLabs sends recordings when its webhook asks for audio.",
    }
    retention_days: Kept {
        probed: Probed::Nothing,
        example: "calls=365,transcripts=90,recordings=30,webhooks=7",
        help: "After how many days precall deletes old data. A single number is for calls.",
        note: "calls: calls, their events and all that derives from them; precall deletes whole weeks, so up to a week \
            later. transcripts: what was said; as calls when unset. recordings: as calls when unset. webhooks: 7 when \
            unset. precall never deletes callers, consents and cached voices here. Unset: it keeps calls for ever.",
    }
    database_max_gb: Whole<u64, 1, 1_000_000> {
        unit: "GiB",
        example: "100",
        help: "Largest size that the database may reach. Used for the metric precall_database_left_days only.",
    }
}

/// What is kept, and for how long.
#[derive(Clone, Debug)]
pub struct Retention {
    /// Directory where events wait while the database is away.
    pub spool_dir: PathBuf,
    /// Largest size of the spool in bytes.
    pub spool_max_bytes: u64,
    /// File with every erasure, to repeat them after a restore.
    pub ledger: PathBuf,
    /// Whether precall keeps recordings as files.
    pub store_recordings: bool,
    /// After how many days precall deletes each kind of data.
    pub kept: Kept,
    /// Largest size that the database may reach, in bytes.
    pub database_max_bytes: Option<u64>,
}

/// `RETENTION_DAYS`: after how many days each kind is deleted. `None` keeps it, webhooks for a week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Calls, their events, and all that derives from them.
    pub calls: Option<u64>,
    /// What was said.
    pub transcripts: Option<u64>,
    /// Recordings; as long as calls when unset.
    pub recordings: Option<u64>,
    /// Webhooks that were readable.
    pub webhooks: Option<u64>,
}

impl FromText for Kept {
    const KIND: Kind = Kind::Form("2 to 36500 days, or a list of kind=days");

    fn from_text(text: &str) -> Result<Self, Complaint> {
        const RIGHT: &str =
            "days from 2 to 36500, or a list such as calls=365, transcripts=90, recordings=30, webhooks=7";
        let wrong = |what: &str| Complaint::new(what.to_owned(), RIGHT);
        // precall fetches overdue reports within a day, so their calls must still be there.
        let days = |text: &str| {
            let days = text.trim().parse().ok().filter(|days| (2..=36_500).contains(days));
            days.ok_or_else(|| wrong("has an entry that is not a number of days"))
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
                _ => return Err(wrong("names an unknown kind")),
            };
            *of_kind = Some(days(text)?);
        }
        Ok(kept)
    }
}

impl Retention {
    pub(super) fn read(values: &Values, problems: &mut Problems) -> Option<Self> {
        let settings = Settings::read(values, problems)?;
        let database_max = settings.database_max_gb.optional()?;
        Some(Self {
            spool_dir: settings.spool_dir.value()?,
            spool_max_bytes: settings.spool_max_mb.value()?.0.saturating_mul(MIB),
            ledger: settings.erasure_ledger.value()?,
            store_recordings: settings.store_recordings.value()?,
            kept: settings.retention_days.optional()?.unwrap_or_default(),
            database_max_bytes: database_max.map(|Whole(size)| size.saturating_mul(GIB)),
        })
    }
}

#[cfg(test)]
mod tests;
