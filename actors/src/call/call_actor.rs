//! One live call. Runs `step`, performs what it orders, arms its one deadline; it has no rules of its own.
//!
//! A panic costs it nothing: state and outstanding work are written together after `step` has returned, the message in
//! hand is kept until it is dealt with, and the actor is restarted in place with its mailbox.

mod effects;
mod pin_entry;
mod restart;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler};
use precall_base::clock;
use precall_call::{
    At, Call, CallPart, Effect, Event, Fact, HandoffFailure, Offer, Phase, facts, open, step,
};
use precall_providers::threecx::address::LegAddress;
use precall_store::events::rows::{Entry, RowWrite};
use slog::{Logger, error, info, o, warn};
use tokio::sync::oneshot;

use crate::call::call_context::CallContext;
use crate::call::clone_worker::CloneWorker;
use crate::call::greeting_actor::GreetingActor;
use crate::call::handoff::Handoff;
use crate::call::leg_player::{BringAgent, ConnectedLeg, LegPlayer};
use crate::call::messages::{
    AgentOrdered, CallDown, CallParent, CallSettled, ConversationKnown, Happened, PartDown, Sender, Stop,
};
use crate::call::pin::Pin;
use crate::call::pin::keypad::PinPad;
use crate::call::projection::{Payload, entry};
use crate::call::services::CallServices;
use crate::durability::persistence::{Append, Durable};
use crate::limits::budgets::Use;
use crate::runtime::down_notice::DownNotice;
use crate::runtime::fault_injection::Point;

/// What is left to do, in order. Kept in the actor, so that a panic in the middle loses at most the piece in hand.
enum Work {
    Record(Box<Entry>),
    Perform(Effect),
}

/// How a call comes to its actor.
pub enum Origin {
    /// It was just offered, with the `recording_url` of its webhook.
    Offered(Offer, Option<String>),
    /// It was read back from its log.
    Log(Box<Call>),
}

/// See the file.
pub struct CallActor {
    call: Call,
    context: Arc<CallContext>,
    services: Arc<CallServices>,
    parent: CallParent,
    log: Logger,
    /// The message in hand; taken up again after a panic.
    in_hand: Option<Happened>,
    work: VecDeque<Work>,
    unsent: Vec<Entry>,
    /// Effects that wait for the event that ordered them.
    after_durable: VecDeque<(u64, Effect)>,
    waiting: Vec<(u64, oneshot::Sender<()>)>,
    durable: u64,
    /// When the pending timer fires; a later deadline needs no new one.
    timer_at: Option<At>,
    clone_worker: Option<Addr<CloneWorker>>,
    greeting: Option<Addr<GreetingActor>>,
    handoff: Option<Addr<Handoff>>,
    /// The leg that the call is heard on, and what plays into it.
    leg: Option<ConnectedLeg>,
    player: Option<Addr<LegPlayer>>,
    parts: Vec<CallPart>,
    /// Keys that may be a PIN's.
    pad: PinPad,
    /// PINs that wait while one is being checked.
    pins: VecDeque<Pin>,
    checking: bool,
    handled: u64,
    crashes: u32,
    _notice: DownNotice<CallDown>,
}

