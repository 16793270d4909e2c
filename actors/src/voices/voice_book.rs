//! The voice book: one for the engine. A shell around [`Book`], which has the rules.

mod entitlement;
mod prefetch;
mod reconcile;
mod slots;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, ArbiterHandle, AsyncContext, Context, Handler, Message, Recipient, Supervised};
use precall_base::clock;
use precall_call::{At, CallId, CloneJobId, NoVoice, VoiceId};
use precall_store::voices::{CachedVoice, UnfinishedClone};
use precall_store::{StoreError, voices};
use slog::{info, warn};

use crate::caller_key::CallerKey;
use crate::voices::clone_job::{CloneJob, Drop as DropJob, JobTask, JobWork};
use crate::voices::reconcile_rules::{Approval, Trust};
use crate::voices::rules::Book;
use crate::voices::services::VoiceServices;
use crate::voices::slot_rules::{Held, SlotBook};
use crate::voices::terms::{Asker, CachedClone, CloneOrder, Failure, JobEnd, Known, Order, VoiceOutcome};

pub use entitlement::{LookAtEntitlements, Revoke, VoiceGone};
pub use prefetch::{CloneAhead, ClonedAhead};
pub use reconcile::{NotReconciled, Reconcile, Reconciled};
pub use slots::{Existing, Fullness, UsesNoMore, WantSlot};

/// Expired voices are looked for four times within `CACHE_TTL`, but not more or less often than this.
const SWEEP_LEAST: Duration = Duration::from_secs(1);
const SWEEP_MOST: Duration = Duration::from_secs(60);
/// Reading a mapping; then the fallback voice is better than waiting.
const READ_WITHIN: Duration = Duration::from_secs(3);

/// Looking at a sample, within that.
const MARK_WITHIN: Duration = Duration::from_millis(1_500);

/// A call wants its caller's voice.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Want {
    /// Which call, and what is known of who calls.
    pub asker: Asker,
    /// Whose voice.
    pub key: CallerKey,
    /// Hears the outcome, once.
    pub reply: Recipient<VoiceOutcome>,
}

/// A call does not wait any longer.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct WantsNoMore {
    /// Which call.
    pub call: CallId,
}

/// A job says how it is.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub enum JobTold {
    /// From now on the provider may have the sample.
    Uploading(CloneJobId),
    /// It takes too long for the calls that wait.
    Late(CloneJobId),
    /// It is over.
    Ended(CloneJobId, JobEnd),
    /// Its actor is gone; it may have panicked.
    Down(CloneJobId),
}

/// The voice that is cached for a caller.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Option<VoiceId>")]
pub struct Peek(pub CallerKey);

/// Takes a caller's clone out of the cache.
#[derive(Clone, Debug, Message)]
#[rtype(result = "bool")]
pub struct Forget(pub CallerKey);

/// What was cached before the start.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Warm(pub Vec<CachedVoice>);

/// Clones whose outcome a crash swallowed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct FindOut(pub Vec<UnfinishedClone>);

#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Mapped {
    job: CloneJobId,
    known: Option<Known>,
    at: At,
}

/// See the file.
pub struct VoiceBook {
    book: Book,
    services: Arc<VoiceServices>,
    waiting: HashMap<CallId, Recipient<VoiceOutcome>>,
    jobs: HashMap<CloneJobId, Addr<CloneJob>>,
    slots: SlotBook,
    ttl: Duration,
    /// Between two looks for voices that nobody is served with any more.
    sweep_every: Duration,
    /// Tells calls that their voice may not be heard any more.
    gone_voices: Recipient<VoiceGone>,
    /// Account and tables are being compared.
    reconciling: bool,
    /// Whether voices that this database does not know may be deleted unasked.
    trust: Trust,
    /// Which voices exist, and which calls speak with one. Before, none is deleted.
    knows_existing: bool,
    arbiter: ArbiterHandle,
}

impl VoiceBook {
    /// An empty book; its jobs live on `arbiter`.
    #[must_use]
    pub fn new(
        services: Arc<VoiceServices>,
        gone_voices: Recipient<VoiceGone>,
        arbiter: ArbiterHandle,
    ) -> Self {
        let limits = services.settings.limits();
        Self {
            book: Book::new(limits),
            services,
            waiting: HashMap::new(),
            jobs: HashMap::new(),
            slots: SlotBook::default(),
            ttl: limits.ttl,
            sweep_every: (limits.ttl / 4).clamp(SWEEP_LEAST, SWEEP_MOST),
            gone_voices,
            reconciling: false,
            trust: Trust::New,
            knows_existing: false,
            arbiter,
        }
    }

