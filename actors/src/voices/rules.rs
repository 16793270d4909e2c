//! The voice book's rules, pure: who waits for which voice, who may hear it, which job may run, what is in the cache.

use std::collections::HashMap;
use std::time::Duration;

use precall_call::{At, CallId, CloneJobId, NoVoice, Proof, ProofWay, VoiceId, VoicePolicy, VoiceSource};
use precall_store::voices::{ConsentRule, Covered, Mapping};

use crate::caller_key::CallerKey;
use crate::voices::circuit_breaker::{Breaker, Gate};
use crate::voices::terms::{
    Asker, BookLimits, CachedClone, CloneOrder, Failure, JobEnd, Known, Order, VoiceOutcome,
};
use clone_cache::{Memory, Refused};

/// How long a failure that lasts is believed.
pub const REFUSED_FOR: Duration = Duration::from_secs(600);

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
    id: CloneJobId,
    stage: Stage,
    waiting: Vec<Asker>,
    /// Wanted by no call, but for the next ones.
    ahead: bool,
    /// What was read of the caller; none while it is being read, and of a job that a crash interrupted.
    mapping: Option<Mapping>,
    order: Option<CloneOrder>,
    /// Whatever comes of it must not be used.
    revoked: Option<NoVoice>,
}

/// See the file.
#[derive(Debug)]
pub struct Book {
    limits: BookLimits,
    memory: Memory,
    jobs: HashMap<CallerKey, Job>,
    /// Shortest remaining wait first, then first come.
    queue: Vec<CallerKey>,
    keys: HashMap<CloneJobId, CallerKey>,
    waiting_for: HashMap<CallId, CallerKey>,
    breaker: Breaker,
    /// What the provider allows at once, where it has said so.
    allowed: Option<usize>,
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new(limits: BookLimits) -> Self {
        Self {
            limits,
            memory: Memory::new(limits.capacity),
            jobs: HashMap::new(),
            queue: Vec::new(),
            keys: HashMap::new(),
            waiting_for: HashMap::new(),
            breaker: Breaker::default(),
            allowed: None,
        }
    }

    /// A clone that was cached before.
    pub fn remember(&mut self, key: CallerKey, clone: CachedClone, expires: At) {
        self.memory.remember(key, clone, expires);
    }

    /// Takes a caller's clone out of the cache, and what is known to be in its way.
    pub fn forget(&mut self, key: &CallerKey) -> bool {
        self.memory.forget(key)
    }

    /// The cached voice, without counting it as used.
    #[must_use]
    pub fn peek(&self, key: &CallerKey, now: At) -> Option<&VoiceId> {
        self.memory.peek(key, now).map(|clone| &clone.voice)
    }

    /// The provider allows so many requests at once.
    pub fn allow(&mut self, at_once: usize) {
        self.allowed = Some(at_once.max(1));
    }

    /// Whether the provider is being left alone.
    #[must_use]
    pub fn leaves_provider_alone(&self) -> bool {
        self.breaker.is_shut()
    }

    /// A call wants its caller's voice. One job serves all calls of a caller.
    pub fn want(&mut self, asker: Asker, key: CallerKey, job: CloneJobId) -> Vec<Order> {
        if let Some(running) = self.jobs.get_mut(&key) {
            let verdict = running.mapping.as_ref().and_then(|mapping| objection(&asker, mapping));
            let why = running.revoked.map(VoiceOutcome::Missing).or(verdict);
            if let Some(outcome) = why {
                return vec![Order::Tell(asker.call, outcome)];
            }
            self.waiting_for.insert(asker.call, key);
            running.waiting.push(asker);
            return Vec::new();
        }
        self.waiting_for.insert(asker.call, key.clone());
        self.read(key, job, vec![asker], false)
    }

    /// A voice is cloned ahead, for the next call. Nothing where a job runs already.
    pub fn clone_ahead(&mut self, key: CallerKey, job: CloneJobId) -> Vec<Order> {
        if self.jobs.contains_key(&key) {
            return Vec::new();
        }
        self.read(key, job, Vec::new(), true)
    }

