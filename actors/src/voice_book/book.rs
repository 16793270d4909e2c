//! The voice book's rules, pure: who waits for which voice, which job may run, what is in the cache.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;
use precall_call::{At, CallId, JobId, NoVoice, VoiceId, VoiceSource};

use crate::clone_worker::VoiceOutcome;
use crate::shared::ConsentRule;
use crate::store::voices::Mapping;

/// Whose voice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VoiceKey {
    /// Whose caller.
    pub account: String,
    /// The caller as rows name one.
    pub caller: String,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Read the caller's mapping, and tell [`Book::mapped`].
    ReadMapping(VoiceKey),
    /// Start a clone job.
    StartJob {
        /// Its id.
        job: JobId,
        /// Whose voice.
        key: VoiceKey,
        /// `voice_sample_url`.
        sample: String,
        /// The call that asked first.
        call: CallId,
    },
    /// Stop a job that nobody waits for and that has not uploaded anything.
    StopJob(JobId),
    /// Tell a call.
    Tell(CallId, VoiceOutcome),
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// There is a voice.
    Cloned(VoiceId),
    /// There is none.
    Failed(NoVoice),
}

#[derive(Clone, Debug)]
struct Cached {
    voice: VoiceId,
    expires: At,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Its mapping is being read.
    Reading,
    /// It waits for its turn.
    Queued,
    /// It runs and has sent nothing yet.
    Preparing,
    /// The provider may have the sample: it must be heard out.
    Uploading,
}

#[derive(Clone, Debug)]
struct Job {
    id: JobId,
    stage: Stage,
    sample: String,
    waiting: Vec<CallId>,
}

/// The rules' limits.
#[derive(Clone, Copy, Debug)]
pub struct BookLimits {
    /// Clone jobs at once.
    pub concurrency: usize,
    /// Voices in memory.
    pub capacity: NonZeroUsize,
    /// `CACHE_TTL`.
    pub ttl: Duration,
    /// Whether a clone needs a consent.
    pub consent: ConsentRule,
}

/// See the file.
#[derive(Debug)]
pub struct Book {
    limits: BookLimits,
    cache: LruCache<VoiceKey, Cached>,
    jobs: HashMap<VoiceKey, Job>,
    queue: VecDeque<VoiceKey>,
    keys: HashMap<JobId, VoiceKey>,
    waiting_for: HashMap<CallId, VoiceKey>,
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new(limits: BookLimits) -> Self {
        Self {
            limits,
            cache: LruCache::new(limits.capacity),
            jobs: HashMap::new(),
            queue: VecDeque::new(),
            keys: HashMap::new(),
            waiting_for: HashMap::new(),
        }
    }

    /// A clone that was cached before.
    pub fn remember(&mut self, key: VoiceKey, voice: VoiceId, expires: At) {
        self.cache.put(key, Cached { voice, expires });
    }

    /// Takes a caller's clone out of the cache.
    pub fn forget(&mut self, key: &VoiceKey) -> bool {
        self.cache.pop(key).is_some()
    }

    /// The cached voice, without counting it as used.
    #[must_use]
    pub fn peek(&self, key: &VoiceKey, now: At) -> Option<&VoiceId> {
        self.cache.peek(key).filter(|cached| cached.expires > now).map(|cached| &cached.voice)
    }

    /// A call wants its caller's voice. One job serves all calls of a caller.
    pub fn want(&mut self, call: CallId, key: VoiceKey, job: JobId) -> Vec<Order> {
        self.waiting_for.insert(call, key.clone());
        if let Some(running) = self.jobs.get_mut(&key) {
            running.waiting.push(call);
            return Vec::new();
        }
        self.keys.insert(job, key.clone());
        let waiting = vec![call];
        self.jobs.insert(key.clone(), Job { id: job, stage: Stage::Reading, sample: String::new(), waiting });
        // The mapping is read even for a cached voice: one that was taken away or lost its consent must not be heard.
        vec![Order::ReadMapping(key)]
    }

    /// A job whose outcome a crash swallowed is found out about; calls that come meanwhile wait for it.
    pub fn recover(&mut self, key: VoiceKey, job: JobId) {
        self.keys.insert(job, key.clone());
        let (stage, sample, waiting) = (Stage::Uploading, String::new(), Vec::new());
        self.jobs.entry(key).or_insert(Job { id: job, stage, sample, waiting });
    }

