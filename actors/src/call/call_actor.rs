//! The actor of one live call: runs `step`, performs its effects and arms one timer for the call's deadline. All rules
//! are in `step`.
//!
//! A panic loses nothing: state and pending work change together after `step` has returned, the current message is kept
//! until it is handled, and the actor restarts in place with its mailbox.

mod counting;
mod effects;
mod leg;
mod mailboxes;
mod pin_entry;
mod restart;
mod shown;
mod supervised;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler};
use precall_audio::tap::TapControl;
use precall_base::clock;
use precall_call::{
    At, Call, CallPart, Effect, Event, Grade, HandoffFailure, Offer, Phase, Purpose, Voice, open, step,
};
use precall_providers::elevenlabs::refuses_override;
use precall_providers::threecx::address::LegAddress;
use precall_store::events::rows::{Entry, RowWrite, WebhookRow};
use slog::{Logger, info, o, warn};

use crate::call::call_context::CallContext;
use crate::call::clone_worker::CloneWorker;
use crate::call::greeting_actor::GreetingActor;
use crate::call::handoff::Handoff;
use crate::call::leg_player::{ConnectedLeg, LegPlayer, PrepareAgent};
use crate::call::live_board::{BoardNotes, Parties};
use crate::call::messages::{
    AgentOrdered, CallDown, CallEvent, CallParent, CallSettled, ConversationKnown, Done, Noted, PartDown,
    Sender, Stop,
};
use crate::call::pin::Pin;
use crate::call::pin::keypad::PinPad;
use crate::call::projection::{Payload, entry};
use crate::call::services::CallServices;
use crate::durability::persistence::{Append, Durable};
use crate::runtime::down_notice::DownNotice;
use crate::runtime::fault_injection::Point;

/// Longest time until a call looks at its deadline again. Timers of the runtime stand still while the
/// host is suspended.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Pending work, in order. It survives a panic: the item that was running is done again.
enum Work {
    Record(Box<Entry>),
    Keep(Arc<WebhookRow>),
    Perform(Effect),
}

/// Where the call comes from.
pub enum Origin {
    /// A new offer.
    Offered {
        /// The offer.
        offer: Offer,
        /// The `recording_url` of its webhook.
        recording: Option<String>,
        /// The webhook as it came, if one brought it.
        webhook: Option<Arc<WebhookRow>>,
    },
    /// A call that was read back from its event log.
    Log(Box<Call>),
}

/// The actor of one live call.
pub struct CallActor {
    call: Call,
    context: Arc<CallContext>,
    services: Arc<CallServices>,
    parent: CallParent,
    log: Logger,
    /// The message that is being handled; after a panic it is handled again.
    current: Option<CallEvent>,
    work: VecDeque<Work>,
    unsent: Vec<Entry>,
    /// Webhooks that are stored with them.
    unsent_webhooks: Vec<RowWrite>,
    /// Effects that must wait until the event with this version is durable.
    after_durable: VecDeque<(u64, Effect)>,
    acks: Vec<(u64, Noted, Done)>,
    /// For the live board.
    notes: BoardNotes,
    durable: u64,
    /// When the pending timer fires. A later deadline needs no new timer.
    timer_at: Option<At>,
    clone_worker: Option<Addr<CloneWorker>>,
    greeting: Option<Addr<GreetingActor>>,
    handoff: Option<Addr<Handoff>>,
    /// The caller's leg. `player` plays into it.
    leg: Option<ConnectedLeg>,
    player: Option<Addr<LegPlayer>>,
    parts: Vec<CallPart>,
    /// Keys that may belong to a PIN.
    pin_pad: PinPad,
    /// PINs that wait while another one is checked.
    queued_pins: VecDeque<Pin>,
    pin_check_running: bool,
    /// Taps of operators who listen.
    taps: Vec<TapControl>,
    /// What operators told the agent and is not sent yet, by its number.
    tellings: VecDeque<(u16, String)>,
    handled: u64,
    /// Legs of which it heard when it was over already.
    late_legs: Vec<LegAddress>,
    crashes: u32,
    _notice: DownNotice<CallDown>,
}