impl CallActor {
    /// A call at its beginning, or as its log left it. `first` hears when the offer is durable.
    #[must_use]
    pub fn new(
        origin: Origin,
        context: Arc<CallContext>,
        services: Arc<CallServices>,
        parent: CallParent,
        first: Option<oneshot::Sender<()>>,
    ) -> Self {
        let id = context.id;
        let log = services.log.new(o!("call" => id.to_string(), "line" => context.line.id.to_string()));
        let notice = DownNotice::new(parent.down.clone(), move |_| CallDown { call: id });
        let (call, work) = match origin {
            Origin::Offered(offer, recording) => {
                let begun = open(&offer, clock::now());
                let event = Event::Offered(offer);
                let payload = recording.map_or(Payload::None, Payload::Recording);
                let entry = entry(&context, None, &event, &begun.next, &payload);
                services.metrics.observe(None, &event, &begun.next);
                info!(log, "call offered"; "state" => begun.next.phase.name(),
                    "caller" => ?context.caller, "route" => begun.next.policy.route.name());
                let mut work = VecDeque::from([Work::Record(Box::new(entry))]);
                work.extend(begun.effects.into_iter().map(Work::Perform));
                (begun.next, work)
            }
            Origin::Log(call) => {
                if call.holds_seat() {
                    services.agent_seats.hold(id);
                }
                (*call, VecDeque::new())
            }
        };
        let durable = if work.is_empty() { call.version } else { 0 };
        Self {
            call,
            context,
            services,
            parent,
            log,
            in_hand: None,
            work,
            unsent: Vec::new(),
            after_durable: VecDeque::new(),
            waiting: first.into_iter().map(|done| (1, done)).collect(),
            durable,
            timer_at: None,
            clone_worker: None,
            greeting: None,
            handoff: None,
            leg: None,
            player: None,
            parts: Vec::new(),
            pad: PinPad::default(),
            pins: VecDeque::new(),
            checking: false,
            handled: 0,
            crashes: 0,
            _notice: notice,
        }
    }

    /// The one place where the call's state changes.
    fn take(&mut self, event: &Event, payload: &Payload, derived: Vec<RowWrite>) {
        self.take_at(clock::now(), event, payload, derived);
    }

    fn take_at(&mut self, at: At, event: &Event, payload: &Payload, derived: Vec<RowWrite>) {
        let taken = step(&self.call, event, at);
        if taken.next.version == self.call.version {
            return;
        }
        let mut entry = entry(&self.context, Some(&self.call), event, &taken.next, payload);
        entry.derived.extend(derived);
        self.services.metrics.observe(Some(&self.call), event, &taken.next);
        self.log_transition(event, &taken.next);
        self.tell_new_conversations(&taken.next);
        self.count_conversations(event, payload, &taken.next);
        let mut work = VecDeque::from([Work::Record(Box::new(entry))]);
        work.extend(taken.effects.into_iter().map(Work::Perform));
        self.call = taken.next;
        self.work.extend(work);
        self.services.faults.pass(Point::CallAfterStep, self.context.id);
    }

    /// A report may have come before its conversation was known.
    fn tell_new_conversations(&self, next: &Call) {
        for (i, conversation) in next.conversations.iter().enumerate() {
            let known = self.call.conversations.get(i).is_some_and(|old| old.id.is_some());
            if let (false, Some(id)) = (known, &conversation.id) {
                let (call, conversation) = (self.context.id, id.clone());
                self.parent.conversations.do_send(ConversationKnown { call, conversation });
            }
        }
    }

    /// The machine decides which reports count. Only the cost is not part of the event.
    fn count_conversations(&self, event: &Event, payload: &Payload, next: &Call) {
        let Payload::Report(report) = payload else { return };
        for fact in facts(Some(&self.call), event, next) {
            if let Fact::ConversationReported { conversation, duration } = fact {
                let took = Use {
                    seconds: duration.unwrap_or_default().as_secs(),
                    credits: report.cost.and_then(|cost| u64::try_from(cost).ok()).unwrap_or(0),
                };
                self.services.budgets.lock().conversation_over(&conversation, took, next.at);
            }
        }
    }

    fn log_transition(&self, event: &Event, next: &Call) {
        if next.phase.name() == self.call.phase.name() {
            return;
        }
        let kind = precall_store::events::event_json::kind(event);
        match next.phase {
            Phase::Released(release) => info!(self.log, "call released";
                "from" => self.call.phase.name(), "event" => kind, "seq" => next.version,
                "cause" => release.cause.name(), "blame" => release.blame.map(precall_call::Blame::name)),
            Phase::Offered
            | Phase::Greeting(_)
            | Phase::Holding
            | Phase::HandingOff(_)
            | Phase::Conversing(_) => info!(self.log, "call moved";
                "from" => self.call.phase.name(), "to" => next.phase.name(), "event" => kind,
                "seq" => next.version),
        }
    }

