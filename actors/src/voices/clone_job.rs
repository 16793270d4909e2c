//! One clone: reads the sample, records the intent, uploads once, hears the answer out, records what came of it.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use precall_base::backoff::Backoff;
use precall_base::clock;
use precall_call::{At, CallId, CloneJobId, NoVoice, VoiceId};
use precall_providers::elevenlabs::{
    AddVoice, Execution, ProviderError, ProviderErrorKind, VoiceSample, VoiceUse,
};
use precall_store::events::rows::{CacheRow, CloneLogRow, Entry, RowWrite, Stream, Time};
use precall_store::events::voice_event_json;
use precall_store::events::voice_event_json::VoiceEvent;
use serde_json::Value;
use slog::{info, warn};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::caller_key::CallerKey;
use crate::durability::persistence::{Append, Durable};
use crate::runtime::clients::Clients;
use crate::runtime::down_notice::DownNotice;
use crate::runtime::fault_injection::Point;
use crate::voices::services::VoiceServices;
use crate::voices::terms::{CachedClone, CloneOrder, Failure, JobEnd};
use crate::voices::voice_book::{Fullness, JobTold, VoiceBook, WantSlot};

/// How long a job is heard out after its upload has begun, however long its calls were ready to wait.
const HEARD_OUT: Duration = Duration::from_secs(120);
/// One look-up by name, and the pauses before each: a voice that was just made may not be listed at once.
const LOOK_WITHIN: Duration = Duration::from_secs(5);
const LOOK_PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(5)];
/// Uploads that were surely not executed, all told.
const ATTEMPTS_MAX: u32 = 3;
/// Voices that are deleted for one clone, where the provider finds the account full again and again.
const EVICTIONS_MAX: u32 = 3;
/// A slot, with the deletion that it may take.
const SLOT_WITHIN: Duration = Duration::from_secs(35);
const RETRY_PAUSE: Duration = Duration::from_secs(1);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(10);

/// What is to be cloned.
#[derive(Clone, Debug)]
pub struct JobTask {
    /// Its id, and in the voice's name at the provider.
    pub job: CloneJobId,
    /// Whose voice.
    pub key: CallerKey,
    /// What is to be done.
    pub work: JobWork,
}

/// What a job is to do.
#[derive(Clone, Debug)]
pub enum JobWork {
    /// Upload a sample.
    Clone {
        /// Of what, and on whose word.
        order: CloneOrder,
        /// The call that asked first; none where a voice is cloned ahead.
        call: Option<CallId>,
    },
    /// A crash came between an upload and its outcome: is there a voice?
    FindOut {
        /// Its name at the provider.
        name: String,
        /// SHA-256 of the sample, hex.
        sample_sha256: String,
        /// The sample's size.
        sample_bytes: usize,
    },
}

/// Nobody waits any more and nothing was sent.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Drop;

/// See the file.
pub struct CloneJob {
    task: JobTask,
    services: Arc<VoiceServices>,
    book: Addr<VoiceBook>,
    intent_durable: Option<oneshot::Sender<()>>,
    _notice: DownNotice<JobTold>,
}

impl CloneJob {
    /// For one task.
    #[must_use]
    pub fn new(task: JobTask, services: Arc<VoiceServices>, book: Addr<VoiceBook>) -> Self {
        let job = task.job;
        let notice = DownNotice::new(book.clone().recipient(), move |_| JobTold::Down(job));
        Self { task, services, book, intent_durable: None, _notice: notice }
    }
}

