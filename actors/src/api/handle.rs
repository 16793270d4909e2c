//! The engine's handle for the edge. Cheap to clone, usable on any thread. Its parts are by subject: `health`,
//! `live`, `operation`, `voices`; calls and webhooks are here.

mod health;
mod live;
mod operation;
mod voices;

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use arc_swap::ArcSwap;
use deadpool_postgres::Pool;
use precall_base::clock;
use precall_base::phone_number::{CallerNumber, Region};
use precall_call::{CallId, Operator};
use precall_providers::elevenlabs::ConversationReport;
use precall_providers::trace_context::TracedPart;
use precall_store::events::rows::{RowWrite, WebhookRow};
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot, watch};

use super::reload::{ReloadAsked, ReloadableSettings};
use super::{InitiationAnswer, InitiationAsked};
use crate::admission::bypass_keeper::Keeper;
use crate::admission::call_supervisor::{
    Answer, CallSupervisor, EarlierCallBack, HandleIncomingCall, HandleOperatorOrder, HandlePbxNotice,
    HandleReport, IsOurAgent,
};
use crate::admission::contract::{
    Busy, IncomingCall, OperatorOrder, Ordered, PbxNotice, ReportOutcome, Taken,
};
use crate::api::recent_webhooks::RecentlyKept;
use crate::call::agent_settings::Override;
use crate::call::expected_transfers::AgentRequest;
use crate::call::services::CallServices;
use crate::canary::keeper::Canary;
use crate::durability::persistence::WriteRow;
use crate::erasure::erase_caller::{ErasureReport, NotErased};
use crate::erasure::services::ErasureServices;
use crate::limits::provider_capacity::Capacity;
use crate::observe::alert_delivery::AlertDelivery;
use crate::observe::config_reload::ConfigReload;
use crate::observe::host_watch::HostWatch;
use crate::observe::prompt_problems::PromptProblems;
use crate::observe::replica_watch::ReplicaWatch;
use crate::observe::start_refusal::StartRefusal;
use crate::runtime::heartbeat::Heartbeats;
use crate::runtime::mailbox_age::MailboxAges;

/// Time limit of an answer, including the queue. The supervisor's own limit is shorter.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

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
    pub(crate) replica: Option<Arc<ReplicaWatch>>,
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
    /// Takes an incoming call. Answers once its event is durable; a client that disconnects changes nothing. `webhook`
    /// is stored in the same transaction, if an event is stored at all: see [`Taken::is_kept`].
    ///
    /// # Errors
    /// Why nothing was taken.
    pub async fn incoming(
        &self,
        call: IncomingCall,
        webhook: Option<Arc<WebhookRow>>,
    ) -> Result<Taken, Busy> {
        let (earlier, sent) = (EarlierCallBack::NotAsked, webhook.clone());
        let send = |answer| HandleIncomingCall { call, webhook: sent, earlier, answer };
        let taken = self.ask(|answer| self.supervisor.do_send(send(answer))).await?;
        self.remember(&taken, webhook.as_deref());
        Ok(taken)
    }

    /// Takes a `CallEnded` or `CallStateChanged` of the PBX. `webhook` as of [`Self::incoming`].
    ///
    /// # Errors
    /// Why nothing was taken.
    pub async fn notice(&self, notice: PbxNotice, webhook: Option<Arc<WebhookRow>>) -> Result<Taken, Busy> {
        let sent = webhook.clone();
        let send = |answer| HandlePbxNotice { notice, webhook: sent, answer };
        let taken = self.ask(|answer| self.supervisor.do_send(send(answer))).await?;
        self.remember(&taken, webhook.as_deref());
        Ok(taken)
    }

    /// A repetition of a webhook that was stored with its event needs no database access.
    fn remember(&self, taken: &Taken, webhook: Option<&WebhookRow>) {
        let key =
            webhook.filter(|_| taken.is_kept).and_then(|webhook| self.recently_kept.key_if_new(webhook));
        key.into_iter().for_each(|key| self.recently_kept.kept(key));
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
        let row = RowWrite::WebhookKept(Arc::new(webhook));
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

    /// Erases a caller (E.164 or extension) permanently. `by` is the requester, for the audit log.
    ///
    /// # Errors
    /// Why nothing was erased.
    pub async fn erase_caller(&self, caller: &str, by: &str) -> Result<ErasureReport, NotErased> {
        self.erasure.erase_caller(caller, by).await
    }

    /// Waits until the start must end, because it would leave live callers behind. Returns the reason.
    pub async fn start_refused(&self) -> String {
        self.refusal.refused().await
    }

    /// Waits until another process has taken over the database.
    pub async fn superseded(&self) {
        self.services.persistence_state.leadership().superseded().await;
    }

    /// Waits until an actor without which nothing works has panicked too often, and names it. The process must end
    /// then.
    pub async fn vital_actor_ended(&self) -> &'static str {
        self.services.vital.ended().await
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

    async fn ask<T>(&self, send: impl FnOnce(Answer<T>)) -> Result<T, Busy> {
        let (answer, received) = oneshot::channel();
        send(answer);
        match tokio::time::timeout(ANSWER_WITHIN, received).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(Busy::TooSlow),
        }
    }
}
