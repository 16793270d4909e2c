//! The engine's handle for the edge. Cheap to clone, usable on any thread.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use arc_swap::ArcSwap;
use deadpool_postgres::Pool;
use precall_base::clock;
use precall_base::phone_number::{CallerNumber, Region};
use precall_call::{At, CallId, NoVoice, Operator};
use precall_providers::elevenlabs::ConversationReport;
use precall_providers::trace_context::{TraceId, TracedPart};
use precall_store::bypass::BypassRow;
use precall_store::canary::CanaryRun;
use precall_store::events::rows::{RowWrite, WebhookRow};
use precall_store::voices;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot, watch};

use super::reload::{ReloadAsked, ReloadableSettings};
use super::{InitiationAnswer, InitiationAsked};
use crate::admission::bypass_keeper::Keeper;
use crate::admission::call_supervisor::{
    Answer, CallSupervisor, EarlierCallBack, HandleIncomingCall, HandleOperatorOrder, HandlePbxNotice,
    HandleReport, IsOurAgent, LineIds,
};
use crate::admission::contract::{
    Busy, IncomingCall, NotBypassed, OperatorOrder, Ordered, PbxNotice, ReportOutcome, Taken,
};
use crate::api::recent_webhooks::RecentlyKept;
use crate::call::agent_settings::Override;
use crate::call::expected_transfers::AgentRequest;
use crate::call::services::CallServices;
use crate::caller_key::{CallerKey, DEFAULT_ACCOUNT};
use crate::canary::keeper::Canary;
use crate::canary::settings::CanarySettings;
use crate::canary::{CanaryView, NotRun};
use crate::durability::persistence::WriteRow;
use crate::erasure::erase_caller::{ErasureReport, NotErased};
use crate::erasure::services::ErasureServices;
use crate::limits::provider_capacity::{Capacity, Measure};
use crate::observe::alert_delivery::AlertDelivery;
use crate::observe::config_reload::ConfigReload;
use crate::observe::health::{CapacityHealth, Health, PbxHealth};
use crate::observe::host_watch::HostWatch;
use crate::observe::metrics::Metrics;
use crate::observe::problems;
use crate::observe::prompt_problems::PromptProblems;
use crate::observe::shared_outcomes::SharedOutcomes;
use crate::observe::start_refusal::StartRefusal;
use crate::observe::wire_log::WireLog;
use crate::pbx::pbx_feed::CONTESTED;
use crate::pbx::pbx_health::PbxState;
use crate::runtime::heartbeat::Heartbeats;
use crate::runtime::mailbox_age::MailboxAges;
use crate::runtime::restart_in_place::restarts;
use crate::voices::reconcile_rules::Approval;
use crate::voices::voice_book::{
    CheckEntitlements, CloneAhead, CloneFor, ClonedAhead, ForgetVoice, NotReconciled, Reconcile, Reconciled,
    RevokeVoices,
};

/// Time limit of an answer, including the queue. The supervisor's own limit is shorter.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// After this time without a successful request to 3CX health shows the error, although the socket is open.
const REQUESTS_FAIL_FOR: Duration = Duration::from_secs(60);

/// Time limit of a reconcile round: a list and some deletions.
const RECONCILED_WITHIN: Duration = Duration::from_secs(60);

/// The engine's interface for the edge.
#[derive(Clone)]
pub struct EngineHandle {
    pub(crate) services: Arc<CallServices>,
    pub(crate) erasure: Arc<ErasureServices>,
    pub(crate) capacity: Arc<Capacity>,
    pub(crate) prompt_problems: Arc<PromptProblems>,
    pub(crate) refusal: Arc<StartRefusal>,
    pub(crate) supervisor: Addr<CallSupervisor>,
    pub(crate) heartbeats: Heartbeats,
    pub(crate) mailboxes: MailboxAges,
    pub(crate) host: Arc<HostWatch>,
    pub(crate) alerts: Arc<AlertDelivery>,
    pub(crate) draining: Arc<std::sync::atomic::AtomicBool>,
    pub(crate) region: Region,
    /// The settings of the last reload, or of the start.
    pub(crate) reloadable: Arc<ArcSwap<ReloadableSettings>>,
    pub(crate) config_reload: Arc<ConfigReload>,
    pub(crate) recently_kept: Arc<RecentlyKept>,
    pub(crate) bypass_keeper: Arc<Keeper>,
    pub(crate) canary: Arc<Canary>,
    /// Asks for the lines to be read again.
    pub(crate) reloads: mpsc::Sender<ReloadAsked>,
}