    fn perform(&mut self, orders: Vec<Order>, ctx: &mut Context<Self>) {
        for order in orders {
            match order {
                Order::ReadMapping { key, job } => self.read_mapping(key, job, ctx),
                Order::StartJob { job, key, order, call } => self.start_job(job, key, order, call, ctx),
                Order::StopJob(job, key) => {
                    self.services.budgets.lock().clone_not_made(&key, clock::now());
                    if let Some(job) = self.jobs.get(&job) {
                        job.do_send(DropJob);
                    }
                }
                Order::Tell(call, outcome) => {
                    if let Some(reply) = self.waiting.remove(&call) {
                        // Before the call hears of it: from now on it may speak with it.
                        if let VoiceOutcome::Ready { voice, .. } = &outcome {
                            self.slots.pin(call, voice, clock::now());
                        }
                        reply.do_send(outcome);
                    }
                }
                Order::AskAgain(asker, key) => {
                    let orders = self.book.want(asker, key, clock::new_job());
                    self.perform(orders, ctx);
                }
            }
        }
    }

    /// A job is over: a voice takes the slot that was asked for, and nothing gives it back.
    fn job_ended(&mut self, job: CloneJobId, end: JobEnd, ctx: &mut Context<Self>) {
        let now = clock::now();
        self.give_budget_back(job, &end);
        let cloned = match (&end, self.book.key_of(job)) {
            (JobEnd::Cloned(clone), Some(key)) => Some((clone.voice.clone(), key.clone())),
            (JobEnd::Cloned(_) | JobEnd::Unchanged { .. } | JobEnd::Failed(..), _) => None,
        };
        let was_left_alone = self.book.leaves_provider_alone();
        let orders = self.book.ended(job, end, now);
        self.say_if_left_alone(was_left_alone);
        match cloned {
            Some((voice, key)) => {
                // What was revoked meanwhile serves nobody, and goes.
                let is_served = self.book.peek(&key, now) == Some(&voice);
                let expires = if is_served { now.plus(self.ttl) } else { At(0) };
                // Its log has the intent and the outcome.
                self.slots.hold(voice, Held { job, next_seq: 3, key, last_used: now, expires });
            }
            None => self.slots.release(job),
        }
        self.perform(orders, ctx);
    }

    fn say_if_left_alone(&self, before: bool) {
        let log = &self.services.log;
        match (before, self.book.leaves_provider_alone()) {
            (false, true) => {
                warn!(log, "clones fail one after the other, calls have the fallback voice for a while");
            }
            (true, false) => info!(log, "clones are made again"),
            (true, true) | (false, false) => {}
        }
    }

    /// What was not uploaded costs nobody anything.
    fn give_budget_back(&self, job: CloneJobId, end: &JobEnd) {
        let cost_nothing = match end {
            JobEnd::Cloned(_) | JobEnd::Failed(NoVoice::Budget, _) => false,
            JobEnd::Failed(NoVoice::NoSlot, _) => true,
            JobEnd::Unchanged { .. } | JobEnd::Failed(..) => !self.book.is_uploading(job),
        };
        if let (true, Some(key)) = (cost_nothing, self.book.key_of(job)) {
            self.services.budgets.lock().clone_not_made(key, clock::now());
        }
    }

    /// A task of its own: futures inside a busy actor are polled with every message.
    fn read_mapping(&self, key: CallerKey, job: CloneJobId, ctx: &mut Context<Self>) {
        let (services, book) = (Arc::clone(&self.services), ctx.address());
        actix::spawn(async move {
            let at = clock::now();
            let known = match tokio::time::timeout(READ_WITHIN, read_known(&services, &key, at)).await {
                Ok(Ok(known)) => Some(known),
                Ok(Err(error)) => {
                    warn!(services.log, "a mapping could not be read"; "error" => %error);
                    None
                }
                Err(_) => {
                    warn!(services.log, "a mapping could not be read in time");
                    None
                }
            };
            book.do_send(Mapped { job, known, at });
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
            let spent = JobEnd::Failed(NoVoice::Budget, Failure::Passing);
            return self.job_ended(job, spent, ctx);
        }
        let task = JobTask { job, key, work: JobWork::Clone { order, call } };
        let book = ctx.address();
        let address = CloneJob::start_in_arbiter(&self.arbiter, move |_| CloneJob::new(task, services, book));
        self.jobs.insert(job, address);
    }
}

/// The mapping, and how the sample lies there.
async fn read_known(services: &VoiceServices, key: &CallerKey, at: At) -> Result<Known, StoreError> {
    let client = services.pool.get().await?;
    let mapping = voices::mapping(&client, &key.account, &key.caller, at).await?;
    drop(client);
    let Some(known) = &mapping else { return Ok(Known { mapping, mark: None }) };
    // A cached voice is worth more than certainty about its sample: where it cannot be looked at, nothing speaks against it.
    let look = services.settings.samples.mark(&known.sample);
    let mark = tokio::time::timeout(MARK_WITHIN, look).await.ok().and_then(Result::ok);
    Ok(Known { mapping, mark: mark.map(|mark| mark.as_str().to_owned()) })
}

impl Actor for VoiceBook {
    type Context = Context<Self>;