    /// The mapping is read even for a cached voice: one that was taken away or lost its consent must not be heard.
    fn read(&mut self, key: CallerKey, id: CloneJobId, waiting: Vec<Asker>, ahead: bool) -> Vec<Order> {
        self.keys.insert(id, key.clone());
        let stage = Stage::Reading;
        let job = Job { id, stage, waiting, ahead, mapping: None, order: None, revoked: None };
        self.jobs.insert(key.clone(), job);
        vec![Order::ReadMapping { key, job: id }]
    }

    /// A job whose outcome a crash swallowed is found out about; calls that come meanwhile wait for it.
    pub fn recover(&mut self, key: CallerKey, id: CloneJobId) {
        self.keys.insert(id, key.clone());
        let (stage, waiting) = (Stage::Uploading, Vec::new());
        let job = Job { id, stage, waiting, ahead: false, mapping: None, order: None, revoked: None };
        self.jobs.entry(key).or_insert(job);
    }

    /// What is known of a job's caller was read; `None` says that it could not be.
    pub fn mapped(&mut self, id: CloneJobId, known: Option<Known>, now: At) -> Vec<Order> {
        let Some(key) = self.keys.get(&id).cloned() else { return Vec::new() };
        let Some(job) = self.jobs.get_mut(&key).filter(|job| job.id == id && job.stage == Stage::Reading)
        else {
            return Vec::new();
        };
        let Some(known) = known else { return self.refuse(&key, NoVoice::CloneFailed) };
        let Some(mapping) = known.mapping else { return self.refuse(&key, NoVoice::NoMapping) };
        let needs_consent = self.limits.consent == ConsentRule::Required;
        if needs_consent && mapping.consented.is_empty() {
            return self.refuse(&key, NoVoice::NoConsent);
        }
        let (mut orders, mut heard) = (Vec::new(), Vec::new());
        for asker in std::mem::take(&mut job.waiting) {
            match objection(&asker, &mapping) {
                Some(outcome) => orders.push((asker.call, outcome)),
                None => heard.push(asker),
            }
        }
        job.waiting = heard;
        job.mapping = Some(mapping.clone());
        let is_wanted = job.ahead || !job.waiting.is_empty();
        let mut orders = self.tell_each(orders);
        if !is_wanted {
            self.remove(&key);
            return orders;
        }
        orders.extend(self.serve(&key, mapping, known.mark, now));
        orders
    }

    /// From the cache, or by a clone.
    fn serve(&mut self, key: &CallerKey, mapping: Mapping, mark: Option<String>, now: At) -> Vec<Order> {
        let needs_consent = self.limits.consent == ConsentRule::Required;
        let is_covered = |sample: Option<&str>| {
            let is_of = |covered: &Covered| Some(covered.sample_sha256.as_str()) == sample;
            !needs_consent || mapping.consented.iter().any(is_of)
        };
        let cached = self.memory.served(key, now).cloned();
        if let Some(clone) = &cached
            && clone.is_of(&mapping.sample, mark.as_deref())
            && is_covered(clone.sample_sha256.as_deref())
        {
            let (voice, source) = (clone.voice.clone(), VoiceSource::Cache);
            return self.finish(key, &VoiceOutcome::Ready { voice, job: None, source });
        }
        if let Some(why) = self.memory.refused(key, &mapping.sample, mark.as_deref(), now) {
            return self.refuse(key, why);
        }
        if self.breaker.ask(now) == Gate::Shut {
            return self.refuse(key, NoVoice::BreakerOpen);
        }
        let Some(job) = self.jobs.get_mut(key) else { return Vec::new() };
        job.order = Some(CloneOrder {
            sample: mapping.sample,
            mark,
            covered: needs_consent.then_some(mapping.consented),
            existing: cached.and_then(|clone| Some((clone.voice, clone.sample_sha256?))),
        });
        job.stage = Stage::Queued;
        self.queue.push(key.clone());
        self.start_next()
    }

    /// Whose voice a job makes.
    #[must_use]
    pub fn key_of(&self, job: CloneJobId) -> Option<&CallerKey> {
        self.keys.get(&job)
    }

    /// From now on the provider may have the sample.
    pub fn uploading(&mut self, job: CloneJobId) {
        if let Some(job) = self.job_mut(job) {
            job.stage = Stage::Uploading;
        }
    }