impl CallActor {
    /// The actor of a new or a recovered call. `first` is notified when the offer is durable.
    #[must_use]
    pub fn new(
        origin: Origin,
        context: Arc<CallContext>,
        services: Arc<CallServices>,
        parent: CallParent,
        first: Option<Done>,
    ) -> Self {
        let id = context.id;
        let log = services.log.new(o!("call" => id.to_string(), "line" => context.line.id.to_string()));
        let notice = DownNotice::new(parent.down.clone(), move |_| CallDown { call: id });
        let from_log = matches!(origin, Origin::Log(_));
        let parties = Parties::of(&context);
        let (call, work) = match origin {
            Origin::Offered { offer, recording, webhook } => {
                let opened = open(&offer, clock::now());
                let event = Event::Offered(offer);
                let payload = recording.map_or(Payload::None, Payload::Recording);
                let entry = entry(&context, None, &event, &opened.next, &payload);
                if !context.canary {
                    services.metrics.observe(None, &event, &opened.next);
                    services.metrics.lines.observe(&context.pbx, None, &opened.next);
                }
                info!(log, "call offered"; "state" => opened.next.phase.name(),
                    "caller" => %context.caller, "route" => opened.next.policy.route.name());
                let mut work = VecDeque::from([Work::Record(Box::new(entry))]);
                work.extend(webhook.map(Work::Keep));
                work.extend(opened.effects.into_iter().map(Work::Perform));
                (opened.next, work)
            }
            Origin::Log(call) => {
                if call.holds_seat() && !context.canary {
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
            current: None,
            work,
            unsent: Vec::new(),
            unsent_webhooks: Vec::new(),
            after_durable: VecDeque::new(),
            acks: first.into_iter().map(|done| (1, Noted::Recorded, done)).collect(),
            notes: BoardNotes::new(parties, (!from_log).then_some("offered")),
            durable,
            timer_at: None,
            clone_worker: None,
            greeting: None,
            handoff: None,
            leg: None,
            player: None,
            parts: Vec::new(),
            pin_pad: PinPad::default(),
            queued_pins: VecDeque::new(),
            pin_check_running: false,
            taps: Vec::new(),
            tellings: VecDeque::new(),
            handled: 0,
            late_legs: Vec::new(),
            crashes: 0,
            _notice: notice,
        }
    }

    /// Applies an event. The call's state changes nowhere else.
    fn apply(&mut self, event: &Event, payload: &Payload, derived: Vec<RowWrite>) {
        self.apply_at(clock::now(), event, payload, derived);
    }

    fn apply_at(&mut self, at: At, event: &Event, payload: &Payload, derived: Vec<RowWrite>) {
        let stepped = step(&self.call, event, at);
        if stepped.next.version == self.call.version {
            return;
        }
        let mut entry = entry(&self.context, Some(&self.call), event, &stepped.next, payload);
        entry.derived.extend(derived);
        self.count(event, payload, &stepped.next);
        self.log_transition(event, &stepped.next);
        self.report_new_conversations(&stepped.next);
        self.learn_of_overrides(payload, &stepped.next);
        self.note(event, payload, &stepped.next);
        let mut work = VecDeque::from([Work::Record(Box::new(entry))]);
        work.extend(stepped.effects.into_iter().map(Work::Perform));
        self.call = stepped.next;
        self.work.extend(work);
        self.services.faults.pass(Point::CallAfterStep, self.context.id);
    }

    /// Reports new conversation ids to the supervisor: a report may have arrived before the id was known.
    fn report_new_conversations(&self, next: &Call) {
        for (i, conversation) in next.conversations.iter().enumerate() {
            let known = self.call.conversations.get(i).is_some_and(|old| old.id.is_some());
            if let (false, Some(id)) = (known, &conversation.id) {
                let (call, conversation) = (self.context.id, id.clone());
                self.parent.conversations.do_send(ConversationKnown { call, conversation });
            }
        }
    }

    /// Learns from a report whether the agent took the cloned voice, or refused to start because of an override.
    fn learn_of_overrides(&self, payload: &Payload, next: &Call) {
        let Payload::Report(report) = payload else { return };
        let (settings, agent_id) = (&self.services.agent_settings, &self.context.line.agent_id);
        let refusal = report.termination_reason.as_deref().filter(|words| refuses_override(words));
        if let (Grade::Failed, Some(words)) = (report.grade, refusal) {
            settings.refused(agent_id, words);
        }
        let latest = next.conversation(Purpose::Agent).and_then(|agent| agent.id.as_ref());
        let rung = next.tried.iter().rev().find(|rung| rung.leads_to_agent());
        let (Voice::Cloned(voice), Some(true)) = (&next.voice, rung.map(|rung| rung.takes_clone())) else {
            return;
        };
        if latest == Some(&report.conversation) && report.grade == Grade::Completed {
            settings.voice_echoed(agent_id, &report.conversation, voice, &report.voice_echo);
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

    /// Does the pending work, sends new events to the database, and reports the call as settled when nothing is left.
    fn proceed(&mut self, ctx: &mut Context<Self>) {
        // An item leaves the queue after it is done, so a panic repeats it. Repeating is harmless: the last action of
        // every item cannot fail, and all actions before it may run twice.
        while let Some(work) = self.work.front() {
            match work {
                Work::Record(entry) => self.unsent.push((**entry).clone()),
                Work::Keep(webhook) => {
                    self.unsent_webhooks.push(RowWrite::WebhookKept(Arc::clone(webhook)));
                }
                Work::Perform(Effect::Intend(intent)) => {
                    let intent = intent.clone();
                    self.apply(&intent, &Payload::None, Vec::new());
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
        self.arm_timer(ctx);
        self.update_board();
        self.end_listening();
        self.report_if_settled();
    }

    /// Releases the seat and the greeting watch if the call's state does not hold them. `step` orders both releases,
    /// but a restart or a second panic may lose the order, and a handoff that waits for a seat may get it after the
    /// order.
    fn release_unheld(&mut self) {
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
            let webhooks = std::mem::take(&mut self.unsent_webhooks);
            let reply = ctx.address().recipient();
            self.services.persistence.do_send(Append { entries, webhooks, reply });
        }
    }

    fn perform_durable(&mut self, ctx: &mut Context<Self>) {
        while let Some((_, effect)) =
            self.after_durable.front().filter(|(version, _)| *version <= self.durable)
        {
            let effect = effect.clone();
            if self.call.still_wants(&effect) {
                self.perform(&effect, ctx);
            } else if let Some(event) = effect.event_if_not_performed() {
                self.apply(&event, &Payload::None, Vec::new());
            }
            self.after_durable.pop_front();
        }
    }

    /// Arms a timer for the call's deadline. Timers are never cancelled: a timer that fires early arms a new one. The
    /// deadline passes by precall's clock, which the runtime's timers follow only roughly.
    fn arm_timer(&mut self, ctx: &mut Context<Self>) {
        let Some(deadline) = self.call.deadline() else { return };
        if self.timer_at.is_some_and(|at| at <= deadline.due) {
            return;
        }
        self.timer_at = Some(deadline.due);
        let wait = deadline.due.since(clock::now()).clamp(Duration::from_millis(1), LOOK_AGAIN);
        ctx.run_later(wait, move |actor, ctx| {
            if actor.timer_at == Some(deadline.due) {
                actor.timer_at = None;
                actor.on_deadline(ctx);
            }
        });
    }

    fn on_deadline(&mut self, ctx: &mut Context<Self>) {
        self.services.faults.pass(Point::CallOnDeadline, self.context.id);
        if let Some(deadline) = self.call.deadline().filter(|d| d.due <= clock::now()) {
            let passed = Event::DeadlinePassed { generation: deadline.generation };
            self.apply(&passed, &Payload::None, Vec::new());
        }
        self.proceed(ctx);
    }

    /// Tells the supervisor when nothing is left to do. Only the supervisor knows whether more messages are queued.
    fn report_if_settled(&mut self) {
        let done = self.call.is_released()
            && self.durable >= self.call.version
            && self.parts.is_empty()
            && self.after_durable.is_empty();
        if done {
            self.parent.settled.do_send(CallSettled {
                call: self.context.id,
                handled: self.handled,
                late_legs: self.late_legs.clone(),
            });
        }
    }

    fn acknowledge(&mut self) {
        let durable = self.durable;
        for (version, noted, done) in std::mem::take(&mut self.acks) {
            if version <= durable {
                let _ = done.send(noted);
            } else {
                self.acks.push((version, noted, done));
            }
        }
    }

    fn handle_current(&mut self, ctx: &mut Context<Self>) {
        self.services.faults.pass(Point::CallBeforeStep, self.context.id);
        let Some(message) = self.current.as_mut() else { return };
        let (event, payload) = (message.event.clone(), std::mem::take(&mut message.payload));
        let (derived, webhook, at) =
            (std::mem::take(&mut message.derived), message.webhook.clone(), message.at);
        if let Payload::Leg(leg) = &payload {
            self.set_leg(leg, at);
        }
        self.before_retry(&event);
        let before = self.call.version;
        if !self.consume_pin_key(&event, at, ctx) {
            self.apply_at(at, &event, &payload, derived);
        }
        if self.call.version > before {
            self.work.extend(webhook.map(Work::Keep));
        }
        if let Some(CallEvent { done, sender, .. }) = self.current.take() {
            // An event that changed nothing may be a duplicate: acknowledge it when all earlier events are durable.
            let noted = if self.call.version > before { Noted::Recorded } else { Noted::ChangedNothing };
            self.acks.extend(done.map(|done| (self.call.version, noted, done)));
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
            return self.resume_after_crash(ctx);
        }
        self.release_unheld();
        self.proceed(ctx);
    }
}

impl Handler<CallEvent> for CallActor {
    type Result = ();

    fn handle(&mut self, message: CallEvent, ctx: &mut Context<Self>) {
        self.current = Some(message);
        self.handle_current(ctx);
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

    fn handle(&mut self, AgentOrdered { order, earlier }: AgentOrdered, ctx: &mut Context<Self>) {
        // The call may have given the attempt up while the order was on its way. A player that was started since then
        // would open a conversation that nobody hears.
        if !self.call.is_attempting(order.attempt) {
            return;
        }
        match &self.player {
            Some(player) => player.do_send(PrepareAgent { order, earlier }),
            // Without a player there is no audio on the leg: the caller cannot hear this agent.
            None => {
                let failed = Event::HandoffFailed { attempt: order.attempt, why: HandoffFailure::Refused };
                let words = Payload::Detail("the audio of the caller's leg has ended".to_owned());
                self.apply(&failed, &words, Vec::new());
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
            // A second worker may have started before the first one stopped.
            CallPart::CloneWorker if self.parts.contains(&CallPart::CloneWorker) => {}
            CallPart::CloneWorker => self.clone_worker = None,
            CallPart::Handoff => self.handoff = None,
            CallPart::Greeting if down.panicked => self.player = None,
            CallPart::Greeting | CallPart::Call => {}
        }
        if down.panicked {
            warn!(self.log, "an actor of the call panicked"; "part" => down.part.name());
            let ordinal = self.call.panics.saturating_add(1);
            self.apply(&Event::Panicked { part: down.part, ordinal }, &Payload::None, Vec::new());
        }
        self.release_unheld();
        self.proceed(ctx);
    }
}

impl Handler<Stop> for CallActor {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}
