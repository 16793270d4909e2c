//! The voice book: the actor that owns all voices of the engine. [`VoiceRules`] and [`SlotRules`] decide; it acts.

mod entitlement;
mod messages;
mod prefetch;
mod progress;
mod reconcile;
mod slots;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, ArbiterHandle, AsyncContext, Context, Handler, Message, Recipient, Supervised};
use precall_base::clock;
use precall_call::{At, CallId, CloneJobId, NoVoice, VoiceId};
use precall_store::{StoreError, voices};
use slog::{info, warn};

use crate::caller_key::CallerKey;
use crate::runtime::mailbox_age::AreYouThere;
use crate::voices::clone_job::{CloneJob, JobTask, JobWork, StopJob};
use crate::voices::reconcile_rules::{Approval, DatabaseOrigin};
use crate::voices::rules::VoiceRules;
use crate::voices::services::VoiceServices;
use crate::voices::slot_rules::{HeldVoice, SlotRules};
use crate::voices::terms::{
    CachedClone, CloneOrder, Failure, JobEnd, MappedCaller, VoiceOrder, VoiceOutcome,
};

pub(crate) use entitlement::{CheckEntitlements, RevokeVoices, VoiceRevoked};
pub(crate) use messages::{
    CancelRequest, FailedJob, ForgetVoice, JobEvent, LoadCache, LookUpCached, RequestVoice,
    ResolveUnfinished, VoiceAnswer,
};
pub use prefetch::ClonedAhead;
pub(crate) use prefetch::{CloneAhead, CloneFor, ForgetRefusal};
pub(crate) use progress::CloneMoved;
use progress::WaitingCall;
pub(crate) use reconcile::Reconcile;
pub use reconcile::{NotReconciled, Reconciled};
pub(crate) use slots::{LoadExisting, ReleaseVoice, RequestSlot, SlotDemand};

/// Expired voices are deleted four times per `CACHE_TTL`, within these limits.
const EXPIRY_INTERVAL_MIN: Duration = Duration::from_secs(1);
const EXPIRY_INTERVAL_MAX: Duration = Duration::from_secs(60);
/// Time limit for reading a mapping; after it the call gets the fallback voice.
const READ_WITHIN: Duration = Duration::from_secs(3);

/// Time limit for reading a sample's mark, within `READ_WITHIN`.
const MARK_WITHIN: Duration = Duration::from_millis(1_500);

#[derive(Debug, Message)]
#[rtype(result = "()")]
struct MappingRead {
    job: CloneJobId,
    known: Result<MappedCaller, String>,
    at: At,
}

/// Serves voices to calls, runs clone jobs and keeps the account's slots.
pub struct VoiceBook {
    rules: VoiceRules,
    services: Arc<VoiceServices>,
    waiting: HashMap<CallId, WaitingCall>,
    jobs: HashMap<CloneJobId, Addr<CloneJob>>,
    slots: SlotRules,
    ttl: Duration,
    /// Interval between two deletions of expired voices.
    expiry_interval: Duration,
    /// Receives the calls whose voice was revoked.
    revoked_voices: Recipient<VoiceRevoked>,
    /// A reconcile round is running.
    reconciling: bool,
    /// Whether voices that the database does not know may be deleted without approval.
    origin: DatabaseOrigin,
    /// The existing voices and the voices in use are loaded. Until then no voice is deleted.
    is_loaded: bool,
    arbiter: ArbiterHandle,
}

impl VoiceBook {
    /// An empty voice book; its clone jobs run on `arbiter`.
    #[must_use]
    pub(crate) fn new(
        services: Arc<VoiceServices>,
        revoked_voices: Recipient<VoiceRevoked>,
        arbiter: ArbiterHandle,
    ) -> Self {
        let limits = services.settings.limits();
        Self {
            rules: VoiceRules::new(limits),
            services,
            waiting: HashMap::new(),
            jobs: HashMap::new(),
            slots: SlotRules::default(),
            ttl: limits.ttl,
            expiry_interval: (limits.ttl / 4).clamp(EXPIRY_INTERVAL_MIN, EXPIRY_INTERVAL_MAX),
            revoked_voices,
            reconciling: false,
            origin: DatabaseOrigin::New,
            is_loaded: false,
            arbiter,
        }
    }

    fn perform(&mut self, orders: Vec<VoiceOrder>, ctx: &mut Context<Self>) {
        self.perform_with(orders, None, ctx);
    }

