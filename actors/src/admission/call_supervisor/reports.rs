//! Reports of the provider: finds the call of each report, and stores reports without a known call.

use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext, Context, Handler, Message};
use precall_call::{At, CallId, ConversationId, Event};
use precall_providers::elevenlabs::{ConversationReport, Webhook, parse_webhook};
use precall_store::connect::within;
use precall_store::error::StoreError;
use precall_store::events::rows::{KeptReport, RowWrite};
use precall_store::recovery::{due_conversations, unmatched_reports};
use slog::{info, warn};
use tokio::sync::oneshot;

use super::{ANSWER_WITHIN, CallSupervisor, ConversationKnown, Deliver, Delivery, HandleReport};
use crate::admission::contract::{Busy, ReportOutcome};
use crate::call::messages::Done;
use crate::call::projection::{Payload, matched};
use crate::call::services::CallServices;
use crate::durability::persistence::WriteRow;

/// Most stored reports that can still match a call; older ones stay in the table for operators.
const UNMATCHED_MAX: usize = 10_000;
/// Time limit for reading stored reports.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// A report was stored because no call has its conversation yet.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct UnmatchedReportStored(ConversationId);

impl CallSupervisor {
    fn handle_report(&mut self, message: HandleReport, ctx: &mut Context<Self>) {
        let HandleReport { report, raw, answer } = message;
        if !self.ready || !self.services.persistence_state.can_keep() {
            let _ = answer.send(Err(Busy::CannotKeep));
            return;
        }
        // An agent that no line names may answer a transferred call; its report still names our call.
        let names_our_call = report.our_call.is_some_and(|call| self.registry.knows(call));
        let agent_is_ours = report.agent_id.as_deref().is_none_or(|agent| self.agents.contains(agent));
        if !agent_is_ours && !names_our_call {
            let _ = answer.send(Ok(ReportOutcome::NotOurs));
            return;
        }
        let known = report.our_call.or_else(|| self.conversations.get(&report.conversation).copied());
        // A finished call must be read back for its report, which needs the database.
        let persistence = &self.services.persistence_state;
        let is_away = persistence.failing() || persistence.spool().is_in_use();
        let known = known.filter(|call| {
            let has_actor = self.live.contains_key(call) || self.awaiting_log.contains_key(call);
            has_actor || !is_away && !persistence.spool().awaits_import(*call)
        });
        let (services, supervisor) = (Arc::clone(&self.services), ctx.address());
        actix::spawn(async move {
            let routed = route(&services, &supervisor, known, report, &raw);
            let outcome = tokio::time::timeout(ANSWER_WITHIN, routed).await.unwrap_or(Err(Busy::TooSlow));
            let _ = answer.send(outcome);
        });
    }

    /// Delivers the stored reports of this conversation to its call.
    fn match_stored_reports(&mut self, call: CallId, conversation: ConversationId, ctx: &mut Context<Self>) {
        if !self.unmatched.remove(&conversation) {
            return;
        }
        let (services, supervisor) = (Arc::clone(&self.services), ctx.address());
        actix::spawn(async move {
            let bodies = stored_bodies(&services, &conversation).await;
            let bodies = bodies.unwrap_or_else(|error| {
                warn!(services.log, "could not read stored reports"; "error" => %error);
                Vec::new()
            });
            for body in bodies {
                let Ok(Webhook::Report(report)) = parse_webhook(body.to_string().as_bytes()) else {
                    continue;
                };
                info!(services.log, "a stored report matched its call"; "call" => %call);
                let (done, _) = oneshot::channel();
                supervisor.do_send(Deliver { call, delivery: delivery(report, done) });
            }
        });
    }
}

fn delivery(report: Box<ConversationReport>, done: Done) -> Delivery {
    let derived = vec![matched(&report)];
    let event = Event::Reported(report.fact());
    Delivery { derived, ..Delivery::awaited(event, Payload::Report(report), done) }
}

