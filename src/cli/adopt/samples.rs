//! The samples of the mapped callers, each read once.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt as _;
use futures_util::stream;
use indicatif::ProgressBar;
use precall_actors::voices::samples::{SampleError, SampleStore};
use precall_base::redact::hide;
use precall_store::schema::adopt::Hashes;

use super::report::Finding;
use crate::config::VoiceClone;

/// Samples that are read in parallel. Each read has its own time limit.
const AT_ONCE: usize = 8;
/// Samples that are named.
const NAMED: usize = 3;
/// Letters of a location that are shown.
const SHOWN_MAX: usize = 60;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct SeenSamples {
    hashes: Hashes,
    missing: Vec<String>,
    unusable: Vec<(String, SampleError)>,
}

impl SeenSamples {
    /// Reads every sample. The progress bar goes to standard error, and only to a terminal.
    pub(super) async fn look(store: &SampleStore, samples: &[String]) -> Self {
        let references: BTreeSet<&str> = samples.iter().map(String::as_str).collect();
        let bar = ProgressBar::new(u64::try_from(references.len()).unwrap_or(u64::MAX));
        let mut read = stream::iter(references)
            .map(|reference| async move { (reference, store.read(reference).await) })
            .buffer_unordered(AT_ONCE);
        let mut seen = Self::default();
        while let Some((reference, sample)) = read.next().await {
            bar.inc(1);
            match sample {
                Ok(sample) => {
                    seen.hashes.insert(reference.to_owned(), hex::encode(sample.sha256));
                }
                Err(SampleError::Missing | SampleError::MissingObject) => {
                    seen.missing.push(reference.to_owned());
                }
                Err(error) => seen.unusable.push((reference.to_owned(), error)),
            }
        }
        bar.finish_and_clear();
        seen.missing.sort_unstable();
        seen.unusable.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        seen
    }

    pub(super) fn hashes(&self) -> &Hashes {
        &self.hashes
    }

    /// How many speakers these mapped callers have, and how many callers, as far as the samples were read.
    pub(super) fn covered(&self, mapped: &[String]) -> (u64, u64) {
        let counts = mapped.iter().filter_map(|sample| self.hashes.get(sample));
        let speakers: BTreeSet<&String> = counts.clone().collect();
        (u64::try_from(speakers.len()).unwrap_or(u64::MAX), u64::try_from(counts.count()).unwrap_or(u64::MAX))
    }

    pub(super) fn findings(&self, clone: &VoiceClone) -> [Finding; 2] {
        let folder = clone.samples_path.display();
        let missing: Vec<String> = self.missing.iter().map(|reference| short(reference)).collect();
        let missing = counted(missing.iter().map(String::as_str));
        let unusable: BTreeMap<&str, String> = self
            .unusable
            .iter()
            .map(|(reference, error)| (reference.as_str(), format!("{}: {error}", short(reference))))
            .collect();
        let unusable = counted(unusable.values().map(String::as_str));
        [
            Finding {
                count: missing.0,
                words: format!("{} missing: {}", missing.1, missing.2),
                settle: format!(
                    "put the recordings into {folder} (LOCAL_VOICE_SAMPLES_PATH), or name other ones: precall callers \
                     import FILE"
                ),
            },
            Finding {
                count: unusable.0,
                words: format!("{} of no use: {}", unusable.1, unusable.2),
                settle: "record them again, or name other ones: precall callers import FILE".to_owned(),
            },
        ]
    }
}

/// A location, cut where it is long.
fn short(reference: &str) -> String {
    let reference = if reference.is_empty() { "(empty)" } else { reference };
    match reference.char_indices().nth(SHOWN_MAX) {
        Some((at, _)) => format!("{}...", reference.get(..at).unwrap_or_default()),
        None => reference.to_owned(),
    }
}

/// The number, `17 samples are`, and the first few.
fn counted<'a>(found: impl Iterator<Item = &'a str>) -> (u64, String, String) {
    let found: Vec<&str> = found.collect();
    let verb = if found.len() == 1 { "sample is" } else { "samples are" };
    let named: Vec<String> = found.iter().take(NAMED).map(|name| hide(name).into_owned()).collect();
    let more = if found.len() > NAMED { ", ..." } else { "" };
    let count = found.len();
    (
        u64::try_from(count).unwrap_or(u64::MAX),
        format!("{count} {verb}"),
        format!("{}{more}", named.join(", ")),
    )
}
