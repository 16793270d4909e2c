//! The greeting of route `callback`: dials it once, reports one outcome, and watches for its end.
//!
//! The report arrives only after ElevenLabs has analysed the conversation, too late for a waiting caller. The end of
//! the telephone call is visible earlier, so the actor polls for it.

use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, Recipient, WrapFuture,
};
use precall_base::clock;
use precall_base::phone_number::E164;
use precall_call::{CallPart, ConversationId, Event, GreetingEnd, Purpose};
use precall_providers::elevenlabs::{ConversationDetail, Execution, OutboundCall, refuses_override};
use precall_providers::trace_context::TracedPart;
use precall_providers::wire_record::tapped;
use slog::warn;

use crate::call::agent_settings::{AgentTerms, Override};
use crate::call::call_context::CallContext;
use crate::call::conversation_lookup;
use crate::call::conversation_lookup::{EarlierDial, LookupResult};
use crate::call::messages::{CallEvent, PartDown, PartParent};
use crate::call::outbound_dial;
use crate::call::projection::Payload;
use crate::call::services::{CallServices, NO_SEAT, NOT_LEADER};
use crate::runtime::clients::Clients;
use crate::runtime::down_notice::DownNotice;
use crate::runtime::fault_injection::Point;
use crate::runtime::mailbox_age::AreYouThere;

/// Time between two checks whether the greeting is over.
const POLL_INTERVAL: Duration = Duration::from_secs(3);
const POLL_TIMEOUT: Duration = Duration::from_secs(5);

/// Stops watching for the greeting's end.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct StopWatching;

/// The greeting of one call on route `callback`.
pub struct GreetingActor {
    context: Arc<CallContext>,
    services: Arc<CallServices>,
    call: PartParent,
    earlier: EarlierDial,
    /// The dial has an outcome; from then on the actor may be stopped.
    dial_done: bool,
    watch_cancelled: bool,
    _notice: DownNotice<PartDown>,
}

impl GreetingActor {
    /// The greeting of one call.
    #[must_use]
    pub fn new(
        context: Arc<CallContext>,
        services: Arc<CallServices>,
        call: PartParent,
        earlier: EarlierDial,
    ) -> Self {
        let notice =
            DownNotice::new(call.down.clone(), |panicked| PartDown { part: CallPart::Greeting, panicked });
        Self { context, services, call, earlier, dial_done: false, watch_cancelled: false, _notice: notice }
    }
}

impl Actor for GreetingActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.services.faults.pass(Point::GreetingStarts, self.context.id);
        let (context, services, earlier) =
            (Arc::clone(&self.context), Arc::clone(&self.services), self.earlier);
        let call = self.call.events.clone();
        let tap = self.services.wire.tap(self.context.id);
        let dialling = tapped(tap, async move {
            let (outcome, words) = dial(&context, &services, &call, earlier).await;
            services.faults.pass(Point::GreetingAnswered, context.id);
            let payload = words.map_or(Payload::None, Payload::Detail);
            call.do_send(CallEvent { payload, ..CallEvent::part(outcome.clone()) });
            outcome
        });
        ctx.spawn(dialling.into_actor(self).map(|outcome, actor, ctx| {
            actor.dial_done = true;
            match outcome {
                Event::GreetingStarted { conversation: Some(id) } if !actor.watch_cancelled => {
                    actor.watch(id, ctx)
                }
                _ => ctx.stop(),
            }
        }));
    }
}