async fn route(
    services: &CallServices,
    supervisor: &actix::Addr<CallSupervisor>,
    known: Option<CallId>,
    report: Box<ConversationReport>,
    raw: &serde_json::value::RawValue,
) -> Result<ReportOutcome, Busy> {
    let call = match known {
        Some(call) => Some(call),
        // If the database does not answer now, the call is searched later.
        None => stored_call(services, &report.conversation).await.unwrap_or_else(|error| {
            warn!(services.log, "could not search the call of a report, storing the report"; "error" => %error);
            None
        }),
    };
    if let Some(call) = call {
        let (done, durable) = oneshot::channel();
        supervisor.do_send(Deliver { call, delivery: delivery(report.clone(), done) });
        if durable.await.is_ok() {
            return Ok(ReportOutcome::Applied(call));
        }
        // No such call here: the report may be another installation's, or too early.
    }
    store_report(services, &report, raw).await?;
    supervisor.do_send(UnmatchedReportStored(report.conversation));
    Ok(ReportOutcome::Kept)
}

async fn stored_call(
    services: &CallServices,
    conversation: &ConversationId,
) -> Result<Option<CallId>, StoreError> {
    let client = services.pool.get().await?;
    due_conversations::call_of(&**client, conversation).await
}

async fn store_report(
    services: &CallServices,
    report: &ConversationReport,
    raw: &serde_json::value::RawValue,
) -> Result<(), Busy> {
    let report = KeptReport {
        conversation_id: report.conversation.as_str().to_owned(),
        kind: report.source.name().into(),
        event_timestamp: report.event_timestamp.unwrap_or(At(0)).0,
        body: serde_json::from_str(raw.get()).unwrap_or_default(),
    };
    let (done, written) = oneshot::channel();
    services.persistence.do_send(WriteRow { row: RowWrite::ReportKept(report), done });
    written.await.map_err(|_| Busy::CannotKeep)
}

async fn stored_bodies(
    services: &CallServices,
    conversation: &ConversationId,
) -> Result<Vec<serde_json::Value>, StoreError> {
    let read = within(READ_WITHIN, async {
        let client = services.pool.get().await?;
        unmatched_reports::of_conversation(&**client, conversation.as_str()).await
    });
    read.await
}

/// Asks whether one of our lines uses this agent.
#[derive(Message)]
#[rtype(result = "bool")]
pub struct IsOurAgent(pub String);

/// The ids of all lines, the default line first.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Vec<String>")]
pub struct LineIds;

impl Handler<LineIds> for CallSupervisor {
    type Result = Vec<String>;

    fn handle(&mut self, _: LineIds, _: &mut Context<Self>) -> Vec<String> {
        // A line on trial is there once for each of its versions.
        let mut ids: Vec<String> = Vec::new();
        for line in self.lines.all() {
            if !ids.iter().any(|id| *id == line.id.as_str()) {
                ids.push(line.id.to_string());
            }
        }
        ids
    }
}

impl Handler<IsOurAgent> for CallSupervisor {
    type Result = bool;

    fn handle(&mut self, IsOurAgent(agent): IsOurAgent, _: &mut Context<Self>) -> bool {
        self.agents.contains(&agent)
    }
}

impl Handler<HandleReport> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, message: HandleReport, ctx: &mut Context<Self>) {
        self.handle_report(message, ctx);
    }
}

impl Handler<ConversationKnown> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, message: ConversationKnown, ctx: &mut Context<Self>) {
        let ConversationKnown { call, conversation } = message;
        self.conversations.insert(conversation.clone(), call);
        self.match_stored_reports(call, conversation, ctx);
    }
}

impl Handler<UnmatchedReportStored> for CallSupervisor {
    type Result = ();

    fn handle(
        &mut self,
        UnmatchedReportStored(conversation): UnmatchedReportStored,
        ctx: &mut Context<Self>,
    ) {
        if self.unmatched.len() < UNMATCHED_MAX {
            self.unmatched.insert(conversation.clone());
        }
        // The conversation may have become known while the report was being stored.
        if let Some(call) = self.conversations.get(&conversation).copied() {
            self.match_stored_reports(call, conversation, ctx);
        }
    }
}
