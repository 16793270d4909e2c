//! Compares our voices at the provider with those in the database, and decides whether precall may change anything
//! without approval.
//! Pure: no clock, no I/O, no actor.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use precall_call::{At, CloneJobId, VoiceId};
use uuid::Uuid;

/// A younger voice may belong to a job whose answer is still under way, here or in another process.
const SETTLED_AFTER: Duration = Duration::from_secs(600);
/// More changes than this, or than one fifth of the voices, need approval.
const UNASKED_MAX: usize = 10;
const UNASKED_PART: usize = 5;

/// A voice that the provider listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub voice: VoiceId,
    /// Its name.
    pub name: String,
    /// When it was created, if the provider says so.
    pub created: Option<At>,
}

/// Input of [`differences`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comparison<'a> {
    /// The installation's name, which is part of the names of our voices.
    pub installation: &'a str,
    /// Voices at the provider.
    pub listed: &'a [Listed],
    /// Whether the list is complete.
    pub completeness: Completeness,
    /// Voices in the database, with their jobs.
    pub known: &'a HashMap<VoiceId, CloneJobId>,
    /// Jobs that have not ended.
    pub unfinished: &'a HashSet<CloneJobId>,
    /// The current time.
    pub now: At,
}

/// Whether a list is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completeness {
    /// All voices are in the list.
    Complete,
    /// There are more: a missing voice proves nothing.
    Partial,
}

/// Whether this database is the one that acted in this installation before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DatabaseOrigin {
    /// It acted here before and was not replaced by an older copy.
    Known,
    /// It is new here or was restored: a voice that it does not know may still be in use.
    New,
}

/// Whether an operator approved the changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// The hourly round: nobody approved anything.
    NotAsked,
    /// An operator approved.
    Given,
}

/// Differences between the provider and the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Number of voices at the provider with our name.
    pub ours: usize,
    /// Number of voices in the database.
    pub known: usize,
    /// Voices at the provider with our name that the database does not know.
    pub strays: Vec<VoiceId>,
    /// Voices in the database that are no longer at the provider.
    pub gone: Vec<VoiceId>,
}

/// The job in the name of a voice of this installation. `None` for any other name, also if the name of one
/// installation is the start of another's.
#[must_use]
pub(crate) fn job_of_name(installation: &str, name: &str) -> Option<CloneJobId> {
    let job = name.strip_prefix("precall-")?.strip_prefix(installation)?.strip_prefix('-')?;
    Uuid::try_parse(job).ok().map(|job| CloneJobId(job.as_u128()))
}

/// Compares the provider's voices with the database.
#[must_use]
pub(crate) fn differences(input: &Comparison<'_>) -> Differences {
    let ours = |listed: &&Listed| job_of_name(input.installation, &listed.name).is_some();
    let is_settled = |listed: &&Listed| {
        listed.created.is_none_or(|created| input.now.since(created) >= SETTLED_AFTER)
            && job_of_name(input.installation, &listed.name)
                .is_some_and(|job| !input.unfinished.contains(&job))
    };
    let strays = input.listed.iter().filter(ours).filter(is_settled);
    let strays = strays.filter(|listed| !input.known.contains_key(&listed.voice));
    let there: HashSet<&VoiceId> = input.listed.iter().map(|listed| &listed.voice).collect();
    let gone = input.known.keys().filter(|voice| !there.contains(voice)).cloned();
    let mut found = Differences {
        ours: input.listed.iter().filter(ours).count(),
        known: input.known.len(),
        strays: strays.map(|listed| listed.voice.clone()).collect(),
        gone: if input.completeness == Completeness::Complete { gone.collect() } else { Vec::new() },
    };
    found.strays.sort();
    found.gone.sort();
    found
}

impl Differences {
    /// Why these changes need approval; `None` if precall may make them.
    #[must_use]
    pub(crate) fn objection(&self, origin: DatabaseOrigin, approval: Approval) -> Option<String> {
        let changes = self.strays.len().saturating_add(self.gone.len());
        if approval == Approval::Given || changes == 0 {
            return None;
        }
        if origin == DatabaseOrigin::New {
            return Some("the database is new or restored: an operator must approve the changes".to_owned());
        }
        let all = self.ours.max(self.known);
        let too_many = changes > UNASKED_MAX || changes.saturating_mul(UNASKED_PART) > all;
        too_many.then(|| format!("{changes} of {all} voices differ: too many to change without approval"))
    }
}

#[cfg(test)]
mod tests;