    /// Does what is left to do, records what happened, and sees whether the call is settled.
    fn proceed(&mut self, ctx: &mut Context<Self>) {
        // A piece leaves the queue after it is done: a panic in its middle lets it be done again, and every piece is
        // such that doing it twice is harmless until its last, infallible act.
        while let Some(work) = self.work.front() {
            match work {
                Work::Record(entry) => self.unsent.push((**entry).clone()),
                Work::Perform(Effect::Intend(intent)) => {
                    let intent = intent.clone();
                    self.take(&intent, &Payload::None, Vec::new());
                }
                Work::Perform(effect) if effect.needs_durable_intent() => {
                    self.after_durable.push_back((self.call.version, effect.clone()));
                }
                Work::Perform(effect) => {
                    let effect = effect.clone();
                    self.perform(&effect, ctx);
                }
            }
            self.work.pop_front();
        }
        self.send_unsent(ctx);
        self.arm(ctx);
        self.show();
        self.settle();
    }

    /// Gives up what the call does not hold by its state. The machine orders this at the right moment. But a restart
    /// or a second panic may lose the order, and a part that still waited for a seat may take one after the order.
    fn give_up_what_is_not_held(&mut self) {
        if !self.call.holds_seat() {
            self.services.agent_seats.release(self.context.id);
        }
        if !self.call.watches_greeting() {
            self.stop_watching_greeting();
        }
    }

    fn send_unsent(&mut self, ctx: &mut Context<Self>) {
        if !self.unsent.is_empty() {
            let entries = std::mem::take(&mut self.unsent);
            let reply = ctx.address().recipient();
            self.services.persistence.do_send(Append { entries, reply });
        }
    }

    fn perform_durable(&mut self, ctx: &mut Context<Self>) {
        while let Some((_, effect)) =
            self.after_durable.front().filter(|(version, _)| *version <= self.durable)
        {
            let effect = effect.clone();
            if self.call.still_wants(&effect) {
                self.perform(&effect, ctx);
            } else if let Some(event) = effect.surely_not_done() {
                self.take(&event, &Payload::None, Vec::new());
            }
            self.after_durable.pop_front();
        }
    }

    fn show(&self) {
        let mut actors = vec!["call"];
        actors.extend(self.parts.iter().map(|part| part.name()));
        self.services.board.show(&self.context, &self.call, actors);
    }

    /// Arms the call's one deadline. Timers are never cancelled: one that fires early only arms again.
    fn arm(&mut self, ctx: &mut Context<Self>) {
        let Some(deadline) = self.call.deadline() else { return };
        if self.timer_at.is_some_and(|at| at <= deadline.due) {
            return;
        }
        self.timer_at = Some(deadline.due);
        let wait = deadline.due.since(clock::now()).max(Duration::from_millis(1));
        ctx.run_later(wait, move |actor, ctx| {
            if actor.timer_at == Some(deadline.due) {
                actor.timer_at = None;
                actor.deadline(ctx);
            }
        });
    }

    fn deadline(&mut self, ctx: &mut Context<Self>) {
        self.services.faults.pass(Point::CallOnDeadline, self.context.id);
        if let Some(deadline) = self.call.deadline().filter(|d| d.due <= clock::now()) {
            let passed = Event::DeadlinePassed { generation: deadline.generation };
            self.take(&passed, &Payload::None, Vec::new());
        }
        self.proceed(ctx);
    }

    /// Tells the supervisor when nothing is left to do; only it knows whether more is on the way.
    fn settle(&mut self) {
        let done = self.call.is_released()
            && self.durable >= self.call.version
            && self.parts.is_empty()
            && self.after_durable.is_empty();
        if done {
            self.parent.settled.do_send(CallSettled { call: self.context.id, handled: self.handled });
        }
    }

    fn acknowledge(&mut self) {
        let durable = self.durable;
        for (version, done) in std::mem::take(&mut self.waiting) {
            if version <= durable {
                let _ = done.send(());
            } else {
                self.waiting.push((version, done));
            }
        }
    }

