//! What the edge holds: cheap to clone, usable from any thread.

use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use deadpool_postgres::Pool;
use precall_call::{CallId, NoVoice, Request};
use serde_json::value::RawValue;
use tokio::sync::{oneshot, watch};

use super::recently_kept::RecentlyKept;
use super::{
    Busy, CapacityHealth, Health, IncomingCall, InitiationAnswer, InitiationAsked, LiveCall, PbxHealth,
    PbxNotice, ReportOutcome, Taken,
};
use crate::capacity::Measure;
use crate::clock;
use crate::expected_transfers::Asker;
use crate::heartbeat::Heartbeats;
use crate::metrics::Metrics;
use crate::pbx_state::PbxState;
use crate::persistence::Keep;
use crate::phone_number::{CallerNumber, Region};
use crate::providers::elevenlabs::ConversationReport;
use crate::reconciler::Approval;
use crate::shared::Shared;
use crate::store::rows::{RowWrite, WebhookRow};
use crate::store::voices;
use crate::supervisor::{Answer, Asked, CallSupervisor, Incoming, IsOurAgent, Noticed, ReportCame};
use crate::voice_book::{
    CloneAhead, ClonedAhead, Forget, LookAtEntitlements, NotReconciled, Reconcile, Reconciled, Revoke,
    VoiceKey,
};

/// The whole of an answer, queueing included; the supervisor's own deadline is shorter.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// A list, and some deletions.
const RECONCILED_WITHIN: Duration = Duration::from_secs(60);

/// Several accounts come with the management of lines.
pub(super) const ACCOUNT: &str = "default";

/// What is configured, and compared with what others carry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// `MAX_LIVE_CALLS`.
    pub(super) live_calls: usize,
    /// `THREECX_SIMULTANEOUS_CALLS`.
    pub(super) pbx_calls: Option<u64>,
}

/// The engine, as the edge sees it.
#[derive(Clone)]
pub struct EngineHandle {
    pub(super) shared: Arc<Shared>,
    pub(super) supervisor: Addr<CallSupervisor>,
    pub(super) heartbeats: Heartbeats,
    pub(super) draining: Arc<std::sync::atomic::AtomicBool>,
    pub(super) region: Region,
    pub(super) bounds: Bounds,
    pub(super) recently_kept: Arc<RecentlyKept>,
}

impl EngineHandle {
    /// An `IncomingCall`. The answer comes when its event is durable; a client that leaves changes nothing.
    ///
    /// # Errors
    /// Why nothing was taken.
    pub async fn incoming(&self, call: IncomingCall) -> Result<Taken, Busy> {
        self.ask(|answer| self.supervisor.do_send(Incoming { call, answer })).await
    }

    /// A `CallEnded` or `CallStateChanged`.
    ///
    /// # Errors
    /// Why nothing was taken.
    pub async fn notice(&self, notice: PbxNotice) -> Result<Taken, Busy> {
        self.ask(|answer| self.supervisor.do_send(Noticed { notice, answer })).await
    }

    /// A report of the provider; `raw` is kept while nobody knows its conversation.
    ///
    /// # Errors
    /// Why nothing was taken.
    pub async fn report(
        &self,
        report: ConversationReport,
        raw: Box<RawValue>,
    ) -> Result<ReportOutcome, Busy> {
        let report = Box::new(report);
        self.ask(|answer| self.supervisor.do_send(ReportCame { report, raw, answer })).await
    }

    /// Whether a line of ours names this agent.
    ///
    /// # Errors
    /// When that cannot be said now.
    pub async fn is_our_agent(&self, agent_id: String) -> Result<bool, Busy> {
        let asked = self.supervisor.send(IsOurAgent(agent_id));
        tokio::time::timeout(ANSWER_WITHIN, asked).await.ok().and_then(Result::ok).ok_or(Busy::TooSlow)
    }

    /// Keeps a webhook as it came, once.
    ///
    /// # Errors
    /// When that cannot be done now.
    pub async fn keep_webhook(&self, webhook: WebhookRow) -> Result<(), Busy> {
        let Some(key) = self.recently_kept.news(&webhook) else { return Ok(()) };
        if !self.shared.persistence_state.can_keep() {
            return Err(Busy::CannotKeep);
        }
        let (done, kept) = oneshot::channel();
        let row = RowWrite::WebhookKept(Box::new(webhook));
        self.shared.persistence.do_send(Keep { row, done });
        let kept = tokio::time::timeout(ANSWER_WITHIN, kept).await;
        kept.ok().and_then(Result::ok).ok_or(Busy::TooSlow)?;
        self.recently_kept.kept(key);
        Ok(())
    }

    /// Which call an inbound agent conversation is, from memory; none leaves it the fallback voice.
    #[must_use]
    pub fn initiation(&self, asked: &InitiationAsked) -> Option<InitiationAnswer> {
        let asker = Asker {
            agent_id: asked.agent_id.clone(),
            called: asked.called.clone(),
            caller: CallerNumber::parse(&asked.caller, self.region),
            call_sid: asked.call_sid.clone(),
        };
        let found = self.shared.answer_transfer(&asker, clock::now())?;
        Some(InitiationAnswer { call: found.call, voice: found.voice })
    }

    /// An operator's request; false if there is no such live call.
    ///
    /// # Errors
    /// Why nothing was done.
    pub async fn request(&self, call: CallId, request: Request) -> Result<bool, Busy> {
        self.ask(|answer| self.supervisor.do_send(Asked { call, request, answer })).await
    }

