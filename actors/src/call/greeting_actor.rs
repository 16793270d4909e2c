//! The greeting of route `callback`: dials it once, reports one outcome, and watches for its end.
//!
//! A report comes only after the provider has analysed the conversation, which takes longer than a caller likes to wait;
//! that the telephone call itself is over can be seen earlier.

use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, WrapFuture,
};
use precall_base::clock;
use precall_base::phone_number::E164;
use precall_call::{CallPart, ConversationId, Event, GreetingEnd, Purpose};
use precall_providers::elevenlabs::{ConversationDetail, Execution, OutboundCall};
use slog::warn;

use crate::call::call_context::CallContext;
use crate::call::conversation_lookup;
use crate::call::conversation_lookup::{Earlier, Found};
use crate::call::messages::{Happened, PartDown, PartParent};
use crate::call::projection::Payload;
use crate::call::services::CallServices;
use crate::runtime::clients::Clients;
use crate::runtime::down_notice::DownNotice;
use crate::runtime::fault_injection::Point;

/// Between two looks whether the greeting is over.
const LOOK_EVERY: Duration = Duration::from_secs(3);
const LOOK_WITHIN: Duration = Duration::from_secs(5);

/// Whether the greeting is over does not matter any more.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct StopWatching;

/// See the file.
pub struct GreetingActor {
    context: Arc<CallContext>,
    services: Arc<CallServices>,
    call: PartParent,
    earlier: Earlier,
    /// Its dial has an outcome: from then on there is nothing that must not be dropped.
    answered: bool,
    unwatched: bool,
    _notice: DownNotice<PartDown>,
}

impl GreetingActor {
    /// For one call.
    #[must_use]
    pub fn new(
        context: Arc<CallContext>,
        services: Arc<CallServices>,
        call: PartParent,
        earlier: Earlier,
    ) -> Self {
        let notice =
            DownNotice::new(call.down.clone(), |panicked| PartDown { part: CallPart::Greeting, panicked });
        Self { context, services, call, earlier, answered: false, unwatched: false, _notice: notice }
    }
}

impl Actor for GreetingActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.services.faults.pass(Point::GreetingStarts, self.context.id);
        let (context, services, earlier) =
            (Arc::clone(&self.context), Arc::clone(&self.services), self.earlier);
        let call = self.call.happened.clone();
        let dialled = async move {
            let outcome = dial(&context, &services, &call, earlier).await;
            services.faults.pass(Point::GreetingAnswered, context.id);
            call.do_send(Happened::part(outcome.clone()));
            outcome
        };
        ctx.spawn(dialled.into_actor(self).map(|outcome, actor, ctx| {
            actor.answered = true;
            match outcome {
                Event::GreetingStarted { conversation: Some(id) } if !actor.unwatched => actor.watch(id, ctx),
                _ => ctx.stop(),
            }
        }));
    }
}

impl GreetingActor {
    fn watch(&self, id: ConversationId, ctx: &mut Context<Self>) {
        let rules = &self.context.line.rules;
        // Afterwards the call's own deadline looks the greeting up.
        let longest = rules.ring_max + rules.greeting_max;
        let (services, call) = (Arc::clone(&self.services), self.call.happened.clone());
        let watched = async move {
            let _over_or_too_long = tokio::time::timeout(longest, watch(&id, &services, &call)).await;
        };
        ctx.spawn(watched.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

impl Handler<StopWatching> for GreetingActor {
    type Result = ();

    fn handle(&mut self, _: StopWatching, ctx: &mut Context<Self>) {
        self.unwatched = true;
        if self.answered {
            ctx.stop();
        }
    }
}

async fn watch(id: &ConversationId, services: &CallServices, call: &Recipient<Happened>) {
    let clients = services.clients.here();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let detail = clients.bulk.conversation(id, LOOK_WITHIN).await;
        services.provider.note(&detail);
        match detail {
            Ok(ConversationDetail::Reported(report)) => {
                let event = Event::Reported(report.fact());
                call.do_send(Happened { payload: Payload::Report(report), ..Happened::part(event) });
                return;
            }
            // The telephone call is over and is being analysed (ElevenLabs facts, section 6).
            Ok(ConversationDetail::NotYet { status }) if status == "processing" => {
                call.do_send(Happened::part(Event::GreetingEnded { end: GreetingEnd::Played }));
                return;
            }
            Ok(ConversationDetail::NotYet { .. }) | Err(_) => {}
        }
    }
}

async fn dial(
    context: &CallContext,
    services: &CallServices,
    call: &Recipient<Happened>,
    earlier: Earlier,
) -> Event {
    let refused = Event::GreetingEnded { end: GreetingEnd::Refused };
    let Some(to) = context.caller.e164() else { return refused };
    let clients = services.clients.here();
    if !services.persistence_state.leadership().may_act().await {
        return refused;
    }
    if earlier == Earlier::Perhaps {
        match conversation_lookup::begun_earlier(&clients, context, &[]).await {
            Found::Conversation(id) => return Event::GreetingStarted { conversation: Some(id) },
            Found::Nothing => {}
            // Nobody is rung while it is not known whether somebody was.
            Found::Unasked => return refused,
        }
    }
    if !services.take_agent_seat(context.id).await {
        return refused;
    }
    let started = clock::now();
    let order = order(context, services, to.clone());
    let answer = clients.dials.outbound_call(&order, services.dial.dial_within).await;
    services.provider.note(&answer);
    match answer {
        Ok(dialled) => Event::GreetingStarted { conversation: dialled.conversation },
        Err(error) => {
            warn!(services.log, "the greeting was not dialled"; "call" => %context.id, "error" => %error,
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
    call: &Recipient<Happened>,
) -> Event {
    let unknown = Event::GreetingEnded { end: GreetingEnd::Unknown };
    call.do_send(Happened::part(unknown.clone()));
    match conversation_lookup::find(clients, context, &[], started).await {
        Found::Conversation(id) => Event::GreetingStarted { conversation: Some(id) },
        // Nothing is listed: whoever may have been rung, waiting longer helps nobody.
        Found::Nothing => Event::GreetingEnded { end: GreetingEnd::Failed },
        // It may be ringing: the deadline waits for its end.
        Found::Unasked => unknown,
    }
}

fn order(context: &CallContext, services: &CallServices, to: E164) -> OutboundCall {
    let line = &context.line;
    OutboundCall {
        telephony: services.dial.telephony,
        agent_id: line.agent_id.clone(),
        phone_number_id: line.phone_number_id.clone(),
        to,
        call: context.id,
        purpose: Purpose::Greeting,
        voice: line.greeting_voice.clone(),
        first_message: Some(line.spoken_greeting()),
        language: line.language.clone(),
        max_duration: Some(line.rules.greeting_max),
        ringing_timeout: Some(line.rules.ring_max),
        dynamic_variables: Vec::new(),
    }
}
