//! A scripted engine: gives configured answers and records requests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deadpool_postgres::{Manager, Pool, Runtime};
use futures_util::future::{FutureExt as _, LocalBoxFuture};
use precall_actors::api::{
    ActorMailbox, Board, Busy, CanarySettings, CanaryView, CapacityHealth, CloneProgress, CloneStage,
    ClonedAhead, CommitView, EndedCall, ErasureReport, Health, IncomingCall, InitiationAnswer,
    InitiationAsked, Listening, LiveCall, NotBypassed, NotErased, NotReconciled, NotRun, OperatorOrder,
    Ordered, Outcome, Parties, PbxNotice, Reconciled, ReportOutcome, SharedOutcomes, SpoolHealth,
    SupervisionRefusal, SupervisionView, System, Taken,
};
use precall_actors::durability::leadership::EngineRole;
use precall_actors::observe::metrics::Metrics;
use precall_actors::observe::wire_log::WireLog;
use precall_actors::voices::reconcile_rules::Approval;
use precall_call::{
    At, Blame, CallId, Cause, ConversationId, Deadline, NotSupervised, Operator, Release, Route, Telling,
    Told, VoiceId,
};
use precall_providers::elevenlabs::ConversationReport;
use precall_providers::trace_context::{TraceId, trace_id};
use precall_store::bypass::BypassRow;
use precall_store::canary::CanaryRun;
use precall_store::events::rows::WebhookRow;
use serde_json::value::RawValue;
use tokio::sync::watch;

use crate::http::engine::Engine;

/// A recorded request.
#[derive(Clone, Debug)]
pub enum Asked {
    Incoming(IncomingCall),
    Notice(PbxNotice),
    Report(Box<ConversationReport>, String),
    Forget(String),
    Order(CallId, OperatorOrder, Operator),
    Initiation(InitiationAsked),
}

/// Configured answers.
#[derive(Clone)]
pub struct Script {
    pub taken: Result<Taken, Busy>,
    pub reported: Result<ReportOutcome, Busy>,
    pub kept: Result<(), Busy>,
    pub was_cached: Result<bool, Busy>,
    pub ordered: Result<Ordered, Busy>,
    pub health: Health,
    pub transfer: Option<InitiationAnswer>,
    /// Whether it never answers.
    pub hangs: bool,
}

pub struct Scripted {
    pub script: Mutex<Script>,
    pub asked: Mutex<Vec<Asked>>,
    kept: Mutex<Vec<WebhookRow>>,
    /// Webhooks that the engine was to store with an event.
    with_events: Mutex<Vec<Arc<WebhookRow>>>,
    pub positions: watch::Sender<i64>,
    pub board: Board,
    /// How often health was asked for.
    pub health_reads: AtomicUsize,
    metrics: Arc<Metrics>,
    pub outcomes: Arc<SharedOutcomes>,
}

pub const CALL: CallId = CallId(0x0199_0000_0000_7000_8000_0000_0000_0001);

pub fn well() -> Health {
    Health {
        database: Some(true),
        database_reached: true,
        database_obstacle: None,
        elevenlabs: Some(true),
        spool: SpoolHealth::Empty,
        spooled_bytes: 0,
        spool_free_bytes: None,
        spool_max_bytes: Some(1 << 20),
        can_keep: true,
        queued_events: 2,
        live_calls: 1,
        draining: false,
        role: EngineRole::Acting(1),
        acts: true,
        threecx: None,
        prompt_problems: Vec::new(),
        problems: Vec::new(),
        bypasses: 0,
        budgets: Vec::new(),
        capacity: CapacityHealth::default(),
        heartbeat_age: Duration::from_millis(5),
        mailboxes: Vec::new(),
        restarts: Vec::new(),
    }
}

pub fn live_call() -> LiveCall {
    LiveCall {
        id: CALL,
        parties: Arc::new(Parties {
            threecx_call_id: Some("77".to_owned()),
            pbx: "main".to_owned(),
            caller: "+4930***45".to_owned(),
            called: Some("+493099999".to_owned()),
            line: "default".to_owned(),
        }),
        route: Route::Callback,
        state: "greeting",
        state_since: 1_764_425_486_000_000,
        voice: "awaited",
        voice_missing: None,
        awaits_voice: true,
        voice_decided: None,
        clone: Some(CloneProgress {
            stage: CloneStage::Uploading,
            since: At(1_764_425_486_000_000),
            asked_at: At(1_764_425_485_000_000),
            until: Some(At(1_764_425_515_000_000)),
        }),
        offered_at: 1_764_425_485_000_000,
        deadline: Some(Deadline { due: At(1_764_425_520_000_000), generation: 1 }),
        attempts: 0,
        problem: None,
        last_event: Some("greeting_started"),
        last_event_at: At(1_764_425_487_000_000),
        conversation: Some(ConversationId::new("conv_1")),
        actors: vec!["call", "greeting"],
    }
}