    /// Whether the provider may have the sample.
    #[must_use]
    pub fn is_uploading(&self, job: CloneJobId) -> bool {
        let job = self.keys.get(&job).and_then(|key| self.jobs.get(key));
        job.is_some_and(|job| job.stage == Stage::Uploading)
    }

    /// The job takes too long for the calls that wait; it goes on, and a late voice is cached.
    pub fn late(&mut self, job: CloneJobId) -> Vec<Order> {
        let Some(job) = self.job_mut(job) else { return Vec::new() };
        let calls = std::mem::take(&mut job.waiting);
        self.tell(calls, &VoiceOutcome::Missing(NoVoice::CloneTimeout))
    }

    /// A job is over.
    pub fn ended(&mut self, id: CloneJobId, end: JobEnd, now: At) -> Vec<Order> {
        let Some(key) = self.keys.get(&id).cloned() else { return Vec::new() };
        let expires = now.plus(self.limits.ttl);
        self.learn(&key, id, &end, now);
        let Some(job) = self.remove(&key) else { return Vec::new() };
        let mut orders = match (job.revoked, end) {
            // It was told when it was revoked; who came since was told at once.
            (Some(_), _) => Vec::new(),
            (None, JobEnd::Cloned(clone)) => {
                let (voice, source) = (clone.voice.clone(), VoiceSource::Clone);
                self.memory.remember(key.clone(), clone, expires);
                match job.mapping {
                    Some(_) => self.tell(job.waiting, &VoiceOutcome::Ready { voice, job: Some(id), source }),
                    None => {
                        job.waiting.into_iter().map(|asker| Order::AskAgain(asker, key.clone())).collect()
                    }
                }
            }
            (None, JobEnd::Unchanged { mark }) => match self.memory.renew(&key, mark, now) {
                Some(voice) => {
                    let source = VoiceSource::Cache;
                    self.tell(job.waiting, &VoiceOutcome::Ready { voice, job: None, source })
                }
                // It left the cache meanwhile.
                None => self.tell(job.waiting, &VoiceOutcome::Missing(NoVoice::CloneFailed)),
            },
            (None, JobEnd::Failed(why, _)) => self.tell(job.waiting, &VoiceOutcome::Missing(why)),
        };
        if self.breaker.is_shut() {
            for queued in std::mem::take(&mut self.queue) {
                orders.extend(self.refuse(&queued, NoVoice::BreakerOpen));
            }
        }
        orders.extend(self.start_next());
        orders
    }

    /// What an outcome says of the provider and of the sample.
    fn learn(&mut self, key: &CallerKey, id: CloneJobId, end: &JobEnd, now: At) {
        let order = self.jobs.get(key).filter(|job| job.id == id).and_then(|job| job.order.clone());
        match end {
            JobEnd::Cloned(_) => self.breaker.answered(),
            JobEnd::Unchanged { .. } | JobEnd::Failed(_, Failure::Passing) => self.breaker.not_tried(),
            JobEnd::Failed(_, Failure::OfProvider) => self.breaker.failed(now),
            JobEnd::Failed(why, Failure::Lasting) => {
                self.breaker.not_tried();
                if let Some(CloneOrder { sample, mark, .. }) = order {
                    let refused = Refused { why: *why, sample, mark, until: now.plus(REFUSED_FOR) };
                    self.memory.refuse(key.clone(), refused);
                }
            }
        }
    }

    /// A caller's voice must not be used any more: a consent was withdrawn, a mapping is gone. What has not been sent is not.
    pub fn revoke(&mut self, key: &CallerKey, why: NoVoice) -> Vec<Order> {
        self.memory.forget(key);
        let Some(job) = self.jobs.get_mut(key) else { return Vec::new() };
        let (id, stage) = (job.id, job.stage);
        match stage {
            Stage::Reading | Stage::Queued | Stage::Preparing => {
                self.queue.retain(|queued| queued != key);
                self.breaker.not_tried();
                let mut orders = self.refuse(key, why);
                if stage == Stage::Preparing {
                    orders.push(Order::StopJob(id, key.clone()));
                    orders.extend(self.start_next());
                }
                orders
            }
            Stage::Uploading => {
                job.revoked = Some(why);
                let calls = std::mem::take(&mut job.waiting);
                self.tell(calls, &VoiceOutcome::Missing(why))
            }
        }
    }