    // After a restart in place as well: the timers of the context before it are gone.
    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(self.sweep_every, |book, ctx| book.sweep(ctx));
        ctx.run_interval(slots::LOOK_EVERY, |book, ctx| book.look(ctx));
        let unasked = |ctx: &mut Context<Self>| {
            ctx.notify(Reconcile { approval: Approval::NotAsked, reply: None });
        };
        ctx.run_later(reconcile::FIRST_AFTER, move |_, ctx| unasked(ctx));
        ctx.run_interval(reconcile::EVERY, move |_, ctx| unasked(ctx));
        ctx.run_interval(entitlement::LOOK_EVERY, |book, ctx| book.look_at_entitlements(ctx));
    }
}

impl Supervised for VoiceBook {}

impl Handler<Warm> for VoiceBook {
    type Result = ();

    fn handle(&mut self, Warm(cached): Warm, _: &mut Context<Self>) {
        // Most recently used last, so that it is the last to be pushed out.
        for found in cached.into_iter().rev() {
            let key = CallerKey { account: found.account, caller: found.caller };
            let clone = CachedClone {
                voice: found.voice,
                sample_sha256: found.sample_sha256,
                sample: None,
                mark: found.sample_mark,
            };
            self.book.remember(key, clone, found.expires);
        }
    }
}

impl Handler<FindOut> for VoiceBook {
    type Result = ();

    fn handle(&mut self, FindOut(unfinished): FindOut, ctx: &mut Context<Self>) {
        for clone in unfinished {
            let key = CallerKey { account: clone.account.clone(), caller: clone.caller.clone() };
            self.book.recover(key.clone(), clone.job);
            let (services, book, job) = (Arc::clone(&self.services), ctx.address(), clone.job);
            let task = JobTask {
                job,
                key,
                work: JobWork::FindOut {
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

impl Handler<Want> for VoiceBook {
    type Result = ();

    fn handle(&mut self, want: Want, ctx: &mut Context<Self>) {
        self.waiting.insert(want.asker.call, want.reply);
        if let Some(at_once) = self.services.clients.here().bulk.concurrency_limit() {
            self.book.allow(at_once);
        }
        let orders = self.book.want(want.asker, want.key, clock::new_job());
        self.perform(orders, ctx);
    }
}

impl Handler<WantsNoMore> for VoiceBook {
    type Result = ();

    fn handle(&mut self, message: WantsNoMore, ctx: &mut Context<Self>) {
        self.waiting.remove(&message.call);
        let orders = self.book.wants_no_more(message.call);
        self.perform(orders, ctx);
    }
}

impl Handler<Mapped> for VoiceBook {
    type Result = ();

    fn handle(&mut self, mapped: Mapped, ctx: &mut Context<Self>) {
        let orders = self.book.mapped(mapped.job, mapped.known, mapped.at);
        self.perform(orders, ctx);
    }
}

impl Handler<JobTold> for VoiceBook {
    type Result = ();

    fn handle(&mut self, told: JobTold, ctx: &mut Context<Self>) {
        match told {
            JobTold::Uploading(job) => self.book.uploading(job),
            JobTold::Late(job) => {
                let orders = self.book.late(job);
                self.perform(orders, ctx);
            }
            JobTold::Ended(job, end) => self.job_ended(job, end, ctx),
            // A job that ended properly is not known any more; one that panicked costs its calls their voice.
            JobTold::Down(job) => {
                self.jobs.remove(&job);
                self.job_ended(job, JobEnd::Failed(NoVoice::CloneFailed, Failure::Passing), ctx);
            }
        }
    }
}

impl Handler<Peek> for VoiceBook {
    type Result = Option<VoiceId>;

    fn handle(&mut self, Peek(key): Peek, _: &mut Context<Self>) -> Option<VoiceId> {
        self.book.peek(&key, clock::now()).cloned()
    }
}

impl Handler<Forget> for VoiceBook {
    type Result = bool;

    fn handle(&mut self, Forget(key): Forget, _: &mut Context<Self>) -> bool {
        self.slots.not_wanted(&key);
        self.book.forget(&key)
    }
}
