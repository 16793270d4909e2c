//! The greeting of route `callback`: dials it once, reports one outcome.

use std::sync::Arc;

use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, WrapFuture};
use precall_call::{ConversationId, Event, GreetingEnd, Job, Purpose};
use slog::warn;

use crate::call_actor::{CallActor, Happened, PartDown};
use crate::call_context::CallContext;
use crate::clock;
use crate::conversation_lookup;
use crate::death_notice::DeathNotice;
use crate::faults::Point;
use crate::phone_number::E164;
use crate::providers::elevenlabs::{Execution, OutboundCall};
use crate::shared::{Clients, Shared, clients};

/// See the file.
pub struct GreetingActor {
    context: Arc<CallContext>,
    shared: Arc<Shared>,
    call: Addr<CallActor>,
    _notice: DeathNotice<CallActor, PartDown>,
}

impl GreetingActor {
    /// For one call.
    #[must_use]
    pub fn new(context: Arc<CallContext>, shared: Arc<Shared>, call: Addr<CallActor>) -> Self {
        let notice = DeathNotice::new(call.clone(), |panicked| PartDown { job: Job::Greeting, panicked });
        Self { context, shared, call, _notice: notice }
    }
}

impl Actor for GreetingActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.shared.faults.pass(Point::GreetingStarts, self.context.id);
        let (context, shared) = (Arc::clone(&self.context), Arc::clone(&self.shared));
        let call = self.call.clone();
        let dialled = async move {
            let outcome = dial(&context, &shared, &call).await;
            shared.faults.pass(Point::GreetingAnswered, context.id);
            call.do_send(Happened::part(outcome));
        };
        ctx.spawn(dialled.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

async fn dial(context: &CallContext, shared: &Shared, call: &Addr<CallActor>) -> Event {
    let refused = Event::GreetingEnded { end: GreetingEnd::Refused };
    let (Some(clients), Some(to)) = (clients(), context.caller.e164()) else { return refused };
    let started = clock::now();
    let order = order(context, shared, to.clone());
    let answer = clients.dials.outbound_call(&order, shared.settings.dial_within).await;
    shared.provider.note(&answer);
    match answer {
        Ok(dialled) => Event::GreetingStarted { conversation: dialled.conversation },
        Err(error) => {
            warn!(shared.log, "the greeting was not dialled"; "call" => %context.id, "error" => %error,
                "executed" => ?error.execution);
            match error.execution {
                Execution::SurelyNot => refused,
                Execution::Maybe => lost_answer(&clients, context, started, call).await,
            }
        }
    }
}

/// A telephone may be ringing. The call hears that at once, and of the conversation when it is found.
async fn lost_answer(
    clients: &Clients,
    context: &CallContext,
    started: precall_call::At,
    call: &Addr<CallActor>,
) -> Event {
    let unknown = Event::GreetingEnded { end: GreetingEnd::Unknown };
    call.do_send(Happened::part(unknown));
    let found: Option<ConversationId> = conversation_lookup::find(clients, context, &[], started).await;
    match found {
        Some(id) => Event::GreetingStarted { conversation: Some(id) },
        // Nothing is listed: whoever may have been rung, waiting longer helps nobody.
        None => Event::GreetingEnded { end: GreetingEnd::Failed },
    }
}

fn order(context: &CallContext, shared: &Shared, to: E164) -> OutboundCall {
    let line = &context.line;
    OutboundCall {
        telephony: shared.settings.telephony,
        agent_id: line.agent_id.clone(),
        phone_number_id: line.phone_number_id.clone(),
        to,
        call: context.id,
        purpose: Purpose::Greeting,
        voice: line.greeting_voice.clone(),
        first_message: Some(line.greeting_message.clone()),
        language: line.language.clone(),
        max_duration: Some(line.rules.greeting_max),
        ringing_timeout: Some(line.rules.ring_max),
        dynamic_variables: Vec::new(),
    }
}