impl GreetingActor {
    fn watch(&self, id: ConversationId, ctx: &mut Context<Self>) {
        let rules = &self.context.line.rules;
        // After that time the call's deadline starts a look-up of the greeting.
        let longest = rules.ring_max + rules.greeting_max;
        let (services, call) = (Arc::clone(&self.services), self.call.events.clone());
        let watching = tapped(self.services.wire.tap(self.context.id), async move {
            let _over_or_too_long = tokio::time::timeout(longest, watch(&id, &services, &call)).await;
        });
        ctx.spawn(watching.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

impl Handler<AreYouThere> for GreetingActor {
    type Result = ();

    fn handle(&mut self, _: AreYouThere, _: &mut Context<Self>) {}
}

impl Handler<StopWatching> for GreetingActor {
    type Result = ();

    fn handle(&mut self, _: StopWatching, ctx: &mut Context<Self>) {
        self.watch_cancelled = true;
        if self.dial_done {
            ctx.stop();
        }
    }
}

async fn watch(id: &ConversationId, services: &CallServices, call: &Recipient<CallEvent>) {
    let clients = services.clients.here();
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        let detail = clients.bulk.conversation(id, POLL_TIMEOUT).await;
        services.provider.note(&detail);
        match detail {
            Ok(ConversationDetail::Reported(report)) => {
                let event = Event::Reported(report.fact());
                call.do_send(CallEvent { payload: Payload::Report(report), ..CallEvent::part(event) });
                return;
            }
            // The telephone call is over and ElevenLabs analyses it (ElevenLabs facts, section 6).
            Ok(ConversationDetail::NotYet { status }) if status == "processing" => {
                call.do_send(CallEvent::part(Event::GreetingEnded { end: GreetingEnd::Played }));
                return;
            }
            Ok(ConversationDetail::NotYet { .. }) | Err(_) => {}
        }
    }
}

async fn dial(
    context: &CallContext,
    services: &CallServices,
    call: &Recipient<CallEvent>,
    earlier: EarlierDial,
) -> (Event, Option<String>) {
    let refused =
        |words: &dyn ToString| (Event::GreetingEnded { end: GreetingEnd::Refused }, Some(words.to_string()));
    let started = |conversation| (Event::GreetingStarted { conversation }, None);
    let Some(to) = context.caller.e164() else {
        return refused(&"the caller has no number that can be dialled");
    };
    let clients = services.clients.here();
    let Some(_under_way) = services.persistence_state.may_act().await else {
        return refused(&NOT_LEADER);
    };
    if earlier == EarlierDial::Possible {
        match conversation_lookup::find_earlier(&clients, context, &[]).await {
            LookupResult::Found(id) => return started(Some(id)),
            LookupResult::NotFound => {}
            // Do not dial while an earlier dial can neither be confirmed nor ruled out.
            LookupResult::Unavailable => {
                return refused(&conversation_lookup::UNAVAILABLE);
            }
        }
    }
    // A refused override is left out once: the telephone did not ring.
    for is_last in [false, true] {
        let terms = services.agent_settings.of(&clients, &context.line.agent_id).await;
        if !may_send(context, services, &terms, Override::FirstMessage) {
            return refused(
                &"the agent does not allow the override agent.first_message, which is the greeting",
            );
        }
        if !services.take_agent_seat(context).await {
            return refused(&NO_SEAT);
        }
        let began = clock::now();
        let order = order(context, services, &terms, to.clone());
        let error = match outbound_dial::dial(services, &clients, context.id, &order).await {
            Ok(dialled) => return started(dialled.conversation),
            Err(error) => error,
        };
        warn!(services.log, "could not dial the greeting"; "call" => %context.id, "caller" => %context.caller,
            "error" => %error, "executed" => error.execution.name());
        services.outcomes.greeting_reason(context.id, &error.to_string());
        match error.execution {
            Execution::SurelyNot if refuses_override(&error.to_string()) && !is_last => {
                services.agent_settings.refused(&context.line.agent_id, &error.message);
            }
            Execution::SurelyNot => return refused(&error),
            Execution::Maybe => {
                return (lost_answer(&clients, context, began, call).await, Some(error.to_string()));
            }
        }
    }
    refused(&"ElevenLabs refused the greeting twice")
}

fn may_send(context: &CallContext, services: &CallServices, terms: &AgentTerms, which: Override) -> bool {
    services.agent_settings.may_send(&context.line.agent_id, terms, which)
}

/// After a lost answer the telephone may be ringing: reports that at once, and the conversation if it is found.
async fn lost_answer(
    clients: &Clients,
    context: &CallContext,
    started: precall_call::At,
    call: &Recipient<CallEvent>,
) -> Event {
    let unknown = Event::GreetingEnded { end: GreetingEnd::Unknown };
    call.do_send(CallEvent::part(unknown.clone()));
    match conversation_lookup::find(clients, context, &[], started).await {
        LookupResult::Found(id) => Event::GreetingStarted { conversation: Some(id) },
        // ElevenLabs lists no conversation: waiting longer is pointless.
        LookupResult::NotFound => Event::GreetingEnded { end: GreetingEnd::Failed },
        // The telephone may be ringing: the call waits until its deadline.
        LookupResult::Unavailable => unknown,
    }
}

fn order(context: &CallContext, services: &CallServices, terms: &AgentTerms, to: E164) -> OutboundCall {
    let line = &context.line;
    let may_send = |which| may_send(context, services, terms, which);
    OutboundCall {
        telephony: services.dial.telephony,
        agent_id: line.agent_id.clone(),
        phone_number_id: line.phone_number_id.clone(),
        to,
        call: context.id,
        purpose: Purpose::Greeting,
        voice: line.greeting_voice.clone().filter(|_| may_send(Override::Voice)),
        first_message: Some(line.spoken_greeting()),
        language: line.language.clone().filter(|_| may_send(Override::Language)),
        max_duration: Some(line.rules.greeting_max).filter(|_| may_send(Override::MaxDuration)),
        ringing_timeout: Some(line.rules.ring_max),
        trace: services.conversation_trace(context.id, TracedPart::GreetingDial, TracedPart::Greeting),
        dynamic_variables: Vec::new(),
    }
}
