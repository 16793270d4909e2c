//! Rules for voices: which call waits for which voice, who may hear it, which job may run, what is cached.
//! Pure: no clock, no I/O, no actor.

use std::collections::HashMap;
use std::time::Duration;

use precall_call::{At, CallId, CloneJobId, NoVoice, Proof, ProofWay, VoiceId, VoicePolicy, VoiceSource};
use precall_store::voices::{ConsentRule, Covered, Mapping};

use crate::caller_key::CallerKey;
use crate::voices::circuit_breaker::{CircuitBreaker, Gate};
use crate::voices::terms::{
    CachedClone, CloneOrder, CloneStage, Failure, JobEnd, MappedCaller, VoiceLimits, VoiceOrder,
    VoiceOutcome, VoiceRequest,
};
use clone_cache::{CloneCache, RefusedSample};

/// How long a permanently refused sample is not retried.
pub(crate) const REFUSED_FOR: Duration = Duration::from_secs(600);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// precall reads the caller's mapping.
    Reading,
    /// In the queue.
    Queued,
    /// Runs; nothing is uploaded yet.
    Preparing,
    /// The provider may have the sample, so the job must run to its end.
    Uploading,
}

#[derive(Clone, Debug)]
struct CloneJobState {
    id: CloneJobId,
    stage: Stage,
    waiting: Vec<VoiceRequest>,
    /// A prefetch: it runs even if no call waits.
    ahead: bool,
    /// The caller's mapping; `None` until it is read, and for a job recovered after a crash.
    mapping: Option<Mapping>,
    order: Option<CloneOrder>,
    /// Set if the voice was revoked: the result must not be used.
    revoked: Option<NoVoice>,
}

/// Voices of all callers: cache, running clone jobs and waiting calls.
#[derive(Debug)]
pub struct VoiceRules {
    limits: VoiceLimits,
    cache: CloneCache,
    jobs: HashMap<CallerKey, CloneJobState>,
    /// Queued jobs, in order of arrival.
    queue: Vec<CallerKey>,
    keys: HashMap<CloneJobId, CallerKey>,
    waiting_for: HashMap<CallId, CallerKey>,
    breaker: CircuitBreaker,
    /// Maximum of concurrent requests that the provider reported.
    allowed: Option<usize>,
}

impl VoiceRules {
    /// Empty rules.
    #[must_use]
    pub fn new(limits: VoiceLimits) -> Self {
        Self {
            limits,
            cache: CloneCache::new(limits.capacity),
            jobs: HashMap::new(),
            queue: Vec::new(),
            keys: HashMap::new(),
            waiting_for: HashMap::new(),
            breaker: CircuitBreaker::default(),
            allowed: None,
        }
    }

    /// Adds a clone to the cache.
    pub fn remember(&mut self, key: CallerKey, clone: CachedClone, expires: At) {
        self.cache.remember(key, clone, expires);
    }

    /// Removes a caller's clone from the cache, and the mark that its sample was refused. False if there was no
    /// clone.
    pub fn forget(&mut self, key: &CallerKey) -> bool {
        self.cache.forget(key)
    }

    /// Removes the mark that this caller's sample was refused: somebody wants it tried again.
    pub fn forget_refusal(&mut self, key: &CallerKey) {
        self.cache.forget_refusal(key);
    }

    /// The cached voice. Does not count as a use.
    #[must_use]
    pub fn cached(&self, key: &CallerKey, now: At) -> Option<&VoiceId> {
        self.cache.peek(key, now).map(|clone| &clone.voice)
    }

    /// Sets how many requests the provider allows at once.
    pub(crate) fn set_provider_limit(&mut self, at_once: usize) {
        self.allowed = Some(at_once.max(1));
    }

    /// Whether the circuit breaker is open: no new clone starts.
    #[must_use]
    pub(crate) fn is_breaker_open(&self) -> bool {
        self.breaker.is_open()
    }

    /// Requests the caller's voice for a call. One job serves all calls of a caller.
    pub fn request(&mut self, request: VoiceRequest, key: CallerKey, job: CloneJobId) -> Vec<VoiceOrder> {
        if let Some(running) = self.jobs.get_mut(&key) {
            let refusal = running.mapping.as_ref().and_then(|mapping| objection(&request, mapping));
            let why = running.revoked.map(VoiceOutcome::Missing).or(refusal);
            if let Some(outcome) = why {
                return vec![VoiceOrder::Answer(request.call, outcome)];
            }
            self.waiting_for.insert(request.call, key);
            running.waiting.push(request);
            return Vec::new();
        }
        self.waiting_for.insert(request.call, key.clone());
        self.start_reading(key, job, vec![request], false)
    }

