//! Clones and their slots, as in the voice book's actor.

use precall_actors::caller_key::CallerKey;
use precall_actors::voices::slot_rules::{HeldVoice, Slot};
use precall_actors::voices::terms::{CachedClone, Failure, JobEnd};
use precall_call::{At, CloneJobId, NoVoice, Voice, VoiceId};

use crate::engine::Engine;
use crate::happening::{Happening, To};
use crate::world::{MINUTE, MS, SECOND, World};

/// Voice slots of the account.
pub(crate) const SLOTS_OF_ACCOUNT: usize = 4;

impl World {
    /// A clone starts, waits for a slot, or fails.
    pub(crate) fn slot(&mut self, to: To, engine: &mut Engine, key: &CallerKey, job: CloneJobId, slot: Slot) {
        match slot {
            Slot::Granted => {
                if engine.preparing.remove(&job.0).is_none() {
                    // It was stopped while it waited for the slot.
                    return engine.slots.release(job);
                }
                engine.rules.upload_started(job);
                let wait = self.random.between(100 * MS, 40 * SECOND);
                self.after(wait, Happening::Cloned { to, key: key.clone(), job });
            }
            Slot::After(voice, held) => {
                self.begin_to_delete(to, engine, voice, held, Some((job, key.clone())))
            }
            Slot::None => {
                self.end_clone(to, engine, key, job, JobEnd::Failed(NoVoice::NoSlot, Failure::Transient))
            }
        }
    }

    fn begin_to_delete(
        &mut self,
        to: To,
        engine: &mut Engine,
        voice: VoiceId,
        held: HeldVoice,
        waiting: Option<(CloneJobId, CallerKey)>,
    ) {
        if engine.rules.cached(&held.key, At(self.now)) == Some(&voice) {
            engine.rules.forget(&held.key);
        }
        // The provider gets the request a moment later; a process that is not the leader sends none.
        let wait = self.random.between(5 * MS, 500 * MS);
        self.after(wait, Happening::Delete { to, voice, held, waiting });
    }

    pub(crate) fn delete(
        &mut self,
        to: To,
        engine: &mut Engine,
        voice: VoiceId,
        held: HeldVoice,
        waiting: Option<(CloneJobId, CallerKey)>,
    ) {
        let acts = self.may_act(to, engine);
        if acts && !self.random.per_mille(150) {
            for live in engine.calls.values() {
                let uses = live.call.voice == Voice::Cloned(voice.clone()) && !live.call.is_released();
                assert!(!uses, "{voice} is deleted, but a live call may use it");
            }
            self.provider.voices.remove(&voice);
            self.summary.deleted += 1;
            match waiting {
                Some((job, key)) => {
                    engine.slots.take_over(job, &voice);
                    self.slot(to, engine, &key, job, Slot::Granted);
                }
                None => engine.slots.deleted(&voice),
            }
            return;
        }
        let Some((job, key)) = waiting else { return engine.slots.deletion_failed(&voice) };
        let slot = engine.slots.account_full(job);
        engine.slots.deletion_failed(&voice);
        engine.slots.expire_caller(&held.key);
        self.slot(to, engine, &key, job, slot);
    }

    pub(crate) fn sweep(&mut self, to: To, engine: &mut Engine) {
        for (voice, held) in engine.slots.expired(At(self.now), 10) {
            self.begin_to_delete(to, engine, voice, held, None);
        }
        self.after(MINUTE, Happening::Sweep { to });
    }

    pub(crate) fn cloned(&mut self, to: To, engine: &mut Engine, key: &CallerKey, job: CloneJobId) {
        // An upload of an earlier process may have taken the slot meanwhile.
        if self.provider.voices.len() >= SLOTS_OF_ACCOUNT {
            engine.preparing.insert(job.0, key.clone());
            let slot = engine.slots.account_full(job);
            return self.slot(to, engine, key, job, slot);
        }
        let end = if self.random.per_mille(200) {
            JobEnd::Failed(NoVoice::CloneFailed, Failure::Provider)
        } else {
            JobEnd::Cloned(clone_of(key, VoiceId::new(format!("voice_{}", job.0))))
        };
        self.end_clone(to, engine, key, job, end);
    }

    fn end_clone(&mut self, to: To, engine: &mut Engine, key: &CallerKey, job: CloneJobId, end: JobEnd) {
        engine.preparing.remove(&job.0);
        self.provider.cloning.remove(&format!("{} {}", to.epoch, key.caller));
        match &end {
            JobEnd::Cloned(clone) => {
                let voice = &clone.voice;
                let held = HeldVoice {
                    job,
                    next_seq: 3,
                    key: key.clone(),
                    last_used: At(self.now),
                    expires: At(self.now + 10 * MINUTE),
                };
                self.provider.voices.insert(voice.clone(), held.clone());
                assert!(self.provider.voices.len() <= SLOTS_OF_ACCOUNT, "more voices than slots");
                engine.slots.hold(voice.clone(), held);
            }
            JobEnd::Unchanged { .. } | JobEnd::Failed(..) => engine.slots.release(job),
        }
        let orders = engine.rules.job_ended(job, end, At(self.now));
        self.orders(to, engine, orders);
    }

    /// At a start: loads the existing voices, and those that live calls may use.
    pub(crate) fn load_voices(&self, engine: &mut Engine) {
        for (voice, held) in &self.provider.voices {
            engine.slots.hold(voice.clone(), held.clone());
            let clone = clone_of(&held.key, voice.clone());
            engine.rules.remember(held.key.clone(), clone, held.expires);
        }
        for (id, _, call) in self.database.live() {
            if let Voice::Cloned(voice) = &call.voice {
                engine.slots.pin(id, voice, At(0));
            }
        }
        engine.slots.set_limit(SLOTS_OF_ACCOUNT, self.provider.voices.len());
    }
}

fn clone_of(key: &CallerKey, voice: VoiceId) -> CachedClone {
    let sample = Some(key.caller.clone());
    CachedClone { voice, sample_sha256: sample.clone(), sample, mark: None }
}
