//! What the edge asks of the engine. A seam of its own, so that the rules of HTTP are tested without calls.

use std::sync::Arc;

use futures_util::future::{FutureExt as _, LocalBoxFuture};
use precall_actors::api::{
    Busy, ClonedAhead, EngineHandle, ErasureReport, Health, IncomingCall, InitiationAnswer, InitiationAsked,
    LiveCall, NotErased, NotReconciled, PbxNotice, Reconciled, ReportOutcome, Taken,
};
use precall_actors::observe::metrics::Metrics;
use precall_actors::voices::reconcile_rules::Approval;
use precall_call::{CallId, Request};
use precall_providers::elevenlabs::ConversationReport;
use precall_store::events::rows::WebhookRow;
use serde_json::value::RawValue;
use tokio::sync::watch;

/// The engine as the edge sees it.
pub trait Engine: Send + Sync + 'static {
    /// Takes a call in.
    fn incoming(&self, call: IncomingCall) -> LocalBoxFuture<'_, Result<Taken, Busy>>;
    /// Takes what the PBX says of a call.
    fn notice(&self, notice: PbxNotice) -> LocalBoxFuture<'_, Result<Taken, Busy>>;
    /// Takes a provider's report; `raw` can be kept in a `jsonb` column.
    fn report(
        &self,
        report: ConversationReport,
        raw: Box<RawValue>,
    ) -> LocalBoxFuture<'_, Result<ReportOutcome, Busy>>;
    /// Whether a line of ours names this agent.
    fn is_our_agent(&self, agent_id: String) -> LocalBoxFuture<'_, Result<bool, Busy>>;
    /// Keeps a webhook as it came.
    fn keep_webhook(&self, webhook: WebhookRow) -> LocalBoxFuture<'_, Result<(), Busy>>;
    /// Forgets a caller's cached voice; whether there was one.
    fn forget_voice<'a>(&'a self, caller_e164: &'a str) -> LocalBoxFuture<'a, Result<bool, Busy>>;
    /// Brings the voices at the provider and those of the tables in step.
    fn reconcile_voices(&self, approval: Approval) -> LocalBoxFuture<'_, Result<Reconciled, NotReconciled>>;
    /// Clones the voices of frequent callers.
    fn clone_ahead(&self, most: usize) -> LocalBoxFuture<'_, Result<ClonedAhead, String>>;
    /// Erases a caller for good.
    fn erase_caller(
        &self,
        caller: String,
        by: String,
    ) -> LocalBoxFuture<'_, Result<ErasureReport, NotErased>>;
    /// These callers' voices must not be used from now on.
    fn revoke_voices(&self, callers: Vec<String>);
    /// Mappings or consents changed.
    fn look_at_voices(&self);
    /// Which transfer an inbound agent conversation is, from memory.
    fn initiation(&self, asked: &InitiationAsked) -> Option<InitiationAnswer>;
    /// Passes an operator's request on; false when no live call has this id.
    fn request(&self, call: CallId, request: Request) -> LocalBoxFuture<'_, Result<bool, Busy>>;
    /// The live calls.
    fn live(&self) -> Vec<LiveCall>;
    /// How the engine is.
    fn health(&self) -> Health;
    /// The position of the last durable event.
    fn positions(&self) -> watch::Receiver<i64>;
    /// What is counted.
    fn metrics(&self) -> Arc<Metrics>;
}

impl Engine for EngineHandle {
    fn incoming(&self, call: IncomingCall) -> LocalBoxFuture<'_, Result<Taken, Busy>> {
        self.incoming(call).boxed_local()
    }

    fn notice(&self, notice: PbxNotice) -> LocalBoxFuture<'_, Result<Taken, Busy>> {
        self.notice(notice).boxed_local()
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

    fn initiation(&self, asked: &InitiationAsked) -> Option<InitiationAnswer> {
        self.initiation(asked)
    }

    fn request(&self, call: CallId, request: Request) -> LocalBoxFuture<'_, Result<bool, Busy>> {
        self.request(call, request).boxed_local()
    }

    fn live(&self) -> Vec<LiveCall> {
        self.live()
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
}
