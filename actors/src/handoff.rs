//! One attempt to bring somebody in: an outbound agent call on route `callback`; on the others an agent on the
//! caller's own leg, or a routing of that leg. It never retries what may have been executed.

mod bridging;
mod routing;

use std::sync::Arc;

use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message, WrapFuture};
use precall_call::{CallPart, ConversationId, Event, HandoffFailure, Person, Purpose, Rung, VoiceId};
use slog::warn;

use crate::call_actor::{CallActor, Happened, PartDown};
use crate::call_context::CallContext;
use crate::clock;
use crate::conversation_lookup::{self, Earlier, Found};
use crate::death_notice::DeathNotice;
use crate::faults::Point;
use crate::greeting_player::GreetingPlayer;
use crate::providers::elevenlabs::{Execution, OutboundCall};
use crate::providers::threecx::address::LegAddress;
use crate::shared::{Shared, clients};

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
    pub leg: Option<LegAddress>,
    /// What plays into it.
    pub player: Option<Addr<GreetingPlayer>>,
    /// Utterances that were heard on the bridge before.
    pub utterances: u32,
}

/// Nobody waits for the outcome any more.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct GiveUp;

/// See the file.
pub struct Handoff {
    order: HandoffOrder,
    context: Arc<CallContext>,
    shared: Arc<Shared>,
    call: Addr<CallActor>,
    _notice: DeathNotice<CallActor, PartDown>,
}

impl Handoff {
    /// For one attempt of one call.
    #[must_use]
    pub fn new(
        order: HandoffOrder,
        context: Arc<CallContext>,
        shared: Arc<Shared>,
        call: Addr<CallActor>,
    ) -> Self {
        let notice =
            DeathNotice::new(call.clone(), |panicked| PartDown { part: CallPart::Handoff, panicked });
        Self { order, context, shared, call, _notice: notice }
    }
}

impl Actor for Handoff {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.shared.faults.pass(Point::HandoffStarts, self.context.id);
        let (context, shared) = (Arc::clone(&self.context), Arc::clone(&self.shared));
        let (order, call) = (self.order.clone(), self.call.clone());
        let made = async move {
            let outcomes = make(&order, &context, &shared).await;
            shared.faults.pass(Point::HandoffAnswered, context.id);
            for outcome in outcomes {
                call.do_send(Happened::part(outcome));
            }
        };
        ctx.spawn(made.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

impl Handler<GiveUp> for Handoff {
    type Result = ();

    fn handle(&mut self, _: GiveUp, ctx: &mut Context<Self>) {
        // Whoever rings again within the minute must not be one of two.
        self.shared.withdraw_transfer(self.context.id);
        ctx.stop();
    }
}

async fn make(order: &HandoffOrder, context: &CallContext, shared: &Shared) -> Vec<Event> {
    if !shared.persistence_state.stand().may_act().await {
        return vec![Event::HandoffFailed { attempt: order.number, why: HandoffFailure::Refused }];
    }
    if order.rung.bridges() {
        return bridging::bring(order, context, shared).await.into_iter().collect();
    }
    if order.rung.routes() {
        return routing::route(order, context, shared).await;
    }
    vec![dial(order, context, shared).await]
}

async fn dial(order: &HandoffOrder, context: &CallContext, shared: &Shared) -> Event {
    let number = order.number;
    let failed = |why| Event::HandoffFailed { attempt: number, why };
    if !order.rung.dials() {
        return failed(HandoffFailure::Refused);
    }
    let (Some(clients), Some(to)) = (clients(), context.caller.e164()) else {
        return failed(HandoffFailure::Refused);
    };
    let line = &context.line;
    let outbound = OutboundCall {
        telephony: shared.settings.telephony,
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
    if !shared.agent_seat(context.id).await {
        return failed(HandoffFailure::Refused);
    }
    let started = clock::now();
    let answer = clients.dials.outbound_call(&outbound, shared.settings.dial_within).await;
    shared.provider.note(&answer);
    let error = match answer {
        Ok(dialled) => {
            return Event::HandoffSucceeded { attempt: number, conversation: dialled.conversation };
        }
        Err(error) => error,
    };
    warn!(shared.log, "the agent was not dialled"; "call" => %context.id, "attempt" => number,
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
