//! Fetches the reports that no webhook brought: polls, and applies them by the same function as the webhook.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Supervised, WrapFuture};
use precall_base::clock;
use precall_call::{At, CallId, ConversationId};
use precall_providers::elevenlabs::{ConversationDetail, Webhook, parse_webhook};
use precall_store::error::StoreError;
use precall_store::recovery::{due_conversations, unmatched_reports};
use serde_json::value::RawValue;
use slog::{info, warn};
use tokio::sync::oneshot;

use crate::admission::call_supervisor::{CallSupervisor, ReportCame};
use crate::admission::contract::ReportOutcome;
use crate::call::services::CallServices;

/// Conversations of one round; the others are due in the next.
const ROUND_MAX: i64 = 500;
const ASK_WITHIN: Duration = Duration::from_secs(10);
/// What was not reported within a day never will be.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(24 * 3600);

/// A conversation is asked for in this many rounds; after them only now and then (ElevenLabs facts, section 6).
const ROUNDS_EAGER: u32 = 10;
const SELDOM: Duration = Duration::from_secs(600);

/// How often a conversation was asked for, and when it may be again.
type Asked = HashMap<ConversationId, (u32, At)>;

/// See the file.
pub struct ReportCollector {
    services: Arc<CallServices>,
    supervisor: Addr<CallSupervisor>,
    /// `POSTCALL_WAIT_SECONDS`.
    wait: Duration,
    /// Between two rounds.
    every: Duration,
    asked: Asked,
}

impl ReportCollector {
    /// Asks for conversations that began longer than `wait` ago, in rounds `every` apart.
    #[must_use]
    pub fn new(
        services: Arc<CallServices>,
        supervisor: Addr<CallSupervisor>,
        wait: Duration,
        every: Duration,
    ) -> Self {
        Self { services, supervisor, wait, every, asked: Asked::new() }
    }

    fn next_round(&mut self, ctx: &mut Context<Self>) {
        ctx.run_later(self.every, |actor, ctx| {
            let (services, supervisor) = (Arc::clone(&actor.services), actor.supervisor.clone());
            let (wait, asked) = (actor.wait, std::mem::take(&mut actor.asked));
            let round = async move { round(&services, &supervisor, wait, asked).await };
            ctx.spawn(round.into_actor(actor).map(|asked, actor, ctx| {
                actor.asked = asked;
                actor.next_round(ctx);
            }));
        });
    }
}

impl Actor for ReportCollector {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.next_round(ctx);
    }
}

impl Supervised for ReportCollector {}

async fn round(
    services: &CallServices,
    supervisor: &Addr<CallSupervisor>,
    wait: Duration,
    mut asked: Asked,
) -> Asked {
    if !services.persistence_state.can_keep() {
        return asked;
    }
    if let Err(error) = match_kept(services, supervisor).await {
        warn!(services.log, "kept reports could not be read"; "error" => %error);
        return asked;
    }
    let due = match due(services, wait).await {
        Ok(due) => due,
        Err(error) => {
            warn!(services.log, "overdue reports could not be listed"; "error" => %error);
            return asked;
        }
    };
    let clients = services.clients.here();
    asked.retain(|conversation, _| due.iter().any(|(_, due)| due == conversation));
    for (call, conversation) in due {
        let now = clock::now();
        let (times, next) = asked.entry(conversation.clone()).or_insert((0, now));
        if *next > now {
            continue;
        }
        *times = times.saturating_add(1);
        if *times >= ROUNDS_EAGER {
            *next = now.plus(SELDOM);
        }
        let detail = clients.bulk.conversation(&conversation, ASK_WITHIN).await;
        services.provider.note(&detail);
        match detail {
            Ok(ConversationDetail::Reported(mut report)) => {
                info!(services.log, "a report was fetched"; "call" => %call);
                report.our_call = Some(call);
                let (answer, _) = oneshot::channel();
                // Its call is known, so it is never kept apart.
                let raw = Box::<RawValue>::default();
                supervisor.do_send(ReportCame { report, raw, answer });
            }
            Ok(ConversationDetail::NotYet { .. }) => {}
            Err(error) => {
                warn!(services.log, "a report could not be fetched"; "call" => %call, "error" => %error);
            }
        }
    }
    asked
}

/// Reports that were kept while their call could not be looked for.
async fn match_kept(services: &CallServices, supervisor: &Addr<CallSupervisor>) -> Result<(), StoreError> {
    let client = services.pool.get().await?;
    for (call, body) in unmatched_reports::found(&**client, ROUND_MAX).await? {
        let raw = RawValue::from_string(body.to_string()).unwrap_or_default();
        let Ok(Webhook::Report(mut report)) = parse_webhook(raw.get().as_bytes()) else { continue };
        info!(services.log, "a kept report found its call"; "call" => %call);
        report.our_call = Some(call);
        let conversation = report.conversation.clone();
        let (answer, outcome) = oneshot::channel();
        supervisor.do_send(ReportCame { report, raw, answer });
        // One that says nothing new makes no event that would take it away.
        if let Ok(Ok(ReportOutcome::Applied(_))) = outcome.await {
            unmatched_reports::forget(&**client, conversation.as_str()).await?;
        }
    }
    Ok(())
}

async fn due(services: &CallServices, wait: Duration) -> Result<Vec<(CallId, ConversationId)>, StoreError> {
    let now = clock::now();
    let ago = |span: Duration| At(now.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)));
    let client = services.pool.get().await?;
    due_conversations::due(&**client, ago(GIVEN_UP_AFTER), ago(wait), ROUND_MAX).await
}
