//! A clone job: reads the sample, records the intent, uploads once, waits for the answer and records the outcome.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use precall_base::backoff::Backoff;
use precall_base::clock;
use precall_call::{At, CallId, CloneJobId, NoVoice, VoiceId};
use precall_providers::elevenlabs::{AddVoice, Execution, ProviderErrorKind, VoiceSample, VoiceUse};
use precall_providers::trace_context::TracedPart;
use precall_providers::wire_record::tapped;
use precall_store::events::rows::{CacheRow, CloneLogRow, Entry, RowWrite, Stream, Time};
use precall_store::events::voice_event_json;
use precall_store::events::voice_event_json::VoiceEvent;
use serde_json::Value;
use slog::{info, warn};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::caller_key::CallerKey;
use crate::durability::persistence::{Append, Durable};
use crate::observe::outcomes::Area;
use crate::runtime::clients::Clients;
use crate::runtime::down_notice::DownNotice;
use crate::runtime::fault_injection::Point;
use crate::voices::clone_failure::{
    CloneFailure, RETRY_PAUSE, RETRY_PAUSE_MAX, clone_failure, no_consent, no_slot, pause_after,
};
use crate::voices::services::VoiceServices;
use crate::voices::terms::{CachedClone, CloneOrder, Failure, JobEnd};
use crate::voices::voice_book::{JobEvent, RequestSlot, SlotDemand, VoiceBook};

/// Time limit of an upload, also after its calls stopped waiting.
const UPLOAD_WITHIN: Duration = Duration::from_secs(120);
/// Time limit of one search by name, and the pauses before each: a new voice may not be listed at once.
const SEARCH_WITHIN: Duration = Duration::from_secs(5);
const SEARCH_PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(5)];
/// Maximum of uploads per job. Only uploads that were certainly not executed are repeated. With the pauses between
/// them they fill `VOICE_CLONE_TIMEOUT`, and no upload begins after it.
const ATTEMPTS_MAX: u32 = 6;
/// Maximum of voices deleted for one clone, if the provider keeps reporting a full account.
const EVICTIONS_MAX: u32 = 3;
/// Time limit for a slot, including the deletion it may need.
const SLOT_WITHIN: Duration = Duration::from_secs(35);

/// A clone job's task.
#[derive(Clone, Debug)]
pub(crate) struct JobTask {
    /// The job's id, which is part of the voice's name at the provider.
    pub job: CloneJobId,
    /// The caller.
    pub key: CallerKey,
    /// What the job does.
    pub work: JobWork,
}

/// What a job does.
#[derive(Clone, Debug)]
pub(crate) enum JobWork {
    /// Upload a sample.
    Clone {
        /// The sample and its consents.
        order: CloneOrder,
        /// The call that requested it first; `None` for a prefetch.
        call: Option<CallId>,
    },
    /// Find out whether an upload before a crash made a voice.
    Resolve {
        /// The voice's name at the provider.
        name: String,
        /// SHA-256 of the sample, hex.
        sample_sha256: String,
        /// The sample's size in bytes.
        sample_bytes: usize,
    },
}

/// Stops a job that no call waits for and that has uploaded nothing.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct StopJob;

/// The actor of one clone job.
pub(crate) struct CloneJob {
    task: JobTask,
    services: Arc<VoiceServices>,
    book: Addr<VoiceBook>,
    intent_durable: Option<oneshot::Sender<()>>,
    _notice: DownNotice<JobEvent>,
}

impl CloneJob {
    /// An actor for one task.
    #[must_use]
    pub(crate) fn new(task: JobTask, services: Arc<VoiceServices>, book: Addr<VoiceBook>) -> Self {
        let job = task.job;
        let notice = DownNotice::new(book.clone().recipient(), move |_| JobEvent::Down(job));
        Self { task, services, book, intent_durable: None, _notice: notice }
    }
}

impl Actor for CloneJob {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let (durable, intent) = oneshot::channel();
        self.intent_durable = Some(durable);
        let (task, services, book) = (self.task.clone(), Arc::clone(&self.services), self.book.clone());
        let (work, job) = (task.work.clone(), ctx.address());
        let log = |next| JobLog { task: task.clone(), services: Arc::clone(&services), job, next };
        match work {
            JobWork::Clone { order, call } => {
                if let Some(call) = call {
                    services.faults.pass(Point::JobStarts, call);
                }
                let run = JobRun { log: log(1), task, services, book };
                let cloned = run.make_clone(order, call, intent);
                ctx.spawn(cloned.into_actor(self).map(|(), _, ctx| ctx.stop()));
            }
            JobWork::Resolve { name, sample_sha256, sample_bytes } => {
                let run = JobRun { log: log(2), task, services, book };
                let found = run.resolve(name, sample_sha256, sample_bytes);
                ctx.spawn(found.into_actor(self).map(|(), _, ctx| ctx.stop()));
            }
        }
    }
}