    /// Takes a caller's clone out of the cache; false if there was none.
    ///
    /// # Errors
    /// When that could not be kept.
    pub async fn forget_voice(&self, caller: &str) -> Result<bool, Busy> {
        let dropped = async {
            let client = self.shared.pool.get().await.map_err(|_| Busy::CannotKeep)?;
            let rows = voices::drop_cached(&**client, ACCOUNT, caller, clock::now()).await;
            rows.map_err(|_| Busy::CannotKeep)
        };
        let rows = tokio::time::timeout(ANSWER_WITHIN, dropped).await.map_err(|_| Busy::TooSlow)??;
        let key = VoiceKey { account: ACCOUNT.to_owned(), caller: caller.to_owned() };
        let forgotten = self.shared.voice_book.send(Forget(key)).await.unwrap_or(false);
        Ok(forgotten || rows > 0)
    }

    /// These callers' voices must not be used from now on: their consent was withdrawn. What is cached goes, what is being cloned is not
    /// uploaded, and who speaks with one on the bridge goes on in the fallback voice.
    pub fn revoke_voices(&self, callers: Vec<String>) {
        let key = |caller| VoiceKey { account: ACCOUNT.to_owned(), caller };
        let keys = callers.into_iter().map(key).collect();
        self.shared.voice_book.do_send(Revoke { keys, why: NoVoice::NoConsent });
        // Samples go as well.
        self.shared.disposals.notify_one();
    }

    /// Mappings or consents changed: they count at once, not only from the next look.
    pub fn look_at_voices(&self) {
        self.shared.voice_book.do_send(LookAtEntitlements);
    }

    /// Brings the voices at the provider and those of the tables in step.
    ///
    /// # Errors
    /// Why that cannot be done now.
    pub async fn reconcile_voices(&self, approval: Approval) -> Result<Reconciled, NotReconciled> {
        let (reply, heard) = oneshot::channel();
        self.shared.voice_book.do_send(Reconcile { approval, reply: Some(reply) });
        let heard = tokio::time::timeout(RECONCILED_WITHIN, heard).await;
        let late = || NotReconciled::Provider("it takes longer than an answer may: see the log".to_owned());
        heard.map_err(|_| late())?.map_err(|_| late())?
    }

    /// Clones the voices of frequent callers that have none, as far as slots are free.
    ///
    /// # Errors
    /// Why that cannot be done now, for people.
    pub async fn clone_ahead(&self, most: usize) -> Result<ClonedAhead, String> {
        let (reply, heard) = oneshot::channel();
        self.shared.voice_book.do_send(CloneAhead { most, reply });
        let heard = tokio::time::timeout(ANSWER_WITHIN, heard).await;
        heard
            .ok()
            .and_then(Result::ok)
            .unwrap_or_else(|| Err("it takes longer than an answer may".to_owned()))
    }

    /// Every live call, oldest first.
    #[must_use]
    pub fn live(&self) -> Vec<LiveCall> {
        self.shared.board.live()
    }

    /// How the engine is.
    #[must_use]
    pub fn health(&self) -> Health {
        let persistence = &self.shared.persistence_state;
        let reached = persistence.reached();
        Health {
            database: (reached || persistence.failing()).then(|| reached && !persistence.failing()),
            database_reached: reached,
            elevenlabs: self.shared.provider.answering(),
            spool: persistence.spool().health(),
            spooled_bytes: persistence.spool().bytes(),
            spool_max_bytes: persistence.spool().max(),
            can_keep: persistence.can_keep_call(),
            queued_events: persistence.queued(),
            live_calls: self.shared.board.count(),
            draining: self.draining.load(std::sync::atomic::Ordering::Relaxed),
            standing: persistence.stand().now(),
            threecx: self.shared.pbx.as_ref().map(|pbx| pbx_health(&pbx.state)),
            prompt_problems: self.shared.prompt_problems(),
            budgets: self.shared.budgets().used(clock::now()),
            capacity: self.capacity(),
            heartbeat_age: self.heartbeats.oldest(clock::now()),
        }
    }

    fn capacity(&self) -> CapacityHealth {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let (heard, seats) = (self.shared.capacity.heard(), &self.shared.agent_seats);
        CapacityHealth {
            live_calls: Measure {
                used: Some(count(self.shared.board.count())),
                limit: Some(count(self.bounds.live_calls)),
            },
            agents: Measure { used: Some(count(seats.held())), limit: seats.max().map(count) },
            agent_limit: heard.agent_limit,
            voice_slots: heard.slots,
            voice_edits: heard.edits,
            pbx_calls: self.bounds.pbx_calls,
        }
    }

    /// Waits until another process has taken over the database.
    pub async fn superseded(&self) {
        self.shared.persistence_state.stand().superseded().await;
    }

    /// The last durable position, as it moves.
    #[must_use]
    pub fn positions(&self) -> watch::Receiver<i64> {
        self.shared.persistence_state.positions()
    }

    /// For the edge's own reads.
    #[must_use]
    pub fn pool(&self) -> Pool {
        self.shared.pool.clone()
    }

    /// Counters and histograms.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.shared.metrics)
    }

    async fn ask<T>(&self, send: impl FnOnce(Answer<T>)) -> Result<T, Busy> {
        let (answer, heard) = oneshot::channel();
        send(answer);
        match tokio::time::timeout(ANSWER_WITHIN, heard).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(Busy::TooSlow),
        }
    }
}

fn pbx_health(state: &PbxState) -> PbxHealth {
    let error = state.last_error();
    // A socket whose list never comes is no connection; one that has neither opened nor failed yet is on its way.
    let is_well = state.is_open() && state.last_sync().is_some();
    let has_been = state.last_sync().is_some() || error.is_some();
    PbxHealth {
        open: has_been.then_some(is_well),
        legs: state.legs(),
        trouble: error.filter(|_| !is_well).map(|(_, words)| words),
    }
}
