//! The engine as the HTTP handlers see it.
//!
//! A trait with two implementors: `EngineHandle`, and the scripted engine of the HTTP tests (`tests/scripted.rs`),
//! which test the rules of HTTP without calls. It has no method for reads: handlers read the store with
//! `AppState::pool`.

use std::sync::Arc;

use futures_util::future::{FutureExt as _, LocalBoxFuture};
use precall_actors::api::{
    ActorMailbox, Board, Busy, CanarySettings, CanaryView, ClonedAhead, EngineHandle, ErasureReport, Health,
    IncomingCall, InitiationAnswer, InitiationAsked, Listening, NotBypassed, NotErased, NotReconciled,
    NotRun, OperatorOrder, Ordered, PbxNotice, Reconciled, ReportOutcome, SharedOutcomes, SupervisionRefusal,
    SupervisionView, System, Taken,
};
use precall_actors::observe::metrics::Metrics;
use precall_actors::observe::wire_log::WireLog;
use precall_actors::voices::reconcile_rules::Approval;
use precall_call::{CallId, Operator, Telling};
use precall_providers::elevenlabs::ConversationReport;
use precall_providers::trace_context::TraceId;
use precall_store::bypass::BypassRow;
use precall_store::canary::CanaryRun;
use precall_store::events::rows::WebhookRow;
use serde_json::value::RawValue;
use tokio::sync::watch;

/// What the HTTP handlers ask of the engine.
pub(crate) trait Engine: Send + Sync + 'static {
    /// Admits an incoming call. `webhook` is stored with its first event.
    fn incoming(
        &self,
        call: IncomingCall,
        webhook: Option<Arc<WebhookRow>>,
    ) -> LocalBoxFuture<'_, Result<Taken, Busy>>;
    /// Passes on an event of the PBX about a call. `webhook` is stored with it.
    fn notice(
        &self,
        notice: PbxNotice,
        webhook: Option<Arc<WebhookRow>>,
    ) -> LocalBoxFuture<'_, Result<Taken, Busy>>;
    /// Passes on a post-call report. `raw` fits a `jsonb` column.
    fn report(
        &self,
        report: ConversationReport,
        raw: Box<RawValue>,
    ) -> LocalBoxFuture<'_, Result<ReportOutcome, Busy>>;
    /// Whether a line of this installation uses this agent.
    fn is_our_agent(&self, agent_id: String) -> LocalBoxFuture<'_, Result<bool, Busy>>;
    /// Stores a received webhook.
    fn keep_webhook(&self, webhook: WebhookRow) -> LocalBoxFuture<'_, Result<(), Busy>>;
    /// Forgets a caller's cached voice. Returns whether there was one.
    fn forget_voice<'a>(&'a self, caller_e164: &'a str) -> LocalBoxFuture<'a, Result<bool, Busy>>;
    /// Reconciles the voices at ElevenLabs with the tables.
    fn reconcile_voices(&self, approval: Approval) -> LocalBoxFuture<'_, Result<Reconciled, NotReconciled>>;
    /// Starts clone jobs for frequent callers, at most `most`.
    fn clone_ahead(&self, most: usize) -> LocalBoxFuture<'_, Result<ClonedAhead, String>>;
    /// Erases a caller. `by` is the name of the API key.
    fn erase_caller(
        &self,
        caller: String,
        by: String,
    ) -> LocalBoxFuture<'_, Result<ErasureReport, NotErased>>;
    /// Stops the use of these callers' voices.
    fn revoke_voices(&self, callers: Vec<String>);
    /// Tells the engine that mappings or consents changed.
    fn look_at_voices(&self);
    /// The id of the call's trace; none if the call is not traced.
    fn trace_id(&self, call: CallId) -> Option<TraceId>;
    /// The transferred call that an inbound agent conversation belongs to, from memory.
    fn initiation(&self, asked: &InitiationAsked) -> InitiationAnswer;
    /// Starts a clone for a caller. False if one is under way.
    fn clone_for(&self, caller: String) -> LocalBoxFuture<'_, Result<bool, String>>;
    /// Passes the order of an operator to a call.
    fn order(
        &self,
        call: CallId,
        order: OperatorOrder,
        by: Operator,
    ) -> LocalBoxFuture<'_, Result<Ordered, Busy>>;
    /// Sends the new calls of a line away, or takes them again.
    fn set_bypass(&self, word: BypassRow) -> LocalBoxFuture<'_, Result<BypassRow, NotBypassed>>;
    /// The bypasses in force.
    fn bypasses(&self) -> Vec<BypassRow>;
    /// Makes a test call now, for this API key. Done when it has begun.
    fn run_canary(&self, who: String) -> LocalBoxFuture<'_, Result<CanaryRun, NotRun>>;
    /// What the canary does now.
    fn canary(&self) -> CanaryView;
    /// The settings of the canary.
    fn canary_settings(&self) -> CanarySettings;
    /// Reads the lines again. Done once new calls use them.
    fn reload_lines(&self) -> LocalBoxFuture<'_, ()>;
    /// What an operator may do with a live call now.
    fn supervision(&self, call: CallId) -> LocalBoxFuture<'_, Result<SupervisionView, SupervisionRefusal>>;
    /// The actors of a live call that run now, and how long messages wait for them.
    fn mailboxes(&self, call: CallId) -> LocalBoxFuture<'_, Result<Vec<ActorMailbox>, SupervisionRefusal>>;
    /// Begins to listen to a live call.
    fn listen(&self, call: CallId) -> LocalBoxFuture<'_, Result<Listening, SupervisionRefusal>>;
    /// Tells the agent of a live call something.
    fn tell_agent(
        &self,
        call: CallId,
        what: Telling,
        text: String,
        by: Operator,
    ) -> LocalBoxFuture<'_, Result<(), SupervisionRefusal>>;
    /// The board of live calls.
    fn board(&self) -> Board;
    /// The health of the engine.
    fn health(&self) -> Health;
    /// The position of the last durable event.
    fn positions(&self) -> watch::Receiver<i64>;
    /// The metrics.
    fn metrics(&self) -> Arc<Metrics>;
    /// What went over the wire for each call.
    fn wire(&self) -> Arc<WireLog>;
    /// The outcomes of the last minutes.
    fn outcomes(&self) -> Arc<SharedOutcomes>;
    /// The inside of the process.
    fn system(&self) -> System;
}