impl Handler<Durable> for CloneJob {
    type Result = ();

    fn handle(&mut self, _: Durable, _: &mut Context<Self>) {
        if let Some(durable) = self.intent_durable.take() {
            let _ = durable.send(());
        }
    }
}

impl Handler<StopJob> for CloneJob {
    type Result = ();

    fn handle(&mut self, _: StopJob, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

/// A running job.
struct JobRun {
    task: JobTask,
    services: Arc<VoiceServices>,
    book: Addr<VoiceBook>,
    log: JobLog,
}

/// A voice at the provider.
struct MadeVoice {
    voice: VoiceId,
    found_by_name: bool,
}

/// The result of a search by name.
enum Search {
    /// The voice.
    Found(MadeVoice),
    /// The provider has no voice of that name.
    Absent,
    /// The provider did not say.
    Unanswered,
}

/// The sample that a voice was made from.
struct MadeFrom {
    /// Its reference; `None` if not known any more.
    sample: Option<String>,
    mark: Option<String>,
    sha256: String,
    bytes: usize,
}

impl JobRun {
    /// Resolves an upload whose outcome was lost in a crash: records the outcome, and uses the voice if there is one.
    async fn resolve(mut self, name: String, sample_sha256: String, sample_bytes: usize) {
        let began = clock::now();
        let clients = self.services.clients.here();
        match self.find_by_name(&clients, &name).await {
            Search::Found(made) => {
                let (sample, mark) = (None, None);
                let of = MadeFrom { sample, mark, sha256: sample_sha256, bytes: sample_bytes };
                self.succeeded(&made, of, began);
            }
            Search::Absent | Search::Unanswered => {
                let message = "the outcome was lost in a restart and the provider lists no such voice";
                self.failed(&CloneFailure::transient(message), sample_bytes, began);
            }
        }
    }

    async fn make_clone(mut self, order: CloneOrder, call: Option<CallId>, intent: oneshot::Receiver<()>) {
        let began = clock::now();
        let CloneOrder { sample: reference, mark, covered, existing } = order;
        let sample = match self.services.settings.samples.read(&reference).await {
            Ok(sample) => sample,
            Err(error) => {
                // A failing disk or store says nothing about the sample.
                let (why, failure) = if error.is_passing() {
                    (NoVoice::CloneFailed, Failure::Transient)
                } else {
                    (NoVoice::SampleRefused, Failure::Permanent)
                };
                return self.failed(&CloneFailure { why, failure, message: error.to_string() }, 0, began);
            }
        };
        let sha256 = hex::encode(sample.sha256);
        let consent = match &covered {
            None => None,
            Some(covered) => match covered.iter().find(|covered| covered.sample_sha256 == sha256) {
                Some(covered) => Some(covered.consent),
                None => return self.failed(&no_consent(), sample.content.len(), began),
            },
        };
        if existing.is_some_and(|(_, of)| of == sha256) {
            self.book.do_send(JobEvent::Ended(self.task.job, JobEnd::Unchanged { mark }, None));
            return;
        }
        let name = format!("precall-{}-{}", self.services.settings.installation, self.task.job);
        self.log.requested(&name, &reference, &sample, consent);
        if intent.await.is_err() {
            return;
        }
        self.pass(Point::JobBeforeUpload, call);
        self.book.do_send(JobEvent::Uploading(self.task.job));
        // The slot is the permission to upload: until then the book may still stop this job.
        let demand = if call.is_some() { SlotDemand::Normal } else { SlotDemand::CloneAhead };
        if !self.has_slot(demand).await {
            return self.failed(&no_slot(), sample.content.len(), clock::now());
        }
        let began = clock::now();
        let of = MadeFrom { sample: Some(reference), mark, sha256, bytes: sample.content.len() };
        let made = self.upload_with_timeout(&name, sample).await;
        self.pass(Point::JobAnswered, call);
        match made {
            Ok(made) => self.succeeded(&made, of, began),
            Err(failure) => self.failed(&failure, of.bytes, began),
        }
    }

    fn is_waited_for(&self) -> bool {
        self.first_call().is_some()
    }

    /// The call that requested the clone first; its outcome counts for health.
    fn first_call(&self) -> Option<CallId> {
        match &self.task.work {
            JobWork::Clone { call, .. } => *call,
            JobWork::Resolve { .. } => None,
        }
    }

    fn pass(&self, point: Point, call: Option<CallId>) {
        if let Some(call) = call {
            self.services.faults.pass(point, call);
        }
    }

    /// Uploads the sample. Waiting calls give up after `VOICE_CLONE_TIMEOUT`; the upload continues.
    async fn upload_with_timeout(&self, name: &str, sample: VoiceSample) -> Result<MadeVoice, CloneFailure> {
        let upload = async {
            match self.first_call() {
                Some(call) => tapped(self.services.wire.tap(call), self.upload(name, sample)).await,
                None => self.upload(name, sample).await,
            }
        };
        tokio::pin!(upload);
        tokio::select! {
            made = &mut upload => return made,
            () = tokio::time::sleep(self.services.settings.clone_timeout) => {}
        }
        self.book.do_send(JobEvent::Late(self.task.job));
        upload.await
    }

    async fn upload(&self, name: &str, sample: VoiceSample) -> Result<MadeVoice, CloneFailure> {
        let clients = self.services.clients.here();
        let part = TracedPart::CloneUpload(self.task.job);
        let trace = self.first_call().and_then(|call| self.services.traces.context(call, part));
        let order = AddVoice { name: name.to_owned(), description: None, sample, trace };
        let give_up_at = clock::now().plus(self.services.settings.clone_timeout);
        let (mut attempt, mut evicted) = (1, 0);
        let mut pauses = Backoff::new(RETRY_PAUSE, RETRY_PAUSE_MAX);
        loop {
            let Some(_under_way) = self.services.persistence_state.may_act().await else {
                return Err(CloneFailure::transient("another precall may be the leader"));
            };
            let answer = clients.bulk.add_voice(&order, UPLOAD_WITHIN).await;
            self.services.provider.note(&answer);
            let error = match answer {
                Ok(added) if added.usable == VoiceUse::Ready => {
                    return Ok(MadeVoice { voice: added.voice, found_by_name: false });
                }
                Ok(added) => return Err(self.needs_verification(&clients, &added.voice).await),
                Err(error) => error,
            };
            warn!(self.services.log, "clone attempt failed"; "job" => %self.task.job,
                "caller" => self.task.key.masked(), "attempt" => attempt, "error" => %error,
                "executed" => error.execution.name());
            let mut surely_not = error.execution == Execution::SurelyNot;
            if !surely_not {
                match self.find_by_name(&clients, name).await {
                    Search::Found(made) => return Ok(made),
                    // The provider ended the request and has no voice of that name. A request without an answer may
                    // still be running.
                    Search::Absent if error.kind == ProviderErrorKind::Server => surely_not = true,
                    Search::Absent | Search::Unanswered => return Err(clone_failure(&error)),
                }
            }
            if error.kind == ProviderErrorKind::SlotsFull && evicted < EVICTIONS_MAX && self.is_waited_for() {
                evicted = evicted.saturating_add(1);
                if self.has_slot(SlotDemand::AccountFull).await {
                    continue;
                }
                return Err(no_slot());
            }
            let pause = pause_after(&error, &mut pauses);
            let is_late = clock::now().plus(pause) >= give_up_at;
            if attempt >= ATTEMPTS_MAX || is_late || !(error.is_passing() && surely_not) {
                return Err(clone_failure(&error));
            }
            attempt = attempt.saturating_add(1);
            tokio::time::sleep(pause).await;
        }
    }

    /// Requests a slot. The voice book may delete an unused voice for it.
    async fn has_slot(&self, demand: SlotDemand) -> bool {
        let (reply, granted) = oneshot::channel();
        self.book.do_send(RequestSlot { job: self.task.job, demand, reply });
        tokio::time::timeout(SLOT_WITHIN, granted).await.is_ok_and(|answer| answer.unwrap_or(false))
    }

    /// The provider requires a verification of this voice: it must not be used, and is deleted to free its slot.
    async fn needs_verification(&self, clients: &Clients, voice: &VoiceId) -> CloneFailure {
        let deleted = clients.bulk.delete_voice(voice, SEARCH_WITHIN).await;
        let message = match deleted {
            Ok(_) => "the voice requires verification and was deleted".to_owned(),
            Err(error) => format!("the voice requires verification and could not be deleted: {error}"),
        };
        // The same sample would give the same result.
        CloneFailure { why: NoVoice::CloneFailed, failure: Failure::Permanent, message }
    }

    /// The answer was lost: searches the voice by its name.
    async fn find_by_name(&self, clients: &Clients, name: &str) -> Search {
        let mut search = Search::Unanswered;
        for pause in SEARCH_PAUSES {
            tokio::time::sleep(pause).await;
            let Ok(list) = clients.bulk.voices_named(name, SEARCH_WITHIN).await else { continue };
            if let Some(found) = list.voices.into_iter().find(|voice| voice.name == name) {
                return Search::Found(MadeVoice { voice: found.voice, found_by_name: true });
            }
            search = if list.complete { Search::Absent } else { Search::Unanswered };
        }
        search
    }

    fn succeeded(&mut self, made: &MadeVoice, of: MadeFrom, began: At) {
        let at = clock::now();
        let took_ms = millis(at.since(began));
        info!(self.services.log, "voice cloned"; "job" => %self.task.job, "took_ms" => took_ms,
            "found_by_name" => made.found_by_name);
        if self.first_call().is_none() {
            self.services.outcomes.succeeded(Area::Clone, None);
        }
        let event =
            VoiceEvent::CloneSucceeded { voice: &made.voice, took_ms, found_by_name: made.found_by_name };
        let cached = CacheRow {
            caller_id: self.task.key.caller.clone(),
            cloned_voice_id: made.voice.to_string(),
            clone_created_at: Time(at),
            ttl_expires_at: Time(at.plus(self.services.settings.cache_ttl)),
            account_id: self.task.key.account.clone(),
            sample_sha256: of.sha256.clone(),
            sample_mark: of.mark.clone(),
            job: Uuid::from_u128(self.task.job.0),
        };
        let logged = CloneLogRow {
            cloned_voice_id: Some(made.voice.to_string()),
            status: "success".into(),
            ..self.log_row(of.bytes, began, at)
        };
        let rows = vec![RowWrite::CloneLog(logged), RowWrite::CacheFilled(cached)];
        self.log.append(voice_event_json::encode(&event), None, rows, at);
        // After the rows were sent: events of a call that uses the voice must follow them.
        let voice = made.voice.clone();
        let clone = CachedClone { voice, sample_sha256: Some(of.sha256), sample: of.sample, mark: of.mark };
        self.book.do_send(JobEvent::Ended(self.task.job, JobEnd::Cloned(clone), None));
    }

    fn failed(&mut self, clone_failure: &CloneFailure, size: usize, began: At) {
        let at = clock::now();
        let CloneFailure { why, failure, message } = clone_failure;
        match self.first_call() {
            Some(call) => self.services.outcomes.clone_reason(call, message),
            None if *why == NoVoice::NoConsent => {}
            None => self.services.outcomes.failed(Area::Clone, None, message),
        }
        let event = VoiceEvent::CloneFailed { reason: why.name(), message };
        let logged = CloneLogRow {
            status: "failed".into(),
            error_message: Some(message.clone()),
            reason: Some(why.name().into()),
            ..self.log_row(size, began, at)
        };
        self.log.append(voice_event_json::encode(&event), None, vec![RowWrite::CloneLog(logged)], at);
        let (end, words) = (JobEnd::Failed(*why, *failure), Some(message.clone()));
        self.book.do_send(JobEvent::Ended(self.task.job, end, words));
    }

    fn log_row(&self, size: usize, began: At, at: At) -> CloneLogRow {
        CloneLogRow {
            caller_id: self.task.key.caller.clone(),
            cloned_voice_id: None,
            clone_created_at: Time(at),
            api_response_time_ms: millis(at.since(began)),
            sample_file_size_bytes: i32::try_from(size).unwrap_or(i32::MAX),
            status: "failed".into(),
            error_message: None,
            account_id: self.task.key.account.clone(),
            job: Uuid::from_u128(self.task.job.0),
            reason: None,
        }
    }
}

/// Writes the job's event log.
struct JobLog {
    task: JobTask,
    services: Arc<VoiceServices>,
    job: Addr<CloneJob>,
    next: i64,
}

impl JobLog {
    fn requested(&mut self, name: &str, reference: &str, sample: &VoiceSample, consent: Option<i64>) {
        let sample_sha256 = &hex::encode(sample.sha256);
        let sample_bytes = sample.content.len();
        let event = VoiceEvent::CloneRequested { name, sample_sha256, sample_bytes, consent };
        let pii = serde_json::json!({
            "account_id": self.task.key.account, "caller_id": self.task.key.caller, "sample": reference });
        self.append(voice_event_json::encode(&event), Some(pii), Vec::new(), clock::now());
    }

    fn append(&mut self, event: Value, pii: Option<Value>, derived: Vec<RowWrite>, at: At) {
        let owner = Uuid::from_u128(self.task.job.0);
        let entry = Entry { stream: Stream::Voice, owner, seq: self.next, at, event, pii, derived };
        self.next = self.next.saturating_add(1);
        let reply = self.job.clone().recipient();
        self.services.persistence.do_send(Append { entries: vec![entry], webhooks: Vec::new(), reply });
    }
}

fn millis(span: Duration) -> i32 {
    i32::try_from(span.as_millis()).unwrap_or(i32::MAX)
}