/// A call that ended now.
pub fn ended_call(id: u128) -> EndedCall {
    let now = crate::http::clock::now();
    EndedCall {
        id: CallId(id),
        parties: live_call().parties,
        route: Route::Bridge,
        voice: "fallback",
        voice_missing: Some("clone_timeout"),
        attempts: 2,
        conversation: None,
        offered_at: At(now.0 - 41_000_000),
        ended_at: now,
        release: Release { cause: Cause::HandoffFailed, blame: Some(Blame::Provider), told: Told::Person },
        failed: true,
    }
}

impl Scripted {
    pub fn new() -> Arc<Self> {
        let taken = Taken {
            call: Some(CALL),
            outcome: Outcome::Accepted,
            cached_voice: Some(VoiceId::new("v1")),
            is_kept: false,
        };
        let script = Script {
            taken: Ok(taken),
            reported: Ok(ReportOutcome::Applied(CALL)),
            kept: Ok(()),
            was_cached: Ok(true),
            ordered: Ok(Ordered::Taken),
            health: well(),
            transfer: None,
            hangs: false,
        };
        let board = Board::default();
        board.put(live_call());
        Arc::new(Self {
            script: Mutex::new(script),
            asked: Mutex::new(Vec::new()),
            kept: Mutex::new(Vec::new()),
            with_events: Mutex::new(Vec::new()),
            positions: watch::Sender::new(7),
            board,
            health_reads: AtomicUsize::new(0),
            metrics: Arc::new(Metrics::new()),
            outcomes: Arc::new(SharedOutcomes::default()),
        })
    }

    pub fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    /// The stored webhooks.
    pub fn kept(&self) -> Vec<WebhookRow> {
        self.kept.lock().unwrap().clone()
    }

    pub fn sent_with_events(&self) -> Vec<Arc<WebhookRow>> {
        self.with_events.lock().unwrap().clone()
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn answer<T: 'static>(
        &self,
        asked: Asked,
        answer: impl Fn(&Script) -> Result<T, Busy>,
    ) -> LocalBoxFuture<'static, Result<T, Busy>> {
        self.asked.lock().unwrap().push(asked);
        let script = self.script.lock().unwrap().clone();
        let answer = answer(&script);
        async move {
            if script.hangs {
                std::future::pending::<()>().await;
            }
            answer
        }
        .boxed_local()
    }
}

/// A pool without a database: port 1 of this machine.
pub fn nowhere() -> Pool {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(1).user("nobody").connect_timeout(Duration::from_millis(200));
    let manager = Manager::new(config, tokio_postgres::NoTls);
    let wait = Some(Duration::from_millis(500));
    Pool::builder(manager)
        .runtime(Runtime::Tokio1)
        .wait_timeout(wait)
        .create_timeout(wait)
        .recycle_timeout(wait)
        .build()
        .unwrap()
}