impl Actor for CloneJob {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let (durable, heard) = oneshot::channel();
        self.intent_durable = Some(durable);
        let (task, services, book) = (self.task.clone(), Arc::clone(&self.services), self.book.clone());
        let (work, job) = (task.work.clone(), ctx.address());
        let log = |next| JobLog { task: task.clone(), services: Arc::clone(&services), job, next };
        match work {
            JobWork::Clone { order, call } => {
                if let Some(call) = call {
                    services.faults.pass(Point::JobStarts, call);
                }
                let run = Run { log: log(1), task, services, book };
                let cloned = run.carry_out(order, call, heard);
                ctx.spawn(cloned.into_actor(self).map(|(), _, ctx| ctx.stop()));
            }
            JobWork::FindOut { name, sample_sha256, sample_bytes } => {
                let run = Run { log: log(2), task, services, book };
                let found = run.find_out(name, sample_sha256, sample_bytes);
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

impl Handler<Drop> for CloneJob {
    type Result = ();

    fn handle(&mut self, _: Drop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

/// A job on its way.
struct Run {
    task: JobTask,
    services: Arc<VoiceServices>,
    book: Addr<VoiceBook>,
    log: JobLog,
}

/// A voice, or why not.
struct Made {
    voice: VoiceId,
    found_by_name: bool,
}

/// What a voice was made of.
struct MadeOf {
    /// Where it lies; none where that is not known any more.
    sample: Option<String>,
    mark: Option<String>,
    sha256: String,
    bytes: usize,
}

struct NotMade {
    why: NoVoice,
    failure: Failure,
    message: String,
}

impl Run {
    /// After a crash: what became of an upload is written down, and a voice that was made is used.
    async fn find_out(mut self, name: String, sample_sha256: String, sample_bytes: usize) {
        let began = clock::now();
        let clients = self.services.clients.here();
        match self.look_for(&clients, &name).await {
            Some(made) => {
                let (sample, mark) = (None, None);
                let of = MadeOf { sample, mark, sha256: sample_sha256, bytes: sample_bytes };
                self.succeeded(&made, of, began);
            }
            None => {
                let message = "the outcome was lost in a restart and no such voice is listed";
                self.failed(&NotMade::passing(message), sample_bytes, began);
            }
        }
    }

    async fn carry_out(mut self, order: CloneOrder, call: Option<CallId>, intent: oneshot::Receiver<()>) {
        let began = clock::now();
        let CloneOrder { sample: reference, mark, covered, existing } = order;
        let sample = match self.services.settings.samples.read(&reference).await {
            Ok(sample) => sample,
            Err(error) => {
                // A disk or a store in trouble says nothing of the sample.
                let (why, failure) = if error.is_passing() {
                    (NoVoice::CloneFailed, Failure::Passing)
                } else {
                    (NoVoice::SampleRefused, Failure::Lasting)
                };
                return self.failed(&NotMade { why, failure, message: error.to_string() }, 0, began);
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
            self.book.do_send(JobTold::Ended(self.task.job, JobEnd::Unchanged { mark }));
            return;
        }
        let name = format!("precall-{}-{}", self.services.settings.installation, self.task.job);
        self.log.requested(&name, &reference, &sample, consent);
        if intent.await.is_err() {
            return;
        }
        self.pass(Point::JobBeforeUpload, call);
        self.book.do_send(JobTold::Uploading(self.task.job));
        // The book's answer is the permission: until then it may still stop this job.
        let fullness = if call.is_some() { Fullness::AsKnown } else { Fullness::ForNobody };
        if !self.has_slot(fullness).await {
            return self.failed(&no_slot(), sample.content.len(), clock::now());
        }
        let began = clock::now();
        let of = MadeOf { sample: Some(reference), mark, sha256, bytes: sample.content.len() };
        let made = self.upload_within_patience(&name, sample).await;
        self.pass(Point::JobAnswered, call);
        match made {
            Ok(made) => self.succeeded(&made, of, began),
            Err(not_made) => self.failed(&not_made, of.bytes, began),
        }
    }

    fn is_waited_for(&self) -> bool {
        match &self.task.work {
            JobWork::Clone { call, .. } => call.is_some(),
            JobWork::FindOut { .. } => false,
        }
    }

    fn pass(&self, point: Point, call: Option<CallId>) {
        if let Some(call) = call {
            self.services.faults.pass(point, call);
        }
    }

    /// The calls that wait are released after `VOICE_CLONE_TIMEOUT`; the answer is heard out all the same.
    async fn upload_within_patience(&self, name: &str, sample: VoiceSample) -> Result<Made, NotMade> {
        let upload = self.upload(name, sample);
        tokio::pin!(upload);
        tokio::select! {
            made = &mut upload => return made,
            () = tokio::time::sleep(self.services.settings.clone_timeout) => {}
        }
        self.book.do_send(JobTold::Late(self.task.job));
        upload.await
    }

    async fn upload(&self, name: &str, sample: VoiceSample) -> Result<Made, NotMade> {
        let clients = self.services.clients.here();
        let order = AddVoice { name: name.to_owned(), description: None, sample };
        let (mut attempt, mut evicted) = (1, 0);
        let mut pauses = Backoff::new(RETRY_PAUSE, RETRY_PAUSE_MAX);
        loop {
            if !self.services.persistence_state.leadership().may_act().await {
                return Err(NotMade::passing("another precall may have taken over"));
            }
            let answer = clients.bulk.add_voice(&order, HEARD_OUT).await;
            self.services.provider.note(&answer);
            let error = match answer {
                Ok(added) if added.usable == VoiceUse::Ready => {
                    return Ok(Made { voice: added.voice, found_by_name: false });
                }
                Ok(added) => return Err(self.needs_verification(&clients, &added.voice).await),
                Err(error) => error,
            };
            warn!(self.services.log, "a clone was not made"; "job" => %self.task.job, "attempt" => attempt,
                "error" => %error, "executed" => ?error.execution);
            if error.execution == Execution::Maybe {
                return self.look_for(&clients, name).await.ok_or_else(|| not_made(&error));
            }
            if error.kind == ProviderErrorKind::SlotsFull && evicted < EVICTIONS_MAX && self.is_waited_for() {
                evicted = evicted.saturating_add(1);
                if self.has_slot(Fullness::Full).await {
                    continue;
                }
                return Err(no_slot());
            }
            if attempt >= ATTEMPTS_MAX || !(error.is_passing() && error.may_be_sent_again()) {
                return Err(not_made(&error));
            }
            attempt = attempt.saturating_add(1);
            tokio::time::sleep(pause_after(&error, &mut pauses)).await;
        }
    }

    /// Whether there is a slot for one more voice, now that one that nobody uses may have been deleted for it.
    async fn has_slot(&self, fullness: Fullness) -> bool {
        let (reply, heard) = oneshot::channel();
        self.book.do_send(WantSlot { job: self.task.job, fullness, reply });
        tokio::time::timeout(SLOT_WITHIN, heard).await.is_ok_and(|answer| answer.unwrap_or(false))
    }

    /// The provider's guard found a protected voice: it must not be used, and it must not hold a slot.
    async fn needs_verification(&self, clients: &Clients, voice: &VoiceId) -> NotMade {
        let deleted = clients.bulk.delete_voice(voice, LOOK_WITHIN).await;
        let message = match deleted {
            Ok(_) => "the voice requires verification and was deleted".to_owned(),
            Err(error) => format!("the voice requires verification and could not be deleted: {error}"),
        };
        // The same sample would only be found to resemble the same voice.
        NotMade { why: NoVoice::CloneFailed, failure: Failure::Lasting, message }
    }

    /// The answer was lost. Nothing is uploaded again: the voice is there under its name, or it is not.
    async fn look_for(&self, clients: &Clients, name: &str) -> Option<Made> {
        for pause in LOOK_PAUSES {
            tokio::time::sleep(pause).await;
            let Ok(list) = clients.bulk.voices_named(name, LOOK_WITHIN).await else { continue };
            if let Some(found) = list.voices.into_iter().find(|voice| voice.name == name) {
                return Some(Made { voice: found.voice, found_by_name: true });
            }
        }
        None
    }

    fn succeeded(&mut self, made: &Made, of: MadeOf, began: At) {
        let at = clock::now();
        let took_ms = millis(at.since(began));
        info!(self.services.log, "voice cloned"; "job" => %self.task.job, "took_ms" => took_ms,
            "found_by_name" => made.found_by_name);
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
        // After the rows are on their way: a call that uses the voice is written after them.
        let voice = made.voice.clone();
        let clone = CachedClone { voice, sample_sha256: Some(of.sha256), sample: of.sample, mark: of.mark };
        self.book.do_send(JobTold::Ended(self.task.job, JobEnd::Cloned(clone)));
    }

    fn failed(&mut self, not_made: &NotMade, size: usize, began: At) {
        let at = clock::now();
        let NotMade { why, failure, message } = not_made;
        warn!(self.services.log, "voice not cloned"; "job" => %self.task.job, "reason" => why.name(),
            "error" => message);
        let event = VoiceEvent::CloneFailed { reason: why.name(), message };
        let logged = CloneLogRow {
            status: "failed".into(),
            error_message: Some(message.clone()),
            reason: Some(why.name().into()),
            ..self.log_row(size, began, at)
        };
        self.log.append(voice_event_json::encode(&event), None, vec![RowWrite::CloneLog(logged)], at);
        self.book.do_send(JobTold::Ended(self.task.job, JobEnd::Failed(*why, *failure)));
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

/// Appends to the job's own log.
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
        self.services.persistence.do_send(Append { entries: vec![entry], reply });
    }
}

impl NotMade {
    fn passing(message: &str) -> Self {
        let (why, failure) = (NoVoice::CloneFailed, Failure::Passing);
        Self { why, failure, message: message.to_owned() }
    }
}

fn no_slot() -> NotMade {
    let message = "every voice of ours in the account is in use, or the plan allows no more of them";
    NotMade { why: NoVoice::NoSlot, ..NotMade::passing(message) }
}

fn no_consent() -> NotMade {
    let message = "no consent of the speaker covers this sample: it was replaced, or never agreed to";
    NotMade { why: NoVoice::NoConsent, ..NotMade::passing(message) }
}

/// As long as the provider asks for. One that is busy is left alone for longer each time; where only our own requests are in the way, one of
/// them ends soon.
fn pause_after(error: &ProviderError, pauses: &mut Backoff) -> Duration {
    let of_ours = error.kind == ProviderErrorKind::ConcurrencyLimited;
    let own = if of_ours { RETRY_PAUSE } else { pauses.wait() };
    error.retry_after.unwrap_or(own).min(RETRY_PAUSE_MAX)
}

fn not_made(error: &ProviderError) -> NotMade {
    let (why, failure) = match error.kind {
        ProviderErrorKind::SlotsFull => (NoVoice::NoSlot, Failure::Passing),
        ProviderErrorKind::SampleRefused => (NoVoice::SampleRefused, Failure::Lasting),
        ProviderErrorKind::Timeout => (NoVoice::CloneTimeout, Failure::OfProvider),
        // Somebody has to change the key, the plan or the form first.
        ProviderErrorKind::Unauthorised
        | ProviderErrorKind::Forbidden
        | ProviderErrorKind::Payment
        | ProviderErrorKind::NotFound
        | ProviderErrorKind::Invalid
        | ProviderErrorKind::Declined => (NoVoice::CloneFailed, Failure::Lasting),
        ProviderErrorKind::Conflict | ProviderErrorKind::ConcurrencyLimited => {
            (NoVoice::CloneFailed, Failure::Passing)
        }
        ProviderErrorKind::RateLimited
        | ProviderErrorKind::Server
        | ProviderErrorKind::Redirected
        | ProviderErrorKind::Unreachable
        | ProviderErrorKind::Lost
        | ProviderErrorKind::Garbled => (NoVoice::CloneFailed, Failure::OfProvider),
    };
    NotMade { why, failure, message: error.to_string() }
}

fn millis(span: Duration) -> i32 {
    i32::try_from(span.as_millis()).unwrap_or(i32::MAX)
}
