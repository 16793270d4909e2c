//! One handoff attempt. Route `callback`: an outbound call by the agent. Other routes: an agent on the caller's leg, or
//! a transfer of that leg. It never retries a request that may have been executed.

mod bridge;
mod route;

use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, WrapFuture,
};
use precall_base::clock;
use precall_call::{CallPart, ConversationId, Event, HandoffFailure, Person, Purpose, Rung, VoiceId};
use precall_providers::elevenlabs::{Execution, OutboundCall, refuses_override};
use precall_providers::trace_context::TracedPart;
use precall_providers::wire_record::tapped;
use slog::warn;

use crate::call::agent_settings::Override;
use crate::call::call_context::CallContext;
use crate::call::conversation_lookup;
use crate::call::conversation_lookup::{EarlierDial, LookupResult};
use crate::call::leg_player::ConnectedLeg;
use crate::call::messages::{AgentOrdered, CallEvent, PartDown};
use crate::call::outbound_dial;
use crate::call::projection::Payload;
use crate::call::services::{CallServices, NO_SEAT, NOT_LEADER};
use crate::runtime::down_notice::DownNotice;
use crate::runtime::fault_injection::Point;
use crate::runtime::mailbox_age::AreYouThere;

/// Why an attempt in the cloned voice was not made.
const NO_VOICE_OVERRIDE: &str = "the agent does not allow the override tts.voice_id";

/// A call of the canary by telephone ends after this time, if the agent lets its duration be set.
const CANARY_TALK_MAX: Duration = Duration::from_secs(30);

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
    /// Whether the caller is in a conversation already, which the agent goes on with.
    pub continues: bool,
}

impl HandoffOrder {
    /// Whether the attempt is made for the cloned voice only, and the agent does not let its voice be set.
    fn needs_refused_voice(&self, may_send: &impl Fn(Override) -> bool) -> bool {
        self.rung.takes_clone() && !self.rung.routes() && self.voice.is_some() && !may_send(Override::Voice)
    }
}

/// The outcome of an attempt, and the words that explain it.
pub(crate) struct Told {
    event: Event,
    payload: Payload,
}

impl Told {
    pub(crate) fn plain(event: Event) -> Self {
        Self { event, payload: Payload::None }
    }

    pub(crate) fn failed(attempt: u8, why: HandoffFailure, words: impl ToString) -> Self {
        let payload = Payload::Detail(words.to_string());
        Self { event: Event::HandoffFailed { attempt, why }, payload }
    }
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
        let tap = self.services.wire.tap(self.context.id);
        let attempted = tapped(tap, async move {
            let outcomes = attempt(&order, &context, &services, &call.ordered).await;
            services.faults.pass(Point::HandoffAnswered, context.id);
            for Told { event, payload } in outcomes {
                call.events.do_send(CallEvent { payload, ..CallEvent::part(event) });
            }
        });
        ctx.spawn(attempted.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

impl Handler<AreYouThere> for Handoff {
    type Result = ();

    fn handle(&mut self, _: AreYouThere, _: &mut Context<Self>) {}
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
) -> Vec<Told> {
    // Rings nobody: the agent comes to the leg that this process carries, also while the database is away.
    if order.rung.bridges() {
        return bridge::prepare(order, context, services, ordered).await.into_iter().collect();
    }
    let Some(_under_way) = services.persistence_state.may_act().await else {
        return vec![Told::failed(order.number, HandoffFailure::Refused, NOT_LEADER)];
    };
    if order.rung.routes() {
        return route::route(order, context, services).await;
    }
    vec![dial(order, context, services).await]
}

async fn dial(order: &HandoffOrder, context: &CallContext, services: &CallServices) -> Told {
    let number = order.number;
    let reached = |conversation| Told::plain(Event::HandoffSucceeded { attempt: number, conversation });
    let failed = |why, words: &dyn ToString| Told::failed(number, why, words.to_string());
    let (true, Some(to)) = (order.rung.dials(), context.caller.e164()) else {
        return failed(HandoffFailure::Refused, &"the caller has no number that can be dialled");
    };
    let clients = services.clients.here();
    let line = &context.line;
    if order.earlier == EarlierDial::Possible {
        match conversation_lookup::find_earlier(&clients, context, &order.known).await {
            LookupResult::Found(id) => return reached(Some(id)),
            LookupResult::NotFound => {}
            // Do not dial while an earlier dial can neither be confirmed nor ruled out.
            LookupResult::Unavailable => {
                return failed(HandoffFailure::Refused, &conversation_lookup::UNAVAILABLE);
            }
        }
    }
    let terms = services.agent_settings.of(&clients, &line.agent_id).await;
    let may_send = |which| services.agent_settings.may_send(&line.agent_id, &terms, which);
    if order.needs_refused_voice(&may_send) {
        return failed(HandoffFailure::VoiceRefused, &NO_VOICE_OVERRIDE);
    }
    if !services.take_agent_seat(context).await {
        return failed(HandoffFailure::Refused, &NO_SEAT);
    }
    let outbound = OutboundCall {
        telephony: services.dial.telephony,
        agent_id: line.agent_id.clone(),
        phone_number_id: line.phone_number_id.clone(),
        to: to.clone(),
        call: context.id,
        purpose: Purpose::Agent,
        voice: order.voice.clone().filter(|_| may_send(Override::Voice)),
        first_message: None,
        language: line.language.clone().filter(|_| may_send(Override::Language)),
        max_duration: Some(if context.canary { CANARY_TALK_MAX } else { line.rules.conversation_max })
            .filter(|_| may_send(Override::MaxDuration)),
        ringing_timeout: Some(line.rules.ring_max),
        trace: services.conversation_trace(
            context.id,
            TracedPart::AgentDial(number),
            TracedPart::Conversation(number),
        ),
        dynamic_variables: Vec::new(),
    };
    let started = clock::now();
    let error = match outbound_dial::dial(services, &clients, context.id, &outbound).await {
        Ok(dialled) => return reached(dialled.conversation),
        Err(error) => error,
    };
    warn!(services.log, "could not dial the agent"; "call" => %context.id, "caller" => %context.caller,
        "attempt" => number, "rung" => order.rung.name(), "error" => %error,
        "executed" => error.execution.name());
    services.outcomes.handoff_reason(context.id, &error.to_string());
    match error.execution {
        Execution::SurelyNot if refuses_override(&error.to_string()) => {
            services.agent_settings.refused(&line.agent_id, &error.message);
            failed(HandoffFailure::OverrideRefused, &error)
        }
        Execution::SurelyNot => failed(HandoffFailure::Refused, &error),
        Execution::Maybe => match conversation_lookup::find(&clients, context, &order.known, started).await {
            LookupResult::Found(id) => reached(Some(id)),
            LookupResult::NotFound | LookupResult::Unavailable => failed(HandoffFailure::Unknown, &error),
        },
    }
}
