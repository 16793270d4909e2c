//! One attempt to bring somebody in: an outbound agent call on route `callback`; on the others an agent on the caller's own leg, or a
//! routing of that leg.
//! It never retries what may have been executed.

mod bridge;
mod route;

use std::sync::Arc;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, WrapFuture,
};
use precall_base::clock;
use precall_call::{ConversationId, Event, HandoffFailure, Job, Person, Purpose, Rung, VoiceId};
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

/// What is to be tried.
#[derive(Clone)]
pub struct Attempt {
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
    /// Lines that were spoken on the bridge before.
    pub lines: u32,
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
    attempt: Attempt,
    context: Arc<CallContext>,
    services: Arc<CallServices>,
    call: HandoffParent,
    _notice: DownNotice<PartDown>,
}

impl Handoff {
    /// For one attempt of one call.
    #[must_use]
    pub fn new(
        attempt: Attempt,
        context: Arc<CallContext>,
        services: Arc<CallServices>,
        call: HandoffParent,
    ) -> Self {
        let notice = DownNotice::new(call.down.clone(), |panicked| PartDown { job: Job::Handoff, panicked });
        Self { attempt, context, services, call, _notice: notice }
    }
}

impl Actor for Handoff {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.services.faults.pass(Point::HandoffStarts, self.context.id);
        let (context, services) = (Arc::clone(&self.context), Arc::clone(&self.services));
        let (attempt, call) = (self.attempt.clone(), self.call.clone());
        let made = async move {
            let outcomes = make(&attempt, &context, &services, &call.ordered).await;
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
    attempt: &Attempt,
    context: &CallContext,
    services: &CallServices,
    ordered: &Recipient<AgentOrdered>,
) -> Vec<Event> {
    if !services.persistence_state.stand().may_act().await {
        return vec![Event::HandoffFailed { attempt: attempt.number, why: HandoffFailure::Refused }];
    }
    if attempt.rung.bridges() {
        return bridge::bring(attempt, context, services, ordered).await.into_iter().collect();
    }
    if attempt.rung.routes() {
        return route::route(attempt, context, services).await;
    }
    vec![dial(attempt, context, services).await]
}

async fn dial(attempt: &Attempt, context: &CallContext, services: &CallServices) -> Event {
    let number = attempt.number;
    let failed = |why| Event::HandoffFailed { attempt: number, why };
    if !attempt.rung.dials() {
        return failed(HandoffFailure::Refused);
    }
    let Some(to) = context.caller.e164() else {
        return failed(HandoffFailure::Refused);
    };
    let clients = services.clients.here();
    let line = &context.line;
    let order = OutboundCall {
        telephony: services.dial.telephony,
        agent_id: line.agent_id.clone(),
        phone_number_id: line.phone_number_id.clone(),
        to: to.clone(),
        call: context.id,
        purpose: Purpose::Agent,
        voice: attempt.voice.clone(),
        first_message: None,
        language: line.language.clone(),
        max_duration: Some(line.rules.conversation_max),
        ringing_timeout: Some(line.rules.ring_max),
        dynamic_variables: Vec::new(),
    };
    if attempt.earlier == Earlier::Perhaps {
        match conversation_lookup::begun_earlier(&clients, context, &attempt.known).await {
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
    let answer = clients.dials.outbound_call(&order, services.dial.dial_within).await;
    services.provider.note(&answer);
    let error = match answer {
        Ok(dialled) => {
            return Event::HandoffSucceeded { attempt: number, conversation: dialled.conversation };
        }
        Err(error) => error,
    };
    warn!(services.log, "the agent was not dialled"; "call" => %context.id, "attempt" => number,
        "rung" => attempt.rung.name(), "error" => %error, "executed" => ?error.execution);
    match error.execution {
        Execution::SurelyNot => failed(HandoffFailure::Refused),
        Execution::Maybe => {
            let found = conversation_lookup::find(&clients, context, &attempt.known, started).await;
            match found {
                Found::Conversation(id) => {
                    Event::HandoffSucceeded { attempt: number, conversation: Some(id) }
                }
                Found::Nothing | Found::Unasked => failed(HandoffFailure::Unknown),
            }
        }
    }
}
