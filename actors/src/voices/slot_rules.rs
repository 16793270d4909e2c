//! Which voices of ours hold slots of the account, and which of them may go. Pure: the clock is an argument.
//!
//! A slot is worth more than a voice that nobody uses: when all are taken, the voice that was used longest ago is deleted for a new one. A
//! voice that a live call may speak with never is.

use std::collections::{HashMap, HashSet};

use precall_call::{At, CallId, CloneJobId, VoiceId};

use crate::caller_key::CallerKey;

/// A voice that exists at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The job that made it.
    pub job: CloneJobId,
    /// Where that job's log goes on.
    pub next_seq: i64,
    /// Whose voice.
    pub key: CallerKey,
    /// When a call last began to use it.
    pub last_used: At,
    /// When it stops counting; in the past where nobody is served with it any more.
    pub expires: At,
}

/// Whether a clone may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// There is a slot for it.
    Granted,
    /// There is one when this voice is deleted.
    After(VoiceId, Held),
    /// Every voice is in use.
    None,
}

/// See the file.
#[derive(Debug, Default)]
pub struct SlotBook {
    /// Of the account; none while nobody knows.
    limit: Option<usize>,
    /// Taken by voices that are not ours.
    others: usize,
    /// Voices that may still be made, whatever is deleted; none where the plan has no such bound, or nobody knows.
    edits_left: Option<usize>,
    voices: HashMap<VoiceId, Held>,
    /// By calls that may speak with them.
    pins: HashMap<CallId, VoiceId>,
    /// Clones under way.
    reserved: HashSet<CloneJobId>,
    /// Being deleted: not offered a second time.
    going: HashSet<VoiceId>,
}

impl SlotBook {
    /// What the account allows, and how much of it is taken, ours included.
    pub fn set_limit(&mut self, limit: usize, taken: usize) {
        self.limit = Some(limit);
        // A clone under way may be counted already. If it is not, the provider says so when it is full.
        self.others = taken.saturating_sub(self.voices.len()).saturating_sub(self.reserved.len());
    }

    /// How many voices may still be made in this billing period, where the plan bounds it.
    pub fn set_edits(&mut self, left: Option<usize>) {
        self.edits_left = left;
    }

    /// Every voice of ours.
    pub fn all(&self) -> impl Iterator<Item = (&VoiceId, &Held)> {
        self.voices.iter()
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, voice: &VoiceId) -> Option<&Held> {
        self.voices.get(voice)
    }

    /// A voice exists.
    pub fn hold(&mut self, voice: VoiceId, held: Held) {
        if self.reserved.remove(&held.job) {
            self.edits_left = self.edits_left.map(|left| left.saturating_sub(1));
        }
        // An older one of the same caller serves nobody any more.
        let is_newer = |other: &Held| other.key == held.key && other.job.0 < held.job.0;
        for older in self.voices.values_mut().filter(|other| is_newer(other)) {
            older.expires = At(0);
        }
        self.voices.insert(voice, held);
    }

    /// A clone came to nothing.
    pub fn release(&mut self, job: CloneJobId) {
        self.reserved.remove(&job);
    }

    /// A call may speak with this voice from now on.
    pub fn pin(&mut self, call: CallId, voice: &VoiceId, now: At) {
        if let Some(held) = self.voices.get_mut(voice) {
            held.last_used = held.last_used.max(now);
        }
        self.pins.insert(call, voice.clone());
    }

    /// A call is over.
    pub fn unpin(&mut self, call: CallId) {
        self.pins.remove(&call);
    }

    /// Nobody is served with this caller's voices any more.
    pub fn not_wanted(&mut self, key: &CallerKey) {
        for held in self.voices.values_mut().filter(|held| held.key == *key) {
            held.expires = At(0);
        }
    }

    /// Nobody is served with this voice any more.
    pub fn expire(&mut self, voice: &VoiceId) {
        if let Some(held) = self.voices.get_mut(voice) {
            held.expires = At(0);
        }
    }

    /// Calls that may speak with it.
    #[must_use]
    pub fn users_of(&self, voice: &VoiceId) -> Vec<CallId> {
        let mut users: Vec<CallId> =
            self.pins.iter().filter(|(_, used)| *used == voice).map(|(call, _)| *call).collect();
        users.sort_unstable_by_key(|call| call.0);
        users
    }

    /// A clone is about to be made.
    pub fn want(&mut self, job: CloneJobId) -> Slot {
        // Deleting a voice brings no edit back.
        if self.edits_left.is_some_and(|left| left <= self.reserved.len()) {
            return Slot::None;
        }
        let taken = self.others.saturating_add(self.voices.len()).saturating_add(self.reserved.len());
        if self.limit.is_none_or(|limit| taken < limit) {
            self.reserved.insert(job);
            return Slot::Granted;
        }
        self.make_room()
    }

    /// The provider says that all slots are taken, whatever we know.
    pub fn is_full(&mut self, job: CloneJobId) -> Slot {
        self.reserved.remove(&job);
        self.make_room()
    }

    /// A voice was deleted for this clone, which takes its slot.
    pub fn take_over(&mut self, job: CloneJobId, voice: &VoiceId) {
        self.deleted(voice);
        self.reserved.insert(job);
    }

    fn make_room(&mut self) -> Slot {
        let pinned: HashSet<&VoiceId> = self.pins.values().collect();
        let may_go = |voice: &VoiceId| !pinned.contains(voice) && !self.going.contains(voice);
        let oldest = self.voices.iter().filter(|(voice, _)| may_go(voice)).min_by_key(|(voice, held)| {
            // Two of one moment: always the same one.
            (held.last_used, voice.as_str())
        });
        let Some((voice, held)) = oldest.map(|(voice, held)| (voice.clone(), held.clone())) else {
            return Slot::None;
        };
        self.going.insert(voice.clone());
        Slot::After(voice, held)
    }

    /// Voices that nobody is served with any more, at most `limit`; they are being deleted from now on.
    pub fn expired(&mut self, now: At, limit: usize) -> Vec<(VoiceId, Held)> {
        let pinned: HashSet<&VoiceId> = self.pins.values().collect();
        let is_over = |(voice, held): &(&VoiceId, &Held)| {
            held.expires <= now && !pinned.contains(voice) && !self.going.contains(*voice)
        };
        let mut over: Vec<(VoiceId, Held)> =
            self.voices.iter().filter(is_over).map(|(voice, held)| (voice.clone(), held.clone())).collect();
        over.sort_by_key(|(_, held)| held.job.0);
        over.truncate(limit);
        self.going.extend(over.iter().map(|(voice, _)| voice.clone()));
        over
    }

    /// It is gone.
    pub fn deleted(&mut self, voice: &VoiceId) {
        self.voices.remove(voice);
        self.going.remove(voice);
    }

    /// It could not be deleted now; it may be tried again.
    pub fn not_deleted(&mut self, voice: &VoiceId) {
        self.going.remove(voice);
    }

    /// Voices that can be made without deleting one; none where the limit is not known.
    #[must_use]
    pub fn free(&self) -> Option<usize> {
        let taken = self.others.saturating_add(self.voices.len()).saturating_add(self.reserved.len());
        let free = self.limit.map(|limit| limit.saturating_sub(taken));
        let edits = self.edits_left.map(|left| left.saturating_sub(self.reserved.len()));
        free.map(|free| edits.map_or(free, |edits| edits.min(free))).or(edits)
    }

    /// Voices of ours.
    #[must_use]
    pub fn held(&self) -> usize {
        self.voices.len()
    }
}

#[cfg(test)]
mod tests;