    /// `failed`: the job whose failure gave these orders.
    fn perform_with(&mut self, orders: Vec<VoiceOrder>, failed: Option<&FailedJob>, ctx: &mut Context<Self>) {
        for order in orders {
            match order {
                VoiceOrder::ReadMapping { key, job } => self.read_mapping(key, job, ctx),
                VoiceOrder::StartJob { job, key, order, call } => self.start_job(job, key, order, call, ctx),
                VoiceOrder::StopJob(job, key) => {
                    self.services.budgets.lock().clone_not_made(&key, clock::now());
                    if let Some(job) = self.jobs.get(&job) {
                        job.do_send(StopJob);
                    }
                }
                VoiceOrder::Answer(call, outcome) => {
                    if let Some(WaitingCall { reply, .. }) = self.waiting.remove(&call) {
                        // Before the call gets the answer, for it may use the voice at once.
                        if let VoiceOutcome::Ready { voice, .. } = &outcome {
                            self.slots.pin(call, voice, clock::now());
                        }
                        // Other calls may be refused at the same time, for a reason of their own.
                        let is_of = |failed: &&FailedJob| outcome == VoiceOutcome::Missing(failed.why);
                        let failed = failed.filter(is_of).cloned();
                        reply.do_send(VoiceAnswer { outcome, failed });
                    }
                }
                VoiceOrder::RequestAgain(request, key) => {
                    let orders = self.rules.request(request, key, clock::new_job());
                    self.perform(orders, ctx);
                }
            }
        }
    }

    /// A job ended: its clone keeps the reserved slot, or the slot is released.
    fn job_ended(&mut self, job: CloneJobId, end: JobEnd, words: Option<String>, ctx: &mut Context<Self>) {
        let now = clock::now();
        let failed = match &end {
            JobEnd::Failed(why, _) => {
                let words = words.unwrap_or_else(|| why.name().to_owned());
                Some(FailedJob { job, why: *why, words })
            }
            JobEnd::Cloned(_) | JobEnd::Unchanged { .. } => None,
        };
        if let Some(failed) = failed.as_ref().filter(|_| self.rules.key_of(job).is_some()) {
            warn!(self.services.log, "clone failed"; "job" => %job, "caller" => self.masked_caller(job),
                "calls" => self.waiting_calls(job), "reason" => failed.why.name(), "error" => &failed.words);
        }
        self.refund_budget(job, &end);
        if matches!(end, JobEnd::Cloned(_)) {
            self.services.capacity.voice_added();
        }
        let cloned = match (&end, self.rules.key_of(job)) {
            (JobEnd::Cloned(clone), Some(key)) => Some((clone.voice.clone(), key.clone())),
            (JobEnd::Cloned(_) | JobEnd::Unchanged { .. } | JobEnd::Failed(..), _) => None,
        };
        let was_open = self.rules.is_breaker_open();
        let orders = self.rules.job_ended(job, end, now);
        self.log_breaker_change(was_open);
        match cloned {
            Some((voice, key)) => {
                // A voice that was revoked meanwhile is not served and gets deleted.
                let is_served = self.rules.cached(&key, now) == Some(&voice);
                let expires = if is_served { now.plus(self.ttl) } else { At(0) };
                // Events 1 and 2 of the job's log are the intent and the outcome.
                self.slots.hold(voice, HeldVoice { job, next_seq: 3, key, last_used: now, expires });
            }
            None => self.slots.release(job),
        }
        self.perform_with(orders, failed.as_ref(), ctx);
    }

    /// The caller of a job, masked, for the log.
    fn masked_caller(&self, job: CloneJobId) -> String {
        self.rules.key_of(job).map(CallerKey::masked).unwrap_or_default()
    }

    /// The calls that wait for a job, for the log: the first few, and how many more.
    fn waiting_calls(&self, job: CloneJobId) -> String {
        const NAMED: usize = 5;
        let calls = self.rules.waiting_calls(job);
        let named: Vec<String> = calls.iter().take(NAMED).map(ToString::to_string).collect();
        match calls.len().saturating_sub(NAMED) {
            0 => named.join(" "),
            more => format!("{} and {more} more", named.join(" ")),
        }
    }

    fn log_breaker_change(&self, before: bool) {
        self.services.provider.set_breaker(self.rules.is_breaker_open());
        let log = &self.services.log;
        match (before, self.rules.is_breaker_open()) {
            (false, true) => {
                warn!(log, "repeated clone failures, calls get the fallback voice for a while");
            }
            (true, false) => info!(log, "cloning works again"),
            (true, true) | (false, false) => {}
        }
    }