    /// The mapping of a caller was read; `None` says that it could not be.
    pub fn mapped(&mut self, key: &VoiceKey, mapping: Option<Option<Mapping>>, now: At) -> Vec<Order> {
        let Some(job) = self.jobs.get_mut(key).filter(|job| job.stage == Stage::Reading) else {
            return Vec::new();
        };
        let refusal = match &mapping {
            None => Some(NoVoice::CloneFailed),
            Some(None) => Some(NoVoice::NoMapping),
            Some(Some(m)) if !m.consented && self.limits.consent == ConsentRule::Required => {
                Some(NoVoice::NoConsent)
            }
            Some(Some(_)) => None,
        };
        if let Some(why) = refusal {
            return self.finish(key, &VoiceOutcome::Missing(why));
        }
        let cached = self.cache.get(key).filter(|cached| cached.expires > now).cloned();
        if let Some(Cached { voice, .. }) = cached {
            let source = VoiceSource::Cache;
            return self.finish(key, &VoiceOutcome::Ready { voice, job: None, source });
        }
        if let Some(Some(mapping)) = mapping {
            job.sample = mapping.sample;
        }
        job.stage = Stage::Queued;
        self.queue.push_back(key.clone());
        self.start_next()
    }

    /// Whose voice a job makes.
    #[must_use]
    pub fn key_of(&self, job: JobId) -> Option<&VoiceKey> {
        self.keys.get(&job)
    }

    /// From now on the provider may have the sample.
    pub fn uploading(&mut self, job: JobId) {
        if let Some(job) = self.job_mut(job) {
            job.stage = Stage::Uploading;
        }
    }

    /// The job takes too long for the calls that wait; it goes on, and a late voice is cached.
    pub fn late(&mut self, job: JobId) -> Vec<Order> {
        let Some(job) = self.job_mut(job) else { return Vec::new() };
        let calls = std::mem::take(&mut job.waiting);
        self.tell(calls, &VoiceOutcome::Missing(NoVoice::CloneTimeout))
    }

    /// A job is over.
    pub fn ended(&mut self, job: JobId, end: JobEnd, now: At) -> Vec<Order> {
        let Some(key) = self.keys.get(&job).cloned() else { return Vec::new() };
        let outcome = match end {
            JobEnd::Cloned(voice) => {
                self.remember(key.clone(), voice.clone(), now.plus(self.limits.ttl));
                VoiceOutcome::Ready { voice, job: Some(job), source: VoiceSource::Clone }
            }
            JobEnd::Failed(why) => VoiceOutcome::Missing(why),
        };
        let mut orders = self.finish(&key, &outcome);
        orders.extend(self.start_next());
        orders
    }

    /// A call does not wait any longer. A job that nobody waits for stops, unless its upload has begun.
    pub fn wants_no_more(&mut self, call: CallId) -> Vec<Order> {
        let Some(key) = self.waiting_for.remove(&call) else { return Vec::new() };
        let Some(job) = self.jobs.get_mut(&key) else { return Vec::new() };
        job.waiting.retain(|waiting| *waiting != call);
        if !job.waiting.is_empty() {
            return Vec::new();
        }
        let (id, stage) = (job.id, job.stage);
        match stage {
            Stage::Reading | Stage::Queued => {
                self.queue.retain(|queued| *queued != key);
                self.remove(&key);
                Vec::new()
            }
            Stage::Preparing => {
                self.remove(&key);
                let mut orders = vec![Order::StopJob(id)];
                orders.extend(self.start_next());
                orders
            }
            Stage::Uploading => Vec::new(),
        }
    }

    /// Jobs that run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.jobs.values().filter(|job| matches!(job.stage, Stage::Preparing | Stage::Uploading)).count()
    }

    fn start_next(&mut self) -> Vec<Order> {
        let mut orders = Vec::new();
        while self.running() < self.limits.concurrency {
            let Some(key) = self.queue.pop_front() else { break };
            let Some(job) = self.jobs.get_mut(&key) else { continue };
            let Some(call) = job.waiting.first().copied() else { continue };
            job.stage = Stage::Preparing;
            orders.push(Order::StartJob { job: job.id, key, sample: job.sample.clone(), call });
        }
        orders
    }

    fn finish(&mut self, key: &VoiceKey, outcome: &VoiceOutcome) -> Vec<Order> {
        let calls = self.remove(key).map(|job| job.waiting).unwrap_or_default();
        self.tell(calls, outcome)
    }

    fn tell(&mut self, calls: Vec<CallId>, outcome: &VoiceOutcome) -> Vec<Order> {
        calls
            .into_iter()
            .map(|call| {
                self.waiting_for.remove(&call);
                Order::Tell(call, outcome.clone())
            })
            .collect()
    }

    fn remove(&mut self, key: &VoiceKey) -> Option<Job> {
        let job = self.jobs.remove(key)?;
        self.keys.remove(&job.id);
        Some(job)
    }

    fn job_mut(&mut self, job: JobId) -> Option<&mut Job> {
        let key = self.keys.get(&job)?;
        self.jobs.get_mut(key)
    }
}

#[cfg(test)]
mod tests;