    /// Starts a prefetch for a caller. Does nothing if a job of this caller runs.
    pub fn clone_ahead(&mut self, key: CallerKey, job: CloneJobId) -> Vec<VoiceOrder> {
        if self.jobs.contains_key(&key) {
            return Vec::new();
        }
        self.start_reading(key, job, Vec::new(), true)
    }

    // The mapping is read even for a cached voice: a voice without mapping or consent must not be heard.
    fn start_reading(
        &mut self,
        key: CallerKey,
        id: CloneJobId,
        waiting: Vec<VoiceRequest>,
        ahead: bool,
    ) -> Vec<VoiceOrder> {
        self.keys.insert(id, key.clone());
        let stage = Stage::Reading;
        let job = CloneJobState { id, stage, waiting, ahead, mapping: None, order: None, revoked: None };
        self.jobs.insert(key.clone(), job);
        vec![VoiceOrder::ReadMapping { key, job: id }]
    }

    /// Registers a job whose outcome was lost in a crash. New calls of this caller wait for it.
    pub fn recover(&mut self, key: CallerKey, id: CloneJobId) {
        self.keys.insert(id, key.clone());
        let (stage, waiting) = (Stage::Uploading, Vec::new());
        let job =
            CloneJobState { id, stage, waiting, ahead: false, mapping: None, order: None, revoked: None };
        self.jobs.entry(key).or_insert(job);
    }

    /// The mapping of a job's caller was read; `None` if the read failed. Ignored if the job was cancelled or revoked.
    pub fn mapping_read(&mut self, id: CloneJobId, caller: Option<MappedCaller>, now: At) -> Vec<VoiceOrder> {
        let Some((key, mut job)) = self.take_reading(id) else { return Vec::new() };
        let Some(caller) = caller else { return self.refuse(job, NoVoice::DatabaseUnreachable) };
        let Some(mapping) = caller.mapping else { return self.refuse(job, NoVoice::NoMapping) };
        let needs_consent = self.limits.consent == ConsentRule::Required;
        if needs_consent && mapping.consented.is_empty() {
            return self.refuse(job, NoVoice::NoConsent);
        }
        let (mut refused, mut permitted) = (Vec::new(), Vec::new());
        for request in job.waiting {
            match objection(&request, &mapping) {
                Some(outcome) => refused.push((request.call, outcome)),
                None => permitted.push(request),
            }
        }
        job.waiting = permitted;
        let mut orders = self.answer_each(refused);
        if job.ahead || !job.waiting.is_empty() {
            orders.extend(self.serve(key, job, mapping, caller.mark, now));
        }
        orders
    }

    /// Takes a job whose mapping is being read out of the jobs.
    fn take_reading(&mut self, id: CloneJobId) -> Option<(CallerKey, CloneJobState)> {
        let key = self.keys.get(&id)?.clone();
        self.jobs.get(&key).filter(|job| job.id == id && job.stage == Stage::Reading)?;
        let job = self.remove(&key)?;
        Some((key, job))
    }

    /// Serves a job's calls from the cache or queues the job.
    fn serve(
        &mut self,
        key: CallerKey,
        mut job: CloneJobState,
        mapping: Mapping,
        mark: Option<String>,
        now: At,
    ) -> Vec<VoiceOrder> {
        let needs_consent = self.limits.consent == ConsentRule::Required;
        let is_covered = |sample: Option<&str>| {
            let is_of = |covered: &Covered| Some(covered.sample_sha256.as_str()) == sample;
            !needs_consent || mapping.consented.iter().any(is_of)
        };
        let cached = self.cache.served(&key, now).cloned();
        if let Some(clone) = &cached
            && clone.is_of(&mapping.sample, mark.as_deref())
            && is_covered(clone.sample_sha256.as_deref())
        {
            let (voice, source) = (clone.voice.clone(), VoiceSource::Cache);
            return self.answer(job.waiting, &VoiceOutcome::Ready { voice, job: None, source });
        }
        if let Some(why) = self.cache.refused(&key, &mapping.sample, mark.as_deref(), now) {
            return self.refuse(job, why);
        }
        if self.breaker.try_pass(now) == Gate::Blocked {
            return self.refuse(job, NoVoice::BreakerOpen);
        }
        job.order = Some(CloneOrder {
            sample: mapping.sample.clone(),
            mark,
            covered: needs_consent.then(|| mapping.consented.clone()),
            existing: cached.and_then(|clone| Some((clone.voice, clone.sample_sha256?))),
        });
        job.mapping = Some(mapping);
        job.stage = Stage::Queued;
        self.keys.insert(job.id, key.clone());
        self.jobs.insert(key.clone(), job);
        self.queue.push(key);
        self.start_next()
    }

    /// The caller of a job.
    #[must_use]
    pub fn key_of(&self, job: CloneJobId) -> Option<&CallerKey> {
        self.keys.get(&job)
    }

