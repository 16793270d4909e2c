//! Which of our voices hold slots of the provider account, and which one is deleted for a new one.
//!
//! If all slots are taken, the least recently used voice is deleted. A voice that a live call may use is never
//! deleted.
//!
//! Pure: no clock, no I/O, no actor.

use std::collections::{HashMap, HashSet};

use precall_call::{At, CallId, CloneJobId, VoiceId};

use crate::caller_key::CallerKey;

/// One of our voices at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldVoice {
    /// The job that made it.
    pub job: CloneJobId,
    /// The next sequence number of that job's event log.
    pub next_seq: i64,
    /// The caller.
    pub key: CallerKey,
    /// When a call last started to use it.
    pub last_used: At,
    /// When it expires; in the past if no call is served with it any more.
    pub expires: At,
}

/// The answer to a request for a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A slot is reserved.
    Granted,
    /// A slot is free once this voice is deleted.
    After(VoiceId, HeldVoice),
    /// No slot: every voice is in use, or the plan allows no more edits.
    None,
}

/// Slots of the account, as far as precall knows.
#[derive(Debug, Default)]
pub struct SlotRules {
    /// Slots of the account; `None` until the provider has reported them.
    limit: Option<usize>,
    /// Slots taken by voices that are not ours.
    others: usize,
    /// Voices that may still be added in this billing period; deletions do not raise it. `None`: no such limit, or
    /// not known.
    edits_left: Option<usize>,
    voices: HashMap<VoiceId, HeldVoice>,
    /// The same by caller: a caller has one or two.
    by_caller: HashMap<CallerKey, Vec<VoiceId>>,
    /// Voices that live calls may use, by call.
    pins: HashMap<CallId, VoiceId>,
    /// Running jobs that hold a slot.
    reserved: HashSet<CloneJobId>,
    /// Voices that are being deleted.
    deleting: HashSet<VoiceId>,
}

impl SlotRules {
    /// Sets the slots of the account and how many are taken, ours included.
    pub fn set_limit(&mut self, limit: usize, taken: usize) {
        self.limit = Some(limit);
        // The provider may count a running clone already. If not, it refuses a clone once the account is full.
        self.others = taken.saturating_sub(self.voices.len()).saturating_sub(self.reserved.len());
    }

    /// Sets how many voices may still be added in this billing period; `None` without such a limit.
    pub(crate) fn set_edits(&mut self, left: Option<usize>) {
        self.edits_left = left;
    }

    /// All our voices.
    pub fn all(&self) -> impl Iterator<Item = (&VoiceId, &HeldVoice)> {
        self.voices.iter()
    }

    /// One of our voices.
    #[must_use]
    pub fn get(&self, voice: &VoiceId) -> Option<&HeldVoice> {
        self.voices.get(voice)
    }

    /// Adds a voice that exists at the provider.
    pub fn hold(&mut self, voice: VoiceId, held: HeldVoice) {
        if self.reserved.remove(&held.job) {
            self.edits_left = self.edits_left.map(|left| left.saturating_sub(1));
        }
        self.remove(&voice);
        // Older voices of the same caller are no longer served.
        self.expire_older(&held.key, held.job.0);
        self.by_caller.entry(held.key.clone()).or_default().push(voice.clone());
        self.voices.insert(voice, held);
    }

    /// A clone failed: its slot is free again.
    pub fn release(&mut self, job: CloneJobId) {
        self.reserved.remove(&job);
    }

    /// Marks a voice as used by a call, which protects it from deletion.
    pub fn pin(&mut self, call: CallId, voice: &VoiceId, now: At) {
        if let Some(held) = self.voices.get_mut(voice) {
            held.last_used = held.last_used.max(now);
        }
        self.pins.insert(call, voice.clone());
    }

    /// A call ended.
    pub fn unpin(&mut self, call: CallId) {
        self.pins.remove(&call);
    }

    /// Expires all voices of a caller.
    pub fn expire_caller(&mut self, key: &CallerKey) {
        self.expire_older(key, u128::MAX);
    }

