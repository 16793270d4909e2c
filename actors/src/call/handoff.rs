//! One handoff attempt. Route `callback`: an outbound call by the agent. Other routes: an agent on the caller's leg, or
//! a transfer of that leg. It never retries a request that may have been executed.

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
use crate::call::conversation_lookup::{EarlierDial, LookupResult};
use crate::call::leg_player::ConnectedLeg;
use crate::call::messages::{AgentOrdered, CallEvent, PartDown};
use crate::call::services::CallServices;
use crate::runtime::down_notice::DownNotice;
use crate::runtime::fault_injection::Point;

/// One attempt, as the call's actor orders it.
#[derive(Clone)]
pub struct HandoffOrder {
    /// Counts from 1.
    pub number: u8,
    /// The rung of the handoff ladder.
    pub rung: Rung,
    /// The voice. `None`: the agent's own voice.
    pub voice: Option<VoiceId>,
    /// The call's conversations that are already known.
    pub known: Vec<ConversationId>,
    /// Whether an earlier process may already have dialled the agent.
    pub earlier: EarlierDial,
    /// The person to transfer to, on rung `person`.
    pub person: Option<Person>,
    /// The caller's leg, if there is one.
    pub leg: Option<ConnectedLeg>,
    /// Whether the leg has a player. Without one an agent cannot be heard.
    pub has_player: bool,
    /// Utterances recorded on the bridge so far.
    pub utterances: u32,
}

/// The recipients of a handoff's messages. The agent order goes to the call, which passes it to the leg's player.
#[derive(Clone)]
pub struct HandoffParent {
    /// Receives the outcome.
    pub events: Recipient<CallEvent>,
    /// Receives the agent order.
    pub ordered: Recipient<AgentOrdered>,
    /// Notified when the handoff has stopped.
    pub down: Recipient<PartDown>,
}

/// Cancels the attempt: the call does not wait for its outcome any more.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct CancelHandoff;

/// One handoff attempt of one call.
pub struct Handoff {
    order: HandoffOrder,
    context: Arc<CallContext>,
    services: Arc<CallServices>,
    call: HandoffParent,
    _notice: DownNotice<PartDown>,
}

impl Handoff {
    /// A handoff that makes one attempt.
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
        let attempted = async move {
            let outcomes = attempt(&order, &context, &services, &call.ordered).await;
            services.faults.pass(Point::HandoffAnswered, context.id);
            for outcome in outcomes {
                call.events.do_send(CallEvent::part(outcome));
            }
        };
        ctx.spawn(attempted.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

impl Handler<CancelHandoff> for Handoff {
    type Result = ();

    fn handle(&mut self, _: CancelHandoff, ctx: &mut Context<Self>) {
        // If the caller calls again within a minute, two expected transfers would match and neither would get its
        // voice.
        self.services.transfers.withdraw(self.context.id);
        ctx.stop();
    }
}

async fn attempt(
    order: &HandoffOrder,
    context: &CallContext,
    services: &CallServices,
    ordered: &Recipient<AgentOrdered>,
) -> Vec<Event> {
    if !services.persistence_state.leadership().may_act().await {
        return vec![Event::HandoffFailed { attempt: order.number, why: HandoffFailure::Refused }];
    }
    if order.rung.bridges() {
        return bridge::prepare(order, context, services, ordered).await.into_iter().collect();
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
    if order.earlier == EarlierDial::Possible {
        match conversation_lookup::find_earlier(&clients, context, &order.known).await {
            LookupResult::Found(id) => {
                return Event::HandoffSucceeded { attempt: number, conversation: Some(id) };
            }
            LookupResult::NotFound => {}
            // Do not dial while an earlier dial can neither be confirmed nor ruled out.
            LookupResult::Unavailable => return failed(HandoffFailure::Refused),
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
    warn!(services.log, "could not dial the agent"; "call" => %context.id, "attempt" => number,
        "rung" => order.rung.name(), "error" => %error, "executed" => ?error.execution);
    match error.execution {
        Execution::SurelyNot => failed(HandoffFailure::Refused),
        Execution::Maybe => {
            let found = conversation_lookup::find(&clients, context, &order.known, started).await;
            match found {
                LookupResult::Found(id) => {
                    Event::HandoffSucceeded { attempt: number, conversation: Some(id) }
                }
                LookupResult::NotFound | LookupResult::Unavailable => failed(HandoffFailure::Unknown),
            }
        }
    }
}
