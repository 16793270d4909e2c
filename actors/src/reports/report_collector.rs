//! Fetches post-call reports that no webhook delivered, and applies them like a webhook.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Supervised, WrapFuture};
use precall_base::clock;
use precall_call::{At, CallId, ConversationId};
use precall_providers::elevenlabs::{ConversationDetail, Webhook, parse_webhook};
use precall_store::connect::within;
use precall_store::error::StoreError;
use precall_store::recovery::{due_conversations, unmatched_reports};
use serde_json::value::RawValue;
use slog::{info, warn};
use tokio::sync::oneshot;

use crate::admission::call_supervisor::{CallSupervisor, HandleReport};
use crate::admission::contract::ReportOutcome;
use crate::call::services::CallServices;

/// Maximum of conversations per round; the others follow in the next.
const ROUND_MAX: i64 = 500;
/// Time limit for applying the kept reports of a round, and for listing the overdue ones.
const KEPT_WITHIN: Duration = Duration::from_secs(60);
const LIST_WITHIN: Duration = Duration::from_secs(10);
const REQUEST_WITHIN: Duration = Duration::from_secs(10);
/// Conversations older than this are given up.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(24 * 3600);

/// Rounds in which a conversation is requested; afterwards only every `SLOW_EVERY` (ElevenLabs facts, section 6).
const FAST_ROUNDS: u32 = 10;
const SLOW_EVERY: Duration = Duration::from_secs(600);

/// Requests so far and time of the next one, by conversation.
type Requests = HashMap<ConversationId, (u32, At)>;

/// Polls the provider for overdue reports.
pub(crate) struct ReportCollector {
    services: Arc<CallServices>,
    supervisor: Addr<CallSupervisor>,
    /// `POSTCALL_WAIT_SECONDS`.
    wait: Duration,
    /// Interval between two rounds.
    every: Duration,
    requests: Requests,
}

impl ReportCollector {
    /// Requests conversations that began longer than `wait` ago, in rounds `every` apart.
    #[must_use]
    pub(crate) fn new(
        services: Arc<CallServices>,
        supervisor: Addr<CallSupervisor>,
        wait: Duration,
        every: Duration,
    ) -> Self {
        Self { services, supervisor, wait, every, requests: Requests::new() }
    }

    fn next_round(&mut self, ctx: &mut Context<Self>) {
        ctx.run_later(self.every, |actor, ctx| {
            let (services, supervisor) = (Arc::clone(&actor.services), actor.supervisor.clone());
            let (wait, requests) = (actor.wait, std::mem::take(&mut actor.requests));
            let round = async move { round(&services, &supervisor, wait, requests).await };
            ctx.spawn(round.into_actor(actor).map(|requests, actor, ctx| {
                actor.requests = requests;
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
    mut requests: Requests,
) -> Requests {
    if !services.persistence_state.can_keep() {
        return requests;
    }
    if let Err(error) = within(KEPT_WITHIN, apply_kept_reports(services, supervisor)).await {
        warn!(services.log, "could not read stored reports"; "error" => %error);
        return requests;
    }
    let due = match within(LIST_WITHIN, due(services, wait)).await {
        Ok(due) => due,
        Err(error) => {
            warn!(services.log, "could not list the overdue reports"; "error" => %error);
            return requests;
        }
    };
    let clients = services.clients.here();
    requests.retain(|conversation, _| due.iter().any(|(_, due)| due == conversation));
    for (call, conversation) in due {
        let now = clock::now();
        let (times, next) = requests.entry(conversation.clone()).or_insert((0, now));
        if *next > now {
            continue;
        }
        *times = times.saturating_add(1);
        if *times >= FAST_ROUNDS {
            *next = now.plus(SLOW_EVERY);
        }
        let detail = clients.bulk.conversation(&conversation, REQUEST_WITHIN).await;
        services.provider.note(&detail);
        match detail {
            Ok(ConversationDetail::Reported(mut report)) => {
                info!(services.log, "report fetched"; "call" => %call);
                report.our_call = Some(call);
                let (answer, _) = oneshot::channel();
                // The call is known, so the raw report is never kept.
                let raw = Box::<RawValue>::default();
                supervisor.do_send(HandleReport { report, raw, answer });
            }
            Ok(ConversationDetail::NotYet { .. }) => {}
            Err(error) => {
                warn!(services.log, "could not fetch a report"; "call" => %call, "error" => %error);
            }
        }
    }
    requests
}

/// Applies reports that were kept because their call was not known.
async fn apply_kept_reports(
    services: &CallServices,
    supervisor: &Addr<CallSupervisor>,
) -> Result<(), StoreError> {
    let client = services.pool.get().await?;
    for (call, body) in unmatched_reports::found(&**client, ROUND_MAX).await? {
        let raw = RawValue::from_string(body.to_string()).unwrap_or_default();
        let Ok(Webhook::Report(mut report)) = parse_webhook(raw.get().as_bytes()) else { continue };
        info!(services.log, "a stored report matched its call"; "call" => %call);
        report.our_call = Some(call);
        let conversation = report.conversation.clone();
        let (answer, outcome) = oneshot::channel();
        supervisor.do_send(HandleReport { report, raw, answer });
        // A report without news writes no event, so no event removes it from the kept ones.
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