    /// Expires the voices of a caller whose job has a lower number.
    fn expire_older(&mut self, key: &CallerKey, job: u128) {
        for voice in self.by_caller.get(key).into_iter().flatten() {
            if let Some(held) = self.voices.get_mut(voice).filter(|held| held.job.0 < job) {
                held.expires = At(0);
            }
        }
    }

    /// Expires a voice.
    pub(crate) fn expire(&mut self, voice: &VoiceId) {
        if let Some(held) = self.voices.get_mut(voice) {
            held.expires = At(0);
        }
    }

    /// Live calls that may use a voice.
    #[must_use]
    pub(crate) fn users_of(&self, voice: &VoiceId) -> Vec<CallId> {
        let mut users: Vec<CallId> =
            self.pins.iter().filter(|(_, used)| *used == voice).map(|(call, _)| *call).collect();
        users.sort_unstable_by_key(|call| call.0);
        users
    }

    /// A job requests a slot.
    pub fn request(&mut self, job: CloneJobId) -> Slot {
        // Deleting a voice does not raise the number of edits.
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

    /// The provider refused a clone because the account is full.
    pub fn account_full(&mut self, job: CloneJobId) -> Slot {
        self.reserved.remove(&job);
        self.make_room()
    }

    /// A voice was deleted for this job, which takes its slot.
    pub fn take_over(&mut self, job: CloneJobId, voice: &VoiceId) {
        self.deleted(voice);
        self.reserved.insert(job);
    }

    fn make_room(&mut self) -> Slot {
        let pinned: HashSet<&VoiceId> = self.pins.values().collect();
        let may_go = |voice: &VoiceId| !pinned.contains(voice) && !self.deleting.contains(voice);
        let oldest = self.voices.iter().filter(|(voice, _)| may_go(voice)).min_by_key(|(voice, held)| {
            // A fixed order for equal times.
            (held.last_used, voice.as_str())
        });
        let Some((voice, held)) = oldest.map(|(voice, held)| (voice.clone(), held.clone())) else {
            return Slot::None;
        };
        self.deleting.insert(voice.clone());
        Slot::After(voice, held)
    }

    /// Expired voices that no call uses, at most `limit`. They count as being deleted from now on.
    pub fn expired(&mut self, now: At, limit: usize) -> Vec<(VoiceId, HeldVoice)> {
        let pinned: HashSet<&VoiceId> = self.pins.values().collect();
        let is_over = |(voice, held): &(&VoiceId, &HeldVoice)| {
            held.expires <= now && !pinned.contains(voice) && !self.deleting.contains(*voice)
        };
        let mut over: Vec<(VoiceId, HeldVoice)> =
            self.voices.iter().filter(is_over).map(|(voice, held)| (voice.clone(), held.clone())).collect();
        over.sort_by_key(|(_, held)| held.job.0);
        over.truncate(limit);
        self.deleting.extend(over.iter().map(|(voice, _)| voice.clone()));
        over
    }

    /// A voice was deleted.
    pub fn deleted(&mut self, voice: &VoiceId) {
        self.remove(voice);
        self.deleting.remove(voice);
    }

    fn remove(&mut self, voice: &VoiceId) {
        if let Some(held) = self.voices.remove(voice)
            && let Some(voices) = self.by_caller.get_mut(&held.key)
        {
            voices.retain(|other| other != voice);
            if voices.is_empty() {
                self.by_caller.remove(&held.key);
            }
        }
    }

    /// A voice could not be deleted. It may be tried again.
    pub fn deletion_failed(&mut self, voice: &VoiceId) {
        self.deleting.remove(voice);
    }

    /// Voices that can be added without a deletion; `None` if no limit is known.
    #[must_use]
    pub fn free(&self) -> Option<usize> {
        let taken = self.others.saturating_add(self.voices.len()).saturating_add(self.reserved.len());
        let free = self.limit.map(|limit| limit.saturating_sub(taken));
        let edits = self.edits_left.map(|left| left.saturating_sub(self.reserved.len()));
        free.map(|free| edits.map_or(free, |edits| edits.min(free))).or(edits)
    }

    /// Number of our voices.
    #[must_use]
    pub fn held(&self) -> usize {
        self.voices.len()
    }
}

#[cfg(test)]
mod tests;