    /// The calls that wait for a job.
    #[must_use]
    pub(crate) fn waiting_calls(&self, job: CloneJobId) -> Vec<CallId> {
        let job = self.keys.get(&job).and_then(|key| self.jobs.get(key));
        job.map(|job| job.waiting.iter().map(|request| request.call).collect()).unwrap_or_default()
    }

    /// How far the clone is that this call waits for. `None` while its mapping is read: there may be nothing to clone.
    #[must_use]
    pub(crate) fn clone_stage(&self, call: CallId) -> Option<CloneStage> {
        let job = self.waiting_for.get(&call).and_then(|key| self.jobs.get(key))?;
        match job.stage {
            Stage::Reading => None,
            Stage::Queued | Stage::Preparing => Some(CloneStage::Queued),
            Stage::Uploading => Some(CloneStage::Uploading),
        }
    }

    /// The upload of a job has started: the provider may have the sample.
    pub fn upload_started(&mut self, job: CloneJobId) {
        if let Some(job) = self.job_mut(job) {
            job.stage = Stage::Uploading;
        }
    }

    /// Whether the upload of a job has started.
    #[must_use]
    pub(crate) fn is_uploading(&self, job: CloneJobId) -> bool {
        let job = self.keys.get(&job).and_then(|key| self.jobs.get(key));
        job.is_some_and(|job| job.stage == Stage::Uploading)
    }

    /// The clone timeout of a job has passed: its calls get no voice. The job continues and its clone is cached.
    pub(crate) fn job_late(&mut self, job: CloneJobId) -> Vec<VoiceOrder> {
        let Some(job) = self.job_mut(job) else { return Vec::new() };
        let calls = std::mem::take(&mut job.waiting);
        self.answer(calls, &VoiceOutcome::Missing(NoVoice::CloneTimeout))
    }

    /// A job has ended.
    pub fn job_ended(&mut self, id: CloneJobId, end: JobEnd, now: At) -> Vec<VoiceOrder> {
        let Some(key) = self.keys.get(&id).cloned() else { return Vec::new() };
        let expires = now.plus(self.limits.ttl);
        self.note_result(&key, id, &end, now);
        let Some(job) = self.remove(&key) else { return Vec::new() };
        let mut orders = match (job.revoked, end) {
            // The waiting calls were answered at the revocation, later ones at once.
            (Some(_), _) => Vec::new(),
            (None, JobEnd::Cloned(clone)) => {
                let (voice, source) = (clone.voice.clone(), VoiceSource::Clone);
                self.cache.remember(key.clone(), clone, expires);
                match job.mapping {
                    Some(_) => {
                        self.answer(job.waiting, &VoiceOutcome::Ready { voice, job: Some(id), source })
                    }
                    None => job
                        .waiting
                        .into_iter()
                        .map(|request| VoiceOrder::RequestAgain(request, key.clone()))
                        .collect(),
                }
            }
            (None, JobEnd::Unchanged { mark }) => match self.cache.renew(&key, mark, now) {
                Some(voice) => {
                    let source = VoiceSource::Cache;
                    self.answer(job.waiting, &VoiceOutcome::Ready { voice, job: None, source })
                }
                // The cache has dropped it meanwhile.
                None => self.answer(job.waiting, &VoiceOutcome::Missing(NoVoice::CloneFailed)),
            },
            (None, JobEnd::Failed(why, _)) => self.answer(job.waiting, &VoiceOutcome::Missing(why)),
        };
        if self.breaker.is_open() {
            for queued in std::mem::take(&mut self.queue) {
                if let Some(job) = self.remove(&queued) {
                    orders.extend(self.refuse(job, NoVoice::BreakerOpen));
                }
            }
        }
        orders.extend(self.start_next());
        orders
    }

    /// Notes what the result of a job says about the provider and the sample.
    fn note_result(&mut self, key: &CallerKey, id: CloneJobId, end: &JobEnd, now: At) {
        let order = self.jobs.get(key).filter(|job| job.id == id).and_then(|job| job.order.clone());
        match end {
            JobEnd::Cloned(_) => self.breaker.succeeded(),
            JobEnd::Unchanged { .. } | JobEnd::Failed(_, Failure::Transient) => self.breaker.inconclusive(),
            JobEnd::Failed(_, Failure::Provider) => self.breaker.failed(now),
            JobEnd::Failed(why, Failure::Permanent) => {
                self.breaker.inconclusive();
                if let Some(CloneOrder { sample, mark, .. }) = order {
                    let refused = RefusedSample { why: *why, sample, mark, until: now.plus(REFUSED_FOR) };
                    self.cache.refuse(key.clone(), refused);
                }
            }
        }
    }