    /// A job that uploaded nothing does not count against the budgets.
    fn refund_budget(&self, job: CloneJobId, end: &JobEnd) {
        let is_free = match end {
            JobEnd::Cloned(_) | JobEnd::Failed(NoVoice::Budget, _) => false,
            JobEnd::Failed(NoVoice::NoSlot, _) => true,
            JobEnd::Unchanged { .. } | JobEnd::Failed(..) => !self.rules.is_uploading(job),
        };
        if let (true, Some(key)) = (is_free, self.rules.key_of(job)) {
            self.services.budgets.lock().clone_not_made(key, clock::now());
        }
    }

    // A separate task: an actor polls its own futures with every message.
    fn read_mapping(&self, key: CallerKey, job: CloneJobId, ctx: &mut Context<Self>) {
        let (services, book) = (Arc::clone(&self.services), ctx.address());
        actix::spawn(async move {
            let at = clock::now();
            let known = match tokio::time::timeout(READ_WITHIN, read_caller(&services, &key)).await {
                Ok(Ok(known)) => Ok(known),
                Ok(Err(error)) => {
                    warn!(services.log, "could not read a mapping"; "job" => %job, "caller" => key.masked(),
                        "error" => %error);
                    Err(format!("could not read the caller's mapping: {error}"))
                }
                Err(_) => {
                    warn!(services.log, "reading a mapping timed out"; "job" => %job, "caller" => key.masked());
                    Err("the database did not answer in time which voice is the caller's".to_owned())
                }
            };
            book.do_send(MappingRead { job, known, at });
        });
    }

    fn start_job(
        &mut self,
        job: CloneJobId,
        key: CallerKey,
        order: CloneOrder,
        call: Option<CallId>,
        ctx: &mut Context<Self>,
    ) {
        let services = Arc::clone(&self.services);
        if !services.budgets.lock().may_clone(&key, clock::now()) {
            let spent = JobEnd::Failed(NoVoice::Budget, Failure::Transient);
            let words = "the budget for clones is used up".to_owned();
            return self.job_ended(job, spent, Some(words), ctx);
        }
        let task = JobTask { job, key, work: JobWork::Clone { order, call } };
        let book = ctx.address();
        let address = CloneJob::start_in_arbiter(&self.arbiter, move |_| CloneJob::new(task, services, book));
        self.jobs.insert(job, address);
    }
}

/// Reads a caller's mapping and the mark of the sample.
async fn read_caller(services: &VoiceServices, key: &CallerKey) -> Result<MappedCaller, StoreError> {
    let client = services.pool.get().await?;
    let mapping = voices::mapping(&client, &key.account, &key.caller, clock::wall()).await?;
    drop(client);
    let Some(known) = &mapping else { return Ok(MappedCaller { mapping, mark: None }) };
    // If the sample store does not answer, the cached voice is used.
    let read = services.settings.samples.mark(&known.sample);
    let mark = tokio::time::timeout(MARK_WITHIN, read).await.ok().and_then(Result::ok);
    Ok(MappedCaller { mapping, mark: mark.map(|mark| mark.as_str().to_owned()) })
}

impl Actor for VoiceBook {
    type Context = Context<Self>;

    // Also after a restart in place, which stops all timers.
    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(self.expiry_interval, |book, ctx| book.delete_expired(ctx));
        ctx.run_interval(slots::LIMITS_EVERY, |book, ctx| book.read_account_limits(ctx));
        let reconcile = |ctx: &mut Context<Self>| {
            ctx.notify(Reconcile { approval: Approval::NotAsked, reply: None });
        };
        ctx.run_later(reconcile::FIRST_AFTER, move |_, ctx| reconcile(ctx));
        ctx.run_interval(reconcile::EVERY, move |_, ctx| reconcile(ctx));
        ctx.run_interval(entitlement::CHECK_EVERY, |book, ctx| book.check_entitlements(ctx));
    }
}

impl Supervised for VoiceBook {}

impl Handler<AreYouThere> for VoiceBook {
    type Result = ();

    fn handle(&mut self, _: AreYouThere, _: &mut Context<Self>) {}
}

impl Handler<LoadCache> for VoiceBook {
    type Result = ();

