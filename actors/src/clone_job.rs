//! One clone: reads the sample, records the intent, uploads once, hears the answer out, records what came of it.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use precall_call::{At, CallId, JobId, NoVoice, VoiceId};
use serde_json::Value;
use slog::{info, warn};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::clock;
use crate::death_notice::DeathNotice;
use crate::faults::Point;
use crate::persistence::{Append, Durable};
use crate::providers::elevenlabs::{AddVoice, Execution, ProviderError, ProviderErrorKind, VoiceUse};
use crate::samples::VoiceSample;
use crate::shared::{Clients, Shared, clients};
use crate::store::rows::{CacheRow, CloneLogRow, Derived, Entry, Stream, Time};
use crate::store::voice_event_json::{self, VoiceEvent};
use crate::voice_book::{Fullness, JobEnd, JobTold, VoiceBook, VoiceKey, WantSlot};

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
    pub job: JobId,
    /// Whose voice.
    pub key: VoiceKey,
    /// What is to be done.
    pub work: JobWork,
}

/// What a job is to do.
#[derive(Clone, Debug)]
pub enum JobWork {
    /// Upload a sample.
    Clone {
        /// `voice_sample_url`.
        sample: String,
        /// The call that asked first.
        call: CallId,
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
    shared: Arc<Shared>,
    book: Addr<VoiceBook>,
    intent_durable: Option<oneshot::Sender<()>>,
    _notice: DeathNotice<VoiceBook, JobTold>,
}

impl CloneJob {
    /// For one task.
    #[must_use]
    pub fn new(task: JobTask, shared: Arc<Shared>, book: Addr<VoiceBook>) -> Self {
        let job = task.job;
        let notice = DeathNotice::new(book.clone(), move |_| JobTold::Down(job));
        Self { task, shared, book, intent_durable: None, _notice: notice }
    }
}

impl Actor for CloneJob {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let (durable, heard) = oneshot::channel();
        self.intent_durable = Some(durable);
        let (task, shared, book) = (self.task.clone(), Arc::clone(&self.shared), self.book.clone());
        let (work, job) = (task.work.clone(), ctx.address());
        let log = |next| JobLog { task: task.clone(), shared: Arc::clone(&shared), job, next };
        match work {
            JobWork::Clone { sample, call } => {
                shared.faults.pass(Point::JobStarts, call);
                let run = Run { log: log(1), task, shared, book };
                let cloned = run.carry_out(sample, call, heard);
                ctx.spawn(cloned.into_actor(self).map(|(), _, ctx| ctx.stop()));
            }
            JobWork::FindOut { name, sample_sha256, sample_bytes } => {
                let run = Run { log: log(2), task, shared, book };
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
    shared: Arc<Shared>,
    book: Addr<VoiceBook>,
    log: JobLog,
}

/// A voice, or why not.
struct Made {
    voice: VoiceId,
    found_by_name: bool,
}

struct NotMade {
    why: NoVoice,
    message: String,
}

impl Run {
    /// After a crash: what became of an upload is written down, and a voice that was made is used.
    async fn find_out(mut self, name: String, sample_sha256: String, sample_bytes: usize) {
        let began = clock::now();
        let Some(clients) = clients() else { return };
        match self.look_for(&clients, &name).await {
            Some(made) => self.succeeded(&made, sample_bytes, &sample_sha256, began),
            None => {
                let message = "the outcome was lost in a restart and no such voice is listed".to_owned();
                self.failed(&NotMade { why: NoVoice::CloneFailed, message }, sample_bytes, began);
            }
        }
    }

    async fn carry_out(mut self, sample: String, call: CallId, intent: oneshot::Receiver<()>) {
        let began = clock::now();
        let reference = sample;
        let sample = match self.shared.settings.samples.read(&reference).await {
            Ok(sample) => sample,
            Err(error) => {
                // A disk or a store in trouble says nothing of the sample.
                let why = if error.is_passing() { NoVoice::CloneFailed } else { NoVoice::SampleRefused };
                return self.failed(&NotMade { why, message: error.to_string() }, 0, began);
            }
        };
        let name = format!("precall-{}-{}", self.shared.settings.installation, self.task.job);
        self.log.requested(&name, &reference, &sample);
        if intent.await.is_err() {
            return;
        }
        self.shared.faults.pass(Point::JobBeforeUpload, call);
        self.book.do_send(JobTold::Uploading(self.task.job));
        if !self.has_slot(Fullness::AsKnown).await {
            return self.failed(&no_slot(), sample.content.len(), clock::now());
        }
        let began = clock::now();
        let size = sample.content.len();
        let sha256 = hex::encode(sample.sha256);
        let made = self.upload_within_patience(&name, sample).await;
        self.shared.faults.pass(Point::JobAnswered, call);
        match made {
            Ok(made) => self.succeeded(&made, size, &sha256, began),
            Err(not_made) => self.failed(&not_made, size, began),
        }
    }

    /// The calls that wait are released after `VOICE_CLONE_TIMEOUT`; the answer is heard out all the same.
    async fn upload_within_patience(&self, name: &str, sample: VoiceSample) -> Result<Made, NotMade> {
        let upload = self.upload(name, sample);
        tokio::pin!(upload);
        tokio::select! {
            made = &mut upload => return made,
            () = tokio::time::sleep(self.shared.settings.clone_timeout) => {}
        }
        self.book.do_send(JobTold::Late(self.task.job));
        upload.await
    }

    async fn upload(&self, name: &str, sample: VoiceSample) -> Result<Made, NotMade> {
        let Some(clients) = clients() else {
            let message = "no client on this arbiter".to_owned();
            return Err(NotMade { why: NoVoice::CloneFailed, message });
        };
        let order = AddVoice { name: name.to_owned(), description: None, sample };
        let (mut attempt, mut evicted) = (1, 0);
        loop {
            if !self.shared.persistence_state.stand().may_act().await {
                let message = "another precall may have taken over".to_owned();
                return Err(NotMade { why: NoVoice::CloneFailed, message });
            }
            let answer = clients.bulk.add_voice(&order, HEARD_OUT).await;
            self.shared.provider.note(&answer);
            let error = match answer {
                Ok(added) if added.usable == VoiceUse::Ready => {
                    return Ok(Made { voice: added.voice, found_by_name: false });
                }
                Ok(added) => return Err(self.needs_verification(&clients, &added.voice).await),
                Err(error) => error,
            };
            warn!(self.shared.log, "a clone was not made"; "job" => %self.task.job, "attempt" => attempt,
                "error" => %error, "executed" => ?error.execution);
            if error.execution == Execution::Maybe {
                return self.look_for(&clients, name).await.ok_or_else(|| not_made(&error));
            }
            if error.kind == ProviderErrorKind::SlotsFull && evicted < EVICTIONS_MAX {
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
            let pause = error.retry_after.unwrap_or(RETRY_PAUSE).min(RETRY_PAUSE_MAX);
            tokio::time::sleep(pause).await;
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
        NotMade { why: NoVoice::CloneFailed, message }
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

    fn succeeded(&mut self, made: &Made, size: usize, sha256: &str, began: At) {
        let at = clock::now();
        let took_ms = millis(at.since(began));
        info!(self.shared.log, "voice cloned"; "job" => %self.task.job, "took_ms" => took_ms,
            "found_by_name" => made.found_by_name);
        let event =
            VoiceEvent::CloneSucceeded { voice: &made.voice, took_ms, found_by_name: made.found_by_name };
        let cached = CacheRow {
            caller_id: self.task.key.caller.clone(),
            cloned_voice_id: made.voice.to_string(),
            clone_created_at: Time(at),
            ttl_expires_at: Time(at.plus(self.shared.settings.cache_ttl)),
            account_id: self.task.key.account.clone(),
            sample_sha256: sha256.to_owned(),
            job: Uuid::from_u128(self.task.job.0),
        };
        let logged = CloneLogRow {
            cloned_voice_id: Some(made.voice.to_string()),
            status: "success".into(),
            ..self.log_row(size, began, at)
        };
        let rows = vec![Derived::CloneLog(logged), Derived::CacheFilled(cached)];
        self.log.append(voice_event_json::encode(&event), None, rows, at);
        // After the rows are on their way: a call that uses the voice is written after them.
        self.book.do_send(JobTold::Ended(self.task.job, JobEnd::Cloned(made.voice.clone())));
    }

    fn failed(&mut self, not_made: &NotMade, size: usize, began: At) {
        let at = clock::now();
        let NotMade { why, message } = not_made;
        warn!(self.shared.log, "voice not cloned"; "job" => %self.task.job, "reason" => why.name(),
            "error" => message);
        let event = VoiceEvent::CloneFailed { reason: why.name(), message };
        let logged = CloneLogRow {
            status: "failed".into(),
            error_message: Some(message.clone()),
            reason: Some(why.name().into()),
            ..self.log_row(size, began, at)
        };
        self.log.append(voice_event_json::encode(&event), None, vec![Derived::CloneLog(logged)], at);
        self.book.do_send(JobTold::Ended(self.task.job, JobEnd::Failed(*why)));
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
    shared: Arc<Shared>,
    job: Addr<CloneJob>,
    next: i64,
}

impl JobLog {
    fn requested(&mut self, name: &str, reference: &str, sample: &VoiceSample) {
        let sha256 = hex::encode(sample.sha256);
        let event =
            VoiceEvent::CloneRequested { name, sample_sha256: &sha256, sample_bytes: sample.content.len() };
        let pii = serde_json::json!({
            "account_id": self.task.key.account, "caller_id": self.task.key.caller, "sample": reference });
        self.append(voice_event_json::encode(&event), Some(pii), Vec::new(), clock::now());
    }

    fn append(&mut self, event: Value, pii: Option<Value>, derived: Vec<Derived>, at: At) {
        let owner = Uuid::from_u128(self.task.job.0);
        let entry = Entry { stream: Stream::Voice, owner, seq: self.next, at, event, pii, derived };
        self.next = self.next.saturating_add(1);
        let reply = self.job.clone().recipient();
        self.shared.persistence.do_send(Append { entries: vec![entry], reply });
    }
}

fn no_slot() -> NotMade {
    NotMade { why: NoVoice::NoSlot, message: "every voice of ours in the account is in use".to_owned() }
}

fn not_made(error: &ProviderError) -> NotMade {
    let why = match error.kind {
        ProviderErrorKind::SlotsFull => NoVoice::NoSlot,
        ProviderErrorKind::SampleRefused => NoVoice::SampleRefused,
        ProviderErrorKind::Timeout => NoVoice::CloneTimeout,
        ProviderErrorKind::Unauthorised
        | ProviderErrorKind::Forbidden
        | ProviderErrorKind::Payment
        | ProviderErrorKind::NotFound
        | ProviderErrorKind::Invalid
        | ProviderErrorKind::Conflict
        | ProviderErrorKind::Declined
        | ProviderErrorKind::ConcurrencyLimited
        | ProviderErrorKind::RateLimited
        | ProviderErrorKind::Server
        | ProviderErrorKind::Redirected
        | ProviderErrorKind::Unreachable
        | ProviderErrorKind::Lost
        | ProviderErrorKind::Garbled => NoVoice::CloneFailed,
    };
    NotMade { why, message: error.to_string() }
}

fn millis(span: Duration) -> i32 {
    i32::try_from(span.as_millis()).unwrap_or(i32::MAX)
}