impl EngineHandle {
    /// Takes an incoming call. Answers once its event is durable; a client that disconnects changes nothing.
    ///
    /// # Errors
    /// Why nothing was taken.
    pub async fn incoming(&self, call: IncomingCall) -> Result<Taken, Busy> {
        let earlier = EarlierCallBack::NotAsked;
        self.ask(|answer| self.supervisor.do_send(HandleIncomingCall { call, earlier, answer })).await
    }

    /// Takes a `CallEnded` or `CallStateChanged` of the PBX.
    ///
    /// # Errors
    /// Why nothing was taken.
    pub async fn notice(&self, notice: PbxNotice) -> Result<Taken, Busy> {
        self.ask(|answer| self.supervisor.do_send(HandlePbxNotice { notice, answer })).await
    }

    /// Takes a post-call report. `raw` is kept if no call of its conversation is known.
    ///
    /// # Errors
    /// Why nothing was taken.
    pub async fn report(
        &self,
        report: ConversationReport,
        raw: Box<RawValue>,
    ) -> Result<ReportOutcome, Busy> {
        let report = Box::new(report);
        self.ask(|answer| self.supervisor.do_send(HandleReport { report, raw, answer })).await
    }

    /// Whether a line uses this agent.
    ///
    /// # Errors
    /// If the engine does not answer in time.
    pub async fn is_our_agent(&self, agent_id: String) -> Result<bool, Busy> {
        let asked = self.supervisor.send(IsOurAgent(agent_id));
        tokio::time::timeout(ANSWER_WITHIN, asked).await.ok().and_then(Result::ok).ok_or(Busy::TooSlow)
    }

    /// Reads the lines again and prepares their prompts. Returns once new calls use them: after seconds, where a prompt
    /// must be spoken first.
    pub async fn reload_lines(&self) {
        self.ask_reload(None).await;
    }

    /// Uses other settings for new calls, and prepares their prompts before. Returns once new calls use them: after
    /// seconds, where a prompt must be spoken first.
    pub async fn reload(&self, settings: ReloadableSettings) {
        self.ask_reload(Some(Arc::new(settings))).await;
    }

    async fn ask_reload(&self, settings: Option<Arc<ReloadableSettings>>) {
        let (done, reloaded) = oneshot::channel();
        if self.reloads.send(ReloadAsked { settings, done }).await.is_ok() {
            let _ = reloaded.await;
        }
    }

    /// Whether the last reload of the configuration was taken.
    #[must_use]
    pub fn config_reload(&self) -> Arc<ConfigReload> {
        Arc::clone(&self.config_reload)
    }

    /// Prompts that differ from the configuration.
    #[must_use]
    pub fn prompt_problems(&self) -> Vec<String> {
        self.prompt_problems.all().into_iter().map(|(_, words)| words).collect()
    }

    /// What went over the wire for each call.
    #[must_use]
    pub fn wire(&self) -> Arc<WireLog> {
        Arc::clone(&self.services.wire)
    }

    /// Stores a webhook unchanged, once.
    ///
    /// # Errors
    /// If it cannot be stored now.
    pub async fn keep_webhook(&self, webhook: WebhookRow) -> Result<(), Busy> {
        let Some(key) = self.recently_kept.key_if_new(&webhook) else { return Ok(()) };
        if !self.services.persistence_state.can_keep() {
            return Err(Busy::CannotKeep);
        }
        let (done, kept) = oneshot::channel();
        let row = RowWrite::WebhookKept(Box::new(webhook));
        self.services.persistence.do_send(WriteRow { row, done });
        let kept = tokio::time::timeout(ANSWER_WITHIN, kept).await;
        kept.ok().and_then(Result::ok).ok_or(Busy::TooSlow)?;
        self.recently_kept.kept(key);
        Ok(())
    }