    /// A call does not wait any longer. A job that nobody waits for stops, unless its upload has begun.
    pub fn wants_no_more(&mut self, call: CallId) -> Vec<Order> {
        let Some(key) = self.waiting_for.remove(&call) else { return Vec::new() };
        let Some(job) = self.jobs.get_mut(&key) else { return Vec::new() };
        job.waiting.retain(|waiting| waiting.call != call);
        if job.ahead || !job.waiting.is_empty() {
            return Vec::new();
        }
        let (id, stage) = (job.id, job.stage);
        match stage {
            Stage::Reading => {
                self.remove(&key);
                Vec::new()
            }
            Stage::Queued => {
                self.queue.retain(|queued| *queued != key);
                self.breaker.not_tried();
                self.remove(&key);
                Vec::new()
            }
            Stage::Preparing => {
                self.breaker.not_tried();
                self.remove(&key);
                let mut orders = vec![Order::StopJob(id, key)];
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

    /// Jobs that are not over, whatever they are doing.
    pub fn unfinished(&self) -> impl Iterator<Item = CloneJobId> {
        self.jobs.values().map(|job| job.id)
    }

    fn start_next(&mut self) -> Vec<Order> {
        let mut orders = Vec::new();
        let at_once = self.allowed.map_or(self.limits.concurrency, |max| max.min(self.limits.concurrency));
        while self.running() < at_once {
            let due = |key: &CallerKey| {
                self.jobs.get(key).and_then(|job| job.waiting.iter().map(|asker| asker.due).min())
            };
            // Who clones ahead waits behind everybody.
            let shortest =
                self.queue.iter().enumerate().min_by_key(|(_, key)| due(key).unwrap_or(At(i64::MAX)));
            let Some(place) = shortest.map(|(place, _)| place) else { break };
            let key = self.queue.remove(place);
            let Some(job) = self.jobs.get_mut(&key) else { continue };
            let Some(order) = job.order.clone() else { continue };
            job.stage = Stage::Preparing;
            let call = job.waiting.first().map(|asker| asker.call);
            orders.push(Order::StartJob { job: job.id, key, order, call });
        }
        orders
    }

    fn refuse(&mut self, key: &CallerKey, why: NoVoice) -> Vec<Order> {
        self.finish(key, &VoiceOutcome::Missing(why))
    }

    fn finish(&mut self, key: &CallerKey, outcome: &VoiceOutcome) -> Vec<Order> {
        let waiting = self.remove(key).map(|job| job.waiting).unwrap_or_default();
        self.tell(waiting, outcome)
    }

    fn tell(&mut self, waiting: Vec<Asker>, outcome: &VoiceOutcome) -> Vec<Order> {
        self.tell_each(waiting.into_iter().map(|asker| (asker.call, outcome.clone())).collect())
    }

    fn tell_each(&mut self, outcomes: Vec<(CallId, VoiceOutcome)>) -> Vec<Order> {
        for (call, _) in &outcomes {
            self.waiting_for.remove(call);
        }
        outcomes.into_iter().map(|(call, outcome)| Order::Tell(call, outcome)).collect()
    }

    fn remove(&mut self, key: &CallerKey) -> Option<Job> {
        let job = self.jobs.remove(key)?;
        self.keys.remove(&job.id);
        Some(job)
    }

    fn job_mut(&mut self, job: CloneJobId) -> Option<&mut Job> {
        let key = self.keys.get(&job)?;
        self.jobs.get_mut(key)
    }
}

/// Why this call may not hear the voice, if it may not.
fn objection(asker: &Asker, mapping: &Mapping) -> Option<VoiceOutcome> {
    match (mapping.policy.unwrap_or(asker.policy), asker.proof) {
        (VoicePolicy::Number, _) | (VoicePolicy::Proof, Proof::Given) => None,
        (VoicePolicy::Proof, Proof::None) => {
            let way = if mapping.has_pin { ProofWay::LegOrPin } else { ProofWay::Leg };
            Some(VoiceOutcome::NeedsProof(way))
        }
        (VoicePolicy::Never, _) => Some(VoiceOutcome::Missing(NoVoice::Unproven)),
    }
}

mod clone_cache;
#[cfg(test)]
mod tests;
