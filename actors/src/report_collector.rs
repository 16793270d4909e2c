//! Fetches the reports that no webhook brought: polls, and applies them by the same function as the webhook.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Supervised, WrapFuture};
use precall_call::{CallId, ConversationId};
use slog::{info, warn};
use tokio::sync::oneshot;

use crate::clock;
use crate::providers::elevenlabs::ConversationDetail;
use crate::shared::{Shared, clients};
use crate::store::due_conversations;
use crate::store::error::StoreError;
use crate::supervisor::{CallSupervisor, ReportCame};

/// Conversations of one round; the others are due in the next.
const ROUND_MAX: i64 = 50;
const ASK_WITHIN: Duration = Duration::from_secs(10);
/// What was not reported within a day never will be.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(24 * 3600);

/// See the file.
pub struct ReportCollector {
    shared: Arc<Shared>,
    supervisor: Addr<CallSupervisor>,
    /// `POSTCALL_WAIT_SECONDS`.
    wait: Duration,
    /// Between two rounds.
    every: Duration,
}

impl ReportCollector {
    /// Asks for conversations that began longer than `wait` ago, in rounds `every` apart.
    #[must_use]
    pub fn new(
        shared: Arc<Shared>,
        supervisor: Addr<CallSupervisor>,
        wait: Duration,
        every: Duration,
    ) -> Self {
        Self { shared, supervisor, wait, every }
    }

    fn next_round(&mut self, ctx: &mut Context<Self>) {
        ctx.run_later(self.every, |actor, ctx| {
            let (shared, supervisor) = (Arc::clone(&actor.shared), actor.supervisor.clone());
            let wait = actor.wait;
            let round = async move { round(&shared, &supervisor, wait).await };
            ctx.spawn(round.into_actor(actor).map(|(), actor, ctx| actor.next_round(ctx)));
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

async fn round(shared: &Shared, supervisor: &Addr<CallSupervisor>, wait: Duration) {
    if !shared.persistence_state.can_keep() {
        return;
    }
    let due = match due(shared, wait).await {
        Ok(due) => due,
        Err(error) => {
            warn!(shared.log, "overdue reports could not be listed"; "error" => %error);
            return;
        }
    };
    let Some(clients) = clients() else { return };
    for (call, conversation) in due {
        let detail = clients.bulk.conversation(&conversation, ASK_WITHIN).await;
        shared.provider.note(&detail);
        match detail {
            Ok(ConversationDetail::Reported(mut report)) => {
                info!(shared.log, "a report was fetched"; "call" => %call);
                report.our_call = Some(call);
                let (answer, _) = oneshot::channel();
                // Its call is known, so it is never kept apart.
                let raw = Box::<serde_json::value::RawValue>::default();
                supervisor.do_send(ReportCame { report, raw, answer });
            }
            Ok(ConversationDetail::NotYet { .. }) => {}
            Err(error) => {
                warn!(shared.log, "a report could not be fetched"; "call" => %call, "error" => %error);
            }
        }
    }
}

async fn due(shared: &Shared, wait: Duration) -> Result<Vec<(CallId, ConversationId)>, StoreError> {
    let now = clock::now();
    let ago = |span: Duration| {
        precall_call::At(now.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    };
    let client = shared.pool.get().await?;
    due_conversations::due(&**client, ago(GIVEN_UP_AFTER), ago(wait), ROUND_MAX).await
}