    /// From now on the call is heard on this leg.
    fn take_leg(&mut self, address: &LegAddress, connected_at: At) {
        match &self.services.pbx {
            Some(side) => {
                let (address, side) = (address.clone(), Arc::clone(side));
                self.leg = Some(ConnectedLeg { address, side, connected_at });
            }
            None => error!(self.log, "a leg came from an unconfigured PBX"),
        }
    }

    fn deal_with_hand(&mut self, ctx: &mut Context<Self>) {
        self.services.faults.pass(Point::CallBeforeStep, self.context.id);
        let Some(happened) = self.in_hand.as_mut() else { return };
        let (event, payload) = (happened.event.clone(), std::mem::take(&mut happened.payload));
        let derived = std::mem::take(&mut happened.derived);
        let at = happened.at;
        if let Payload::Leg(leg) = &payload {
            self.take_leg(leg, at);
        }
        if !self.is_for_the_pad(&event, at, ctx) {
            self.take_at(at, &event, &payload, derived);
        }
        if let Some(Happened { done, sender, .. }) = self.in_hand.take() {
            // An event that changed nothing is acknowledged when everything before it is durable: it may be a
            // duplicate.
            self.waiting.extend(done.map(|done| (self.call.version, done)));
            self.handled = self.handled.saturating_add(u64::from(sender == Sender::Supervisor));
        }
        self.proceed(ctx);
        self.acknowledge();
    }
}

impl Actor for CallActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        self.timer_at = None;
        if self.crashes > 0 {
            return self.go_on_after_crash(ctx);
        }
        self.give_up_what_is_not_held();
        self.proceed(ctx);
    }
}

impl Handler<Happened> for CallActor {
    type Result = ();

    fn handle(&mut self, happened: Happened, ctx: &mut Context<Self>) {
        self.in_hand = Some(happened);
        self.deal_with_hand(ctx);
    }
}

impl Handler<Durable> for CallActor {
    type Result = ();

    fn handle(&mut self, durable: Durable, ctx: &mut Context<Self>) {
        self.durable = self.durable.max(u64::try_from(durable.seq).unwrap_or(0));
        self.acknowledge();
        self.services.faults.pass(Point::CallOnDurable, self.context.id);
        self.perform_durable(ctx);
        self.proceed(ctx);
    }
}

impl Handler<AgentOrdered> for CallActor {
    type Result = ();

    fn handle(&mut self, AgentOrdered(order): AgentOrdered, ctx: &mut Context<Self>) {
        match &self.player {
            Some(player) => player.do_send(BringAgent(order)),
            // The player is gone, and its audio with it: this agent cannot be heard.
            None => {
                let failed = Event::HandoffFailed { attempt: order.attempt, why: HandoffFailure::Refused };
                self.take(&failed, &Payload::None, Vec::new());
                self.proceed(ctx);
            }
        }
    }
}

impl Handler<PartDown> for CallActor {
    type Result = ();

    fn handle(&mut self, down: PartDown, ctx: &mut Context<Self>) {
        if let Some(i) = self.parts.iter().position(|part| *part == down.part) {
            self.parts.remove(i);
        }
        match down.part {
            // The voice may have been asked for again before the first worker was gone.
            CallPart::CloneWorker if self.parts.contains(&CallPart::CloneWorker) => {}
            CallPart::CloneWorker => self.clone_worker = None,
            CallPart::Handoff => self.handoff = None,
            CallPart::Greeting if down.panicked => self.player = None,
            CallPart::Greeting | CallPart::Call => {}
        }
        if down.panicked {
            warn!(self.log, "a part of the call panicked"; "part" => down.part.name());
            let ordinal = self.call.panics.saturating_add(1);
            self.take(&Event::Panicked { part: down.part, ordinal }, &Payload::None, Vec::new());
        }
        self.give_up_what_is_not_held();
        self.proceed(ctx);
    }
}

impl Handler<Stop> for CallActor {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}