impl Engine for Scripted {
    fn incoming(
        &self,
        call: IncomingCall,
        webhook: Option<Arc<WebhookRow>>,
    ) -> LocalBoxFuture<'_, Result<Taken, Busy>> {
        self.with_events.lock().unwrap().extend(webhook);
        self.answer(Asked::Incoming(call), |script| script.taken.clone())
    }

    fn notice(
        &self,
        notice: PbxNotice,
        webhook: Option<Arc<WebhookRow>>,
    ) -> LocalBoxFuture<'_, Result<Taken, Busy>> {
        self.with_events.lock().unwrap().extend(webhook);
        self.answer(Asked::Notice(notice), |script| script.taken.clone())
    }

    fn report(
        &self,
        report: ConversationReport,
        raw: Box<RawValue>,
    ) -> LocalBoxFuture<'_, Result<ReportOutcome, Busy>> {
        let raw = raw.get().to_owned();
        self.answer(Asked::Report(Box::new(report), raw), |script| script.reported)
    }

    fn is_our_agent(&self, agent_id: String) -> LocalBoxFuture<'_, Result<bool, Busy>> {
        async move { Ok(agent_id == "a") }.boxed_local()
    }

    fn keep_webhook(&self, webhook: WebhookRow) -> LocalBoxFuture<'_, Result<(), Busy>> {
        self.kept.lock().unwrap().push(webhook);
        let kept = self.script.lock().unwrap().kept;
        async move { kept }.boxed_local()
    }

    fn forget_voice<'a>(&'a self, caller_e164: &'a str) -> LocalBoxFuture<'a, Result<bool, Busy>> {
        self.answer(Asked::Forget(caller_e164.to_owned()), |script| script.was_cached)
    }

    fn reconcile_voices(&self, _: Approval) -> LocalBoxFuture<'_, Result<Reconciled, NotReconciled>> {
        async { Err(NotReconciled::NotReady) }.boxed_local()
    }

    fn clone_ahead(&self, _: usize) -> LocalBoxFuture<'_, Result<ClonedAhead, String>> {
        async { Err("not ready".to_owned()) }.boxed_local()
    }

    fn erase_caller(&self, _: String, _: String) -> LocalBoxFuture<'_, Result<ErasureReport, NotErased>> {
        async { Err(NotErased::Nothing) }.boxed_local()
    }

    fn revoke_voices(&self, _: Vec<String>) {}

    fn look_at_voices(&self) {}

    fn trace_id(&self, call: CallId) -> Option<TraceId> {
        Some(trace_id(call))
    }

    fn initiation(&self, asked: &InitiationAsked) -> InitiationAnswer {
        self.asked.lock().unwrap().push(Asked::Initiation(asked.clone()));
        self.script.lock().unwrap().transfer.clone().unwrap_or(InitiationAnswer::UNKNOWN)
    }

    fn clone_for(&self, _: String) -> LocalBoxFuture<'_, Result<bool, String>> {
        async { Err("not ready".to_owned()) }.boxed_local()
    }

    fn order(
        &self,
        call: CallId,
        order: OperatorOrder,
        by: Operator,
    ) -> LocalBoxFuture<'_, Result<Ordered, Busy>> {
        self.answer(Asked::Order(call, order, by), |script| script.ordered)
    }

    fn set_bypass(&self, word: BypassRow) -> LocalBoxFuture<'_, Result<BypassRow, NotBypassed>> {
        async move {
            if word.line == "nowhere" {
                return Err(NotBypassed::NoSuchLine(vec!["default".to_owned()]));
            }
            Ok(word)
        }
        .boxed_local()
    }

    fn reload_lines(&self) -> LocalBoxFuture<'_, ()> {
        async {}.boxed_local()
    }

    fn bypasses(&self) -> Vec<BypassRow> {
        Vec::new()
    }

    fn run_canary(&self, _: String) -> LocalBoxFuture<'_, Result<CanaryRun, NotRun>> {
        async { Err(NotRun::NotActing) }.boxed_local()
    }

    fn canary(&self) -> CanaryView {
        CanaryView::default()
    }

    fn canary_settings(&self) -> CanarySettings {
        CanarySettings::default()
    }

    fn supervision(&self, _: CallId) -> LocalBoxFuture<'_, Result<SupervisionView, SupervisionRefusal>> {
        let not_bridged = Err(NotSupervised::NotBridged);
        let view = SupervisionView { listen: not_bridged, tell: not_bridged, listeners: 0 };
        async move { Ok(view) }.boxed_local()
    }

    fn mailboxes(&self, _: CallId) -> LocalBoxFuture<'_, Result<Vec<ActorMailbox>, SupervisionRefusal>> {
        let call = ActorMailbox { actor: "call", waits: Some(Duration::from_micros(300)) };
        let player = ActorMailbox { actor: "player", waits: None };
        async move { Ok(vec![call, player]) }.boxed_local()
    }

    fn listen(&self, _: CallId) -> LocalBoxFuture<'_, Result<Listening, SupervisionRefusal>> {
        async { Err(SupervisionRefusal::NotNow(NotSupervised::NotBridged)) }.boxed_local()
    }

    fn tell_agent(
        &self,
        _: CallId,
        _: Telling,
        _: String,
        _: Operator,
    ) -> LocalBoxFuture<'_, Result<(), SupervisionRefusal>> {
        async { Err(SupervisionRefusal::NotNow(NotSupervised::NotConversing)) }.boxed_local()
    }

    fn board(&self) -> Board {
        self.board.clone()
    }

    fn health(&self) -> Health {
        self.health_reads.fetch_add(1, Ordering::Relaxed);
        self.script.lock().unwrap().health.clone()
    }

    fn positions(&self) -> watch::Receiver<i64> {
        self.positions.subscribe()
    }

    fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    fn wire(&self) -> Arc<WireLog> {
        Arc::default()
    }

    fn outcomes(&self) -> Arc<SharedOutcomes> {
        Arc::clone(&self.outcomes)
    }
    fn system(&self) -> System {
        System {
            started: At(0),
            arbiters: vec![Duration::from_millis(4)],
            shards: vec![1],
            panics: vec![("greeting", 2)],
            feed: None,
            breaker_is_open: true,
            commits: CommitView::default(),
            requests: Vec::new(),
            times: self.metrics.times(),
        }
    }
}