    fn handle(&mut self, LoadCache(cached): LoadCache, _: &mut Context<Self>) {
        // Most recently used last, so that the cache drops it last.
        for found in cached.into_iter().rev() {
            let key = CallerKey { account: found.account, caller: found.caller };
            let clone = CachedClone {
                voice: found.voice,
                sample_sha256: found.sample_sha256,
                sample: None,
                mark: found.sample_mark,
            };
            self.rules.remember(key, clone, found.expires);
        }
    }
}

impl Handler<ResolveUnfinished> for VoiceBook {
    type Result = ();

    fn handle(&mut self, ResolveUnfinished(unfinished): ResolveUnfinished, ctx: &mut Context<Self>) {
        for clone in unfinished {
            let key = CallerKey { account: clone.account.clone(), caller: clone.caller.clone() };
            self.rules.recover(key.clone(), clone.job);
            let (services, book, job) = (Arc::clone(&self.services), ctx.address(), clone.job);
            let task = JobTask {
                job,
                key,
                work: JobWork::Resolve {
                    name: clone.name,
                    sample_sha256: clone.sample_sha256,
                    sample_bytes: clone.sample_bytes,
                },
            };
            let address =
                CloneJob::start_in_arbiter(&self.arbiter, move |_| CloneJob::new(task, services, book));
            self.jobs.insert(job, address);
        }
    }
}

impl Handler<RequestVoice> for VoiceBook {
    type Result = ();

    fn handle(&mut self, message: RequestVoice, ctx: &mut Context<Self>) {
        let call = message.request.call;
        let (reply, progress) = (message.reply, message.progress);
        self.waiting.insert(call, WaitingCall { reply, progress });
        if let Some(at_once) = self.services.clients.here().bulk.concurrency_limit() {
            self.rules.set_provider_limit(at_once);
        }
        let orders = self.rules.request(message.request, message.key, clock::new_job());
        self.perform(orders, ctx);
        self.tell_stage(call);
    }
}

impl Handler<CancelRequest> for VoiceBook {
    type Result = ();

    fn handle(&mut self, message: CancelRequest, ctx: &mut Context<Self>) {
        self.waiting.remove(&message.call);
        let orders = self.rules.cancel(message.call);
        self.perform(orders, ctx);
    }
}

impl Handler<MappingRead> for VoiceBook {
    type Result = ();

    fn handle(&mut self, mapped: MappingRead, ctx: &mut Context<Self>) {
        let (known, failed) = match mapped.known {
            Ok(known) => (Some(known), None),
            Err(words) => {
                let why = NoVoice::DatabaseUnreachable;
                (None, Some(FailedJob { job: mapped.job, why, words }))
            }
        };
        let orders = self.rules.mapping_read(mapped.job, known, mapped.at);
        self.perform_with(orders, failed.as_ref(), ctx);
        self.tell_stage_of(mapped.job);
    }
}

impl Handler<JobEvent> for VoiceBook {
    type Result = ();

    fn handle(&mut self, event: JobEvent, ctx: &mut Context<Self>) {
        match event {
            JobEvent::Uploading(job) => {
                self.rules.upload_started(job);
                self.tell_stage_of(job);
            }
            JobEvent::Late(job) => {
                warn!(self.services.log, "a clone takes too long, its calls get the fallback voice";
                    "job" => %job, "caller" => self.masked_caller(job), "calls" => self.waiting_calls(job));
                let words = "the clone took longer than VOICE_CLONE_TIMEOUT".to_owned();
                let failed = FailedJob { job, why: NoVoice::CloneTimeout, words };
                let orders = self.rules.job_late(job);
                self.perform_with(orders, Some(&failed), ctx);
            }
            JobEvent::Ended(job, end, words) => self.job_ended(job, end, words, ctx),
            // A job that ended normally is unknown by now. After a panic its calls get no voice.
            JobEvent::Down(job) => {
                self.jobs.remove(&job);
                let words = Some("the clone job stopped without an outcome".to_owned());
                self.job_ended(job, JobEnd::Failed(NoVoice::CloneFailed, Failure::Transient), words, ctx);
            }
        }
    }
}

impl Handler<LookUpCached> for VoiceBook {
    type Result = Option<VoiceId>;

    fn handle(&mut self, LookUpCached(key): LookUpCached, _: &mut Context<Self>) -> Option<VoiceId> {
        self.rules.cached(&key, clock::now()).cloned()
    }
}

impl Handler<ForgetVoice> for VoiceBook {
    type Result = bool;

    fn handle(&mut self, ForgetVoice(key): ForgetVoice, _: &mut Context<Self>) -> bool {
        self.slots.expire_caller(&key);
        self.rules.forget(&key)
    }
}