    /// A consent was withdrawn or a mapping removed: the caller's voice must not be used. Stops an upload that has
    /// not started.
    pub fn revoke(&mut self, key: &CallerKey, why: NoVoice) -> Vec<VoiceOrder> {
        self.cache.forget(key);
        let Some(job) = self.jobs.get_mut(key) else { return Vec::new() };
        let (id, stage, calls) = (job.id, job.stage, std::mem::take(&mut job.waiting));
        match stage {
            Stage::Reading | Stage::Queued | Stage::Preparing => {
                self.queue.retain(|queued| queued != key);
                self.breaker.inconclusive();
                self.remove(key);
                let mut orders = self.answer(calls, &VoiceOutcome::Missing(why));
                if stage == Stage::Preparing {
                    orders.push(VoiceOrder::StopJob(id, key.clone()));
                    orders.extend(self.start_next());
                }
                orders
            }
            Stage::Uploading => {
                job.revoked = Some(why);
                self.answer(calls, &VoiceOutcome::Missing(why))
            }
        }
    }

    /// A call no longer waits. A job without waiting calls stops unless its upload has started.
    pub fn cancel(&mut self, call: CallId) -> Vec<VoiceOrder> {
        let Some(key) = self.waiting_for.remove(&call) else { return Vec::new() };
        let Some(job) = self.jobs.get_mut(&key) else {
            debug_assert!(false, "a waiting call has a job");
            return Vec::new();
        };
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
                self.breaker.inconclusive();
                self.remove(&key);
                Vec::new()
            }
            Stage::Preparing => {
                self.breaker.inconclusive();
                self.remove(&key);
                let mut orders = vec![VoiceOrder::StopJob(id, key)];
                orders.extend(self.start_next());
                orders
            }
            Stage::Uploading => Vec::new(),
        }
    }

    /// Number of running jobs.
    #[must_use]
    pub fn running(&self) -> usize {
        self.jobs.values().filter(|job| matches!(job.stage, Stage::Preparing | Stage::Uploading)).count()
    }

    /// All jobs that have not ended, in any stage.
    pub fn unfinished(&self) -> impl Iterator<Item = CloneJobId> {
        self.jobs.values().map(|job| job.id)
    }

    fn start_next(&mut self) -> Vec<VoiceOrder> {
        let mut orders = Vec::new();
        let at_once = self.allowed.map_or(self.limits.concurrency, |max| max.min(self.limits.concurrency));
        while self.running() < at_once {
            let due = |key: &CallerKey| {
                self.jobs.get(key).and_then(|job| job.waiting.iter().map(|request| request.due).min())
            };
            // A prefetch starts after all jobs that a call waits for.
            let shortest =
                self.queue.iter().enumerate().min_by_key(|(_, key)| due(key).unwrap_or(At(i64::MAX)));
            let Some(place) = shortest.map(|(place, _)| place) else { break };
            let key = self.queue.remove(place);
            let queued = self.jobs.get_mut(&key).and_then(|job| Some((job.order.clone()?, job)));
            let Some((order, job)) = queued else {
                debug_assert!(false, "a queued caller has a job with an order");
                continue;
            };
            job.stage = Stage::Preparing;
            let call = job.waiting.first().map(|request| request.call);
            orders.push(VoiceOrder::StartJob { job: job.id, key, order, call });
        }
        orders
    }

    /// Ends a job that has not started without a voice.
    fn refuse(&mut self, job: CloneJobState, why: NoVoice) -> Vec<VoiceOrder> {
        self.answer(job.waiting, &VoiceOutcome::Missing(why))
    }

    fn answer(&mut self, waiting: Vec<VoiceRequest>, outcome: &VoiceOutcome) -> Vec<VoiceOrder> {
        self.answer_each(waiting.into_iter().map(|request| (request.call, outcome.clone())).collect())
    }

    fn answer_each(&mut self, outcomes: Vec<(CallId, VoiceOutcome)>) -> Vec<VoiceOrder> {
        for (call, _) in &outcomes {
            self.waiting_for.remove(call);
        }
        outcomes.into_iter().map(|(call, outcome)| VoiceOrder::Answer(call, outcome)).collect()
    }

    fn remove(&mut self, key: &CallerKey) -> Option<CloneJobState> {
        let job = self.jobs.remove(key)?;
        self.keys.remove(&job.id);
        Some(job)
    }

    fn job_mut(&mut self, job: CloneJobId) -> Option<&mut CloneJobState> {
        let key = self.keys.get(&job)?;
        self.jobs.get_mut(key)
    }
}

/// Why this call may not use the voice; `None` if it may.
fn objection(request: &VoiceRequest, mapping: &Mapping) -> Option<VoiceOutcome> {
    match (mapping.policy.unwrap_or(request.policy), request.proof) {
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