impl Engine for EngineHandle {
    fn incoming(
        &self,
        call: IncomingCall,
        webhook: Option<Arc<WebhookRow>>,
    ) -> LocalBoxFuture<'_, Result<Taken, Busy>> {
        self.incoming(call, webhook).boxed_local()
    }

    fn notice(
        &self,
        notice: PbxNotice,
        webhook: Option<Arc<WebhookRow>>,
    ) -> LocalBoxFuture<'_, Result<Taken, Busy>> {
        self.notice(notice, webhook).boxed_local()
    }

    fn report(
        &self,
        report: ConversationReport,
        raw: Box<RawValue>,
    ) -> LocalBoxFuture<'_, Result<ReportOutcome, Busy>> {
        self.report(report, raw).boxed_local()
    }

    fn is_our_agent(&self, agent_id: String) -> LocalBoxFuture<'_, Result<bool, Busy>> {
        self.is_our_agent(agent_id).boxed_local()
    }

    fn keep_webhook(&self, webhook: WebhookRow) -> LocalBoxFuture<'_, Result<(), Busy>> {
        self.keep_webhook(webhook).boxed_local()
    }

    fn forget_voice<'a>(&'a self, caller_e164: &'a str) -> LocalBoxFuture<'a, Result<bool, Busy>> {
        self.forget_voice(caller_e164).boxed_local()
    }

    fn reconcile_voices(&self, approval: Approval) -> LocalBoxFuture<'_, Result<Reconciled, NotReconciled>> {
        self.reconcile_voices(approval).boxed_local()
    }

    fn clone_ahead(&self, most: usize) -> LocalBoxFuture<'_, Result<ClonedAhead, String>> {
        self.clone_ahead(most).boxed_local()
    }

    fn erase_caller(
        &self,
        caller: String,
        by: String,
    ) -> LocalBoxFuture<'_, Result<ErasureReport, NotErased>> {
        async move { self.erase_caller(&caller, &by).await }.boxed_local()
    }

    fn revoke_voices(&self, callers: Vec<String>) {
        self.revoke_voices(callers);
    }

    fn look_at_voices(&self) {
        self.look_at_voices();
    }

    fn trace_id(&self, call: CallId) -> Option<TraceId> {
        self.trace_id(call)
    }

    fn initiation(&self, asked: &InitiationAsked) -> InitiationAnswer {
        self.initiation(asked)
    }

    fn reload_lines(&self) -> LocalBoxFuture<'_, ()> {
        self.reload_lines().boxed_local()
    }

    fn clone_for(&self, caller: String) -> LocalBoxFuture<'_, Result<bool, String>> {
        async move { self.clone_for(&caller).await }.boxed_local()
    }

    fn order(
        &self,
        call: CallId,
        order: OperatorOrder,
        by: Operator,
    ) -> LocalBoxFuture<'_, Result<Ordered, Busy>> {
        self.order(call, order, by).boxed_local()
    }

    fn set_bypass(&self, word: BypassRow) -> LocalBoxFuture<'_, Result<BypassRow, NotBypassed>> {
        self.set_bypass(word).boxed_local()
    }

    fn bypasses(&self) -> Vec<BypassRow> {
        self.bypasses()
    }

    fn run_canary(&self, who: String) -> LocalBoxFuture<'_, Result<CanaryRun, NotRun>> {
        self.run_canary(who).boxed_local()
    }

    fn canary(&self) -> CanaryView {
        self.canary()
    }

    fn canary_settings(&self) -> CanarySettings {
        self.canary_settings().clone()
    }

    fn supervision(&self, call: CallId) -> LocalBoxFuture<'_, Result<SupervisionView, SupervisionRefusal>> {
        self.supervision(call).boxed_local()
    }

    fn mailboxes(&self, call: CallId) -> LocalBoxFuture<'_, Result<Vec<ActorMailbox>, SupervisionRefusal>> {
        self.mailboxes(call).boxed_local()
    }

    fn listen(&self, call: CallId) -> LocalBoxFuture<'_, Result<Listening, SupervisionRefusal>> {
        self.listen(call).boxed_local()
    }

    fn tell_agent(
        &self,
        call: CallId,
        what: Telling,
        text: String,
        by: Operator,
    ) -> LocalBoxFuture<'_, Result<(), SupervisionRefusal>> {
        self.tell_agent(call, what, text, by).boxed_local()
    }

    fn board(&self) -> Board {
        self.board()
    }

    fn health(&self) -> Health {
        self.health()
    }

    fn positions(&self) -> watch::Receiver<i64> {
        self.positions()
    }

    fn metrics(&self) -> Arc<Metrics> {
        self.metrics()
    }

    fn wire(&self) -> Arc<WireLog> {
        self.wire()
    }

    fn outcomes(&self) -> Arc<SharedOutcomes> {
        self.outcomes()
    }

    fn system(&self) -> System {
        self.system()
    }
}