    /// What an inbound agent conversation is told, from memory.
    #[must_use]
    pub fn initiation(&self, asked: &InitiationAsked) -> InitiationAnswer {
        let settings = &self.services.agent_settings;
        let terms = settings.known(&asked.agent_id);
        let may_set_voice = settings.may_send(&asked.agent_id, &terms, Override::Voice);
        let request = AgentRequest {
            agent_id: asked.agent_id.clone(),
            called: asked.called.clone(),
            caller: CallerNumber::parse(&asked.caller, self.region),
            call_sid: asked.call_sid.clone(),
        };
        let found = self.services.transfers.answer(&request, clock::now());
        let continues = found.as_ref().is_some_and(|found| found.continues);
        let trace = found.as_ref().and_then(|found| {
            self.services.traces.context(found.call, TracedPart::Conversation(found.attempt))
        });
        InitiationAnswer {
            call: found.as_ref().map(|found| found.call),
            trace,
            voice: found.as_ref().and_then(|found| found.voice.clone()),
            may_set_voice,
            without_greeting: continues && settings.may_send(&asked.agent_id, &terms, Override::FirstMessage),
            earlier: found.and_then(|found| found.earlier),
        }
    }

    /// Sends an operator's order to a call.
    ///
    /// # Errors
    /// Why nothing was done.
    pub async fn order(&self, call: CallId, order: OperatorOrder, by: Operator) -> Result<Ordered, Busy> {
        self.ask(|answer| self.supervisor.do_send(HandleOperatorOrder { call, order, by, answer })).await
    }

    /// Sends the new calls of a line away, or takes them again, at once. `line` is empty for every line.
    ///
    /// # Errors
    /// The lines that there are, if this is none of them, or why it could not be kept.
    pub async fn set_bypass(&self, word: BypassRow) -> Result<BypassRow, NotBypassed> {
        let asked = tokio::time::timeout(ANSWER_WITHIN, self.supervisor.send(LineIds)).await;
        let lines = asked.ok().and_then(Result::ok).ok_or(NotBypassed::Busy(Busy::TooSlow))?;
        if !word.line.is_empty() && !lines.contains(&word.line) {
            return Err(NotBypassed::NoSuchLine(lines));
        }
        self.bypass_keeper.set(word).await.map_err(NotBypassed::Busy)
    }

    /// The bypasses in force.
    #[must_use]
    pub fn bypasses(&self) -> Vec<BypassRow> {
        self.services.bypass.in_force()
    }

