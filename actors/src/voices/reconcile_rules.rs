//! What the provider has of ours and what we know of: where the two disagree, and whether that may be mended without asking. Pure.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use precall_call::{At, CloneJobId, VoiceId};
use uuid::Uuid;

/// A voice that is younger may be one whose answer is still under way, here or at another start.
const SETTLED_AFTER: Duration = Duration::from_secs(600);
/// More changes than this, or more than a fifth of what the provider has, are made only when somebody says so.
const UNASKED_MAX: usize = 10;
const UNASKED_PART: usize = 5;

/// A voice of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub voice: VoiceId,
    /// Its name.
    pub name: String,
    /// When it was made, where the provider knows.
    pub created: Option<At>,
}

/// All that is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// In the names of our voices.
    pub installation: &'a str,
    /// At the provider.
    pub listed: &'a [Listed],
    /// Whether that is all there is.
    pub whole: Whole,
    /// Voices that exist as far as we know, by their jobs.
    pub known: &'a HashMap<VoiceId, CloneJobId>,
    /// Jobs that are not over.
    pub unfinished: &'a HashSet<CloneJobId>,
    /// Now.
    pub now: At,
}

/// Whether a list is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// It is.
    Whole,
    /// There is more: absence proves nothing.
    Part,
}

/// Whether this database is the one that made the voices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It acted here before, and nobody put an older one in its place.
    Known,
    /// It is new here, or restored: of voices that it does not know it cannot say that nobody needs them.
    New,
}

/// Who wants it mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// Nobody was asked.
    NotAsked,
    /// Somebody has looked, and said so.
    Given,
}

/// Where the two disagree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Voices at the provider that bear our name.
    pub ours: usize,
    /// Voices that exist as far as we know.
    pub known: usize,
    /// At the provider, by our name, and nobody here knows of them.
    pub strays: Vec<VoiceId>,
    /// Known here, and not at the provider any more.
    pub gone: Vec<VoiceId>,
}

/// The job in the name of a voice of this installation; none in anybody else's, also where one installation's name begins another's.
#[must_use]
pub fn job_of_name(installation: &str, name: &str) -> Option<CloneJobId> {
    let job = name.strip_prefix("precall-")?.strip_prefix(installation)?.strip_prefix('-')?;
    Uuid::try_parse(job).ok().map(|job| CloneJobId(job.as_u128()))
}

/// Compares the two.
#[must_use]
pub fn differences(sight: &Sight<'_>) -> Differences {
    let ours = |listed: &&Listed| job_of_name(sight.installation, &listed.name).is_some();
    let is_settled = |listed: &&Listed| {
        listed.created.is_none_or(|created| sight.now.since(created) >= SETTLED_AFTER)
            && job_of_name(sight.installation, &listed.name)
                .is_some_and(|job| !sight.unfinished.contains(&job))
    };
    let strays = sight.listed.iter().filter(ours).filter(is_settled);
    let strays = strays.filter(|listed| !sight.known.contains_key(&listed.voice));
    let there: HashSet<&VoiceId> = sight.listed.iter().map(|listed| &listed.voice).collect();
    let gone = sight.known.keys().filter(|voice| !there.contains(voice)).cloned();
    let mut found = Differences {
        ours: sight.listed.iter().filter(ours).count(),
        known: sight.known.len(),
        strays: strays.map(|listed| listed.voice.clone()).collect(),
        gone: if sight.whole == Whole::Whole { gone.collect() } else { Vec::new() },
    };
    found.strays.sort();
    found.gone.sort();
    found
}

impl Differences {
    /// Why nothing of it may be mended before somebody has looked; none if it may.
    #[must_use]
    pub fn objection(&self, trust: Trust, approval: Approval) -> Option<String> {
        let changes = self.strays.len().saturating_add(self.gone.len());
        if approval == Approval::Given || changes == 0 {
            return None;
        }
        if trust == Trust::New {
            return Some(
                "the database is new here, or was restored: whether its voices are all there are is for a person to say".to_owned(),
            );
        }
        let all = self.ours.max(self.known);
        let too_many = changes > UNASKED_MAX || changes.saturating_mul(UNASKED_PART) > all;
        too_many.then(|| format!("{changes} of {all} voices are too many to be changed unasked"))
    }
}

#[cfg(test)]
mod tests;
