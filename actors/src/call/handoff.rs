//! One attempt to bring somebody in: an outbound agent call on route `callback`; on the others an agent on the
//! caller's own leg, or a routing of that leg. It never retries what may have been executed.

mod bridge;
mod route;

use std::sync::Arc;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, WrapFuture,
};
use precall_base::clock;
use precall_call::{CallPart, ConversationId, Event, HandoffFailure, Person, Purpose, Rung, VoiceId};
use precall_providers::elevenlabs::{Execution, OutboundCall};
use slog::warn;

use crate::call::call_context::CallContext;
use crate::call::conversation_lookup;
use crate::call::conversation_lookup::{Earlier, Found};
use crate::call::leg_player::ConnectedLeg;
use crate::call::messages::{AgentOrdered, Happened, PartDown};
use crate::call::services::CallServices;
use crate::runtime::down_notice::DownNotice;
use crate::runtime::fault_injection::Point;

/// What one attempt is to try, as the call's actor orders it.
#[derive(Clone)]
pub struct HandoffOrder {
    /// Counts from 1.
    pub number: u8,
    /// The rung of the ladder.
    pub rung: Rung,
    /// The voice; none leaves the agent's own.
    pub voice: Option<VoiceId>,
    /// Conversations of this call that are known already.
    pub known: Vec<ConversationId>,
    /// Whether this attempt, or one like it, may have been made before.
    pub earlier: Earlier,
    /// Whom the leg is to be routed to, on the rung of that name.
    pub person: Option<Person>,
    /// The caller's leg, where there is one.
    pub leg: Option<ConnectedLeg>,
    /// Whether something plays into it: without a player no agent is heard there.
    pub has_player: bool,
    /// Utterances that were heard on the bridge before.
    pub utterances: u32,
}

/// Where a handoff reports to. The agent order goes to the call, which hands it to the player of its leg.
#[derive(Clone)]
pub struct HandoffParent {
    /// Hears the outcome.
    pub happened: Recipient<Happened>,
    /// Hears how the agent is reached.
    pub ordered: Recipient<AgentOrdered>,
    /// Hears when the handoff is gone.
    pub down: Recipient<PartDown>,
}

/// Nobody waits for the outcome any more.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct GiveUp;

/// See the file.
pub struct Handoff {
    order: HandoffOrder,
    context: Arc<CallContext>,
    services: Arc<CallServices>,
    call: HandoffParent,
    _notice: DownNotice<PartDown>,
}

impl Handoff {
    /// For one attempt of one call.
    #[must_use]
    pub fn new(
        order: HandoffOrder,
        context: Arc<CallContext>,
        services: Arc<CallServices>,
        call: HandoffParent,
    ) -> Self {
        let notice =
            DownNotice::new(call.down.clone(), |panicked| PartDown { part: CallPart::Handoff, panicked });
        Self { order, context, services, call, _notice: notice }
    }
}

impl Actor for Handoff {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.services.faults.pass(Point::HandoffStarts, self.context.id);
        let (context, services) = (Arc::clone(&self.context), Arc::clone(&self.services));
        let (order, call) = (self.order.clone(), self.call.clone());
        let made = async move {
            let outcomes = make(&order, &context, &services, &call.ordered).await;
            services.faults.pass(Point::HandoffAnswered, context.id);
            for outcome in outcomes {
                call.happened.do_send(Happened::part(outcome));
            }
        };
        ctx.spawn(made.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

impl Handler<GiveUp> for Handoff {
    type Result = ();

    fn handle(&mut self, _: GiveUp, ctx: &mut Context<Self>) {
        // Whoever rings again within the minute must not be one of two.
        self.services.transfers.withdraw(self.context.id);
        ctx.stop();
    }
}

async fn make(
    order: &HandoffOrder,
    context: &CallContext,
    services: &CallServices,
    ordered: &Recipient<AgentOrdered>,
) -> Vec<Event> {
    if !services.persistence_state.leadership().may_act().await {
        return vec![Event::HandoffFailed { attempt: order.number, why: HandoffFailure::Refused }];
    }
    if order.rung.bridges() {
        return bridge::bring(order, context, services, ordered).await.into_iter().collect();
    }
    if order.rung.routes() {
        return route::route(order, context, services).await;
    }
    vec![dial(order, context, services).await]
}

async fn dial(order: &HandoffOrder, context: &CallContext, services: &CallServices) -> Event {
    let number = order.number;
    let failed = |why| Event::HandoffFailed { attempt: number, why };
    if !order.rung.dials() {
        return failed(HandoffFailure::Refused);
    }
    let Some(to) = context.caller.e164() else {
        return failed(HandoffFailure::Refused);
    };
    let clients = services.clients.here();
    let line = &context.line;
    let outbound = OutboundCall {
        telephony: services.dial.telephony,
        agent_id: line.agent_id.clone(),
        phone_number_id: line.phone_number_id.clone(),
        to: to.clone(),
        call: context.id,
        purpose: Purpose::Agent,
        voice: order.voice.clone(),
        first_message: None,
        language: line.language.clone(),
        max_duration: Some(line.rules.conversation_max),
        ringing_timeout: Some(line.rules.ring_max),
        dynamic_variables: Vec::new(),
    };
    if order.earlier == Earlier::Perhaps {
        match conversation_lookup::begun_earlier(&clients, context, &order.known).await {
            Found::Conversation(id) => {
                return Event::HandoffSucceeded { attempt: number, conversation: Some(id) };
            }
            Found::Nothing => {}
            // Nobody is rung while it is not known whether somebody was.
            Found::Unasked => return failed(HandoffFailure::Refused),
        }
    }
    if !services.take_agent_seat(context.id).await {
        return failed(HandoffFailure::Refused);
    }
    let started = clock::now();
    let answer = clients.dials.outbound_call(&outbound, services.dial.dial_within).await;
    services.provider.note(&answer);
    let error = match answer {
        Ok(dialled) => {
            return Event::HandoffSucceeded { attempt: number, conversation: dialled.conversation };
        }
        Err(error) => error,
    };
    warn!(services.log, "the agent was not dialled"; "call" => %context.id, "attempt" => number,
        "rung" => order.rung.name(), "error" => %error, "executed" => ?error.execution);
    match error.execution {
        Execution::SurelyNot => failed(HandoffFailure::Refused),
        Execution::Maybe => {
            let found = conversation_lookup::find(&clients, context, &order.known, started).await;
            match found {
                Found::Conversation(id) => {
                    Event::HandoffSucceeded { attempt: number, conversation: Some(id) }
                }
                Found::Nothing | Found::Unasked => failed(HandoffFailure::Unknown),
            }
        }
    }
}