    /// Makes a test call now, for this API key. Returns it when it has begun.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn run_canary(&self, who: String) -> Result<CanaryRun, NotRun> {
        self.canary.ask(who).await
    }

    /// What the canary does now.
    #[must_use]
    pub fn canary(&self) -> CanaryView {
        self.canary.view()
    }

    /// The settings of the canary.
    #[must_use]
    pub fn canary_settings(&self) -> &CanarySettings {
        self.canary.settings()
    }

    /// Removes a caller's clone from the cache. False if there was none.
    ///
    /// # Errors
    /// If the database did not store it.
    pub async fn forget_voice(&self, caller: &str) -> Result<bool, Busy> {
        let dropped = async {
            let client = self.services.pool.get().await.map_err(|_| Busy::CannotKeep)?;
            let rows = voices::drop_cached(&**client, DEFAULT_ACCOUNT, caller, clock::wall()).await;
            rows.map_err(|_| Busy::CannotKeep)
        };
        let rows = tokio::time::timeout(ANSWER_WITHIN, dropped).await.map_err(|_| Busy::TooSlow)??;
        let key = CallerKey::of_default_account(caller);
        let forgotten = self.services.voice_book.send(ForgetVoice(key)).await.unwrap_or(false);
        Ok(forgotten || rows > 0)
    }

    /// Revokes the voices of these callers after a withdrawn consent: empties the cache, stops clone jobs that have
    /// not uploaded, and switches bridge conversations to the fallback voice.
    pub fn revoke_voices(&self, callers: Vec<String>) {
        let keys = callers.iter().map(|caller| CallerKey::of_default_account(caller)).collect();
        self.services.voice_book.do_send(RevokeVoices { keys, why: NoVoice::NoConsent });
        // Their samples are deleted too.
        self.erasure.wake.notify_one();
    }

    /// Mappings or consents changed: check permissions now, not at the next interval.
    pub fn look_at_voices(&self) {
        self.services.voice_book.do_send(CheckEntitlements);
    }

    /// Reconciles the voices at the provider with the database.
    ///
    /// # Errors
    /// Why the round failed or did not start.
    pub async fn reconcile_voices(&self, approval: Approval) -> Result<Reconciled, NotReconciled> {
        let (reply, answer) = oneshot::channel();
        self.services.voice_book.do_send(Reconcile { approval, reply: Some(reply) });
        let answer = tokio::time::timeout(RECONCILED_WITHIN, answer).await;
        let late = || NotReconciled::Provider("it takes longer than 60 s, see the log".to_owned());
        answer.map_err(|_| late())?.map_err(|_| late())?
    }

    /// Clones voices of at most `most` frequent callers without one, in free slots only.
    ///
    /// # Errors
    /// Why it failed, as text for people.
    pub async fn clone_ahead(&self, most: usize) -> Result<ClonedAhead, String> {
        let (reply, answer) = oneshot::channel();
        self.services.voice_book.do_send(CloneAhead { most, reply });
        let answer = tokio::time::timeout(ANSWER_WITHIN, answer).await;
        answer.ok().and_then(Result::ok).unwrap_or_else(|| Err("it takes longer than 3 s".to_owned()))
    }

    /// Clones the voice of this caller for the next call, into a free slot. False if a clone is under way.
    ///
    /// # Errors
    /// Why it failed, as text for people.
    pub async fn clone_for(&self, caller: &str) -> Result<bool, String> {
        let (reply, answer) = oneshot::channel();
        let key = CallerKey::of_default_account(caller);
        self.services.voice_book.do_send(CloneFor { key, reply });
        let answer = tokio::time::timeout(ANSWER_WITHIN, answer).await;
        answer.ok().and_then(Result::ok).unwrap_or_else(|| Err("it takes longer than 3 s".to_owned()))
    }

    /// Erases a caller (E.164 or extension) permanently. `by` is the requester, for the audit log.
    ///
    /// # Errors
    /// Why nothing was erased.
    pub async fn erase_caller(&self, caller: &str, by: &str) -> Result<ErasureReport, NotErased> {
        self.erasure.erase_caller(caller, by).await
    }

    /// The id of the call's trace; none if the call is not traced.
    #[must_use]
    pub fn trace_id(&self, call: CallId) -> Option<TraceId> {
        self.services.traces.id(call)
    }

    /// Sends the traces of calls that are over, at the end of the process. Waits at most two seconds.
    pub async fn flush_traces(&self) {
        self.services.traces.flush().await;
    }

    /// The engine's health.
    #[must_use]
    pub fn health(&self) -> Health {
        let persistence = &self.services.persistence_state;
        let reached = persistence.reached();
        let now = clock::now();
        let threecx = self.services.pbx.as_ref().map(|pbx| pbx_health(&pbx.state, now));
        let prompt_problems = self.prompt_problems.all();
        let outcomes = self.services.outcomes.problems();
        let bypasses = self.bypasses();
        let bypassed = bypasses.len();
        let states = problems::States {
            troubles: persistence.troubles(),
            obstacle: persistence.dated_obstacle(),
            database: persistence.problems(),
            spool: persistence.spool().problems(),
            quarantined: persistence.quarantined(),
            host: self.host.problems(),
            alerts: self.alerts.problems(),
            config: self.config_reload.problem(),
            canary: self.canary.problem(),
            pbx: threecx.as_ref(),
            prompts: &prompt_problems,
            agents: self.services.agent_settings.problems(),
            bypasses,
        };
        let problems = problems::all(states, outcomes, now);
        Health {
            database: (reached || persistence.failing()).then(|| reached && !persistence.failing()),
            database_reached: reached,
            database_obstacle: persistence.obstacle(),
            elevenlabs: self.services.provider.answering(),
            spool: persistence.spool().health(),
            spooled_bytes: persistence.spool().bytes(),
            spool_max_bytes: persistence.spool().max(),
            spool_free_bytes: persistence.spool().free(),
            can_keep: persistence.can_keep_call(),
            queued_events: persistence.queued(),
            live_calls: self.services.board.count(),
            draining: self.draining.load(std::sync::atomic::Ordering::Relaxed),
            role: persistence.leadership().now(),
            acts: persistence.leadership().acts(),
            threecx,
            prompt_problems,
            problems,
            bypasses: bypassed,
            budgets: self.services.budgets.lock().used(now),
            capacity: self.capacity(),
            heartbeat_age: self.heartbeats.oldest(now),
            mailboxes: self.mailboxes.all(now),
            restarts: restarts(),
        }
    }

    fn capacity(&self) -> CapacityHealth {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let (account, seats) = (self.capacity.reading(), &self.services.agent_seats);
        let settings = self.reloadable.load();
        CapacityHealth {
            live_calls: Measure {
                used: Some(count(self.services.board.count())),
                limit: Some(count(settings.max_live_calls)),
            },
            agents: Measure { used: Some(count(seats.held())), limit: seats.max().map(count) },
            agent_limit: account.agent_limit,
            voice_slots: account.slots,
            voice_edits: account.edits,
            account_checked_at: account.account_checked_at,
            pbx_calls: settings.pbx_calls,
        }
    }

    /// Waits until the start must end, because it would leave live callers behind. Returns the reason.
    pub async fn start_refused(&self) -> String {
        self.refusal.refused().await
    }

    /// Waits until another process has taken over the database.
    pub async fn superseded(&self) {
        self.services.persistence_state.leadership().superseded().await;
    }

    /// How far events may be read: the last position, as it changes.
    #[must_use]
    pub fn positions(&self) -> watch::Receiver<i64> {
        self.services.persistence_state.positions().readable()
    }

    /// Database connections for the edge's own reads.
    #[must_use]
    pub fn pool(&self) -> Pool {
        self.services.pool.clone()
    }

    /// The metrics.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.services.metrics)
    }

    /// Whether messages about alerts go out.
    #[must_use]
    pub fn alerts(&self) -> Arc<AlertDelivery> {
        Arc::clone(&self.alerts)
    }

    /// The outcomes of the last minutes.
    #[must_use]
    pub fn outcomes(&self) -> Arc<SharedOutcomes> {
        Arc::clone(&self.services.outcomes)
    }

    async fn ask<T>(&self, send: impl FnOnce(Answer<T>)) -> Result<T, Busy> {
        let (answer, received) = oneshot::channel();
        send(answer);
        match tokio::time::timeout(ANSWER_WITHIN, received).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(Busy::TooSlow),
        }
    }
}

fn pbx_health(state: &PbxState, now: At) -> PbxHealth {
    let error = state.last_error();
    // An open socket without a sync is no connection. Without a sync and without an error it is still connecting.
    let is_well = state.is_open() && state.last_sync().is_some();
    let since = state.failing_since();
    if let Some(since) = state.contested_since(now) {
        return PbxHealth {
            open: Some(false),
            legs: state.legs(),
            trouble: Some((since, CONTESTED.to_owned())),
        };
    }
    // A socket may stay open while every request fails.
    let is_failing = !is_well || since.is_some_and(|since| now.since(since) >= REQUESTS_FAIL_FOR);
    let has_been = state.last_sync().is_some() || error.is_some();
    PbxHealth {
        open: has_been.then_some(is_well),
        legs: state.legs(),
        trouble: error.filter(|_| is_failing).map(|(at, words)| (since.unwrap_or(at), words)),
    }
}
