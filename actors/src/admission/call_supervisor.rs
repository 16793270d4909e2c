//! The call supervisor: mints ids, admits calls, routes what happens to them, hears of their deaths, drains.

mod admit;
mod legs;
mod rehydrate;
mod reports;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, ArbiterHandle, AsyncContext, Context, Handler, Message, Supervised};
use precall_base::clock;
use precall_base::phone_number::Region;
use precall_call::{At, CallId, CallPart, ConversationId, Event, LegSeen, LineId, Request};
use precall_providers::elevenlabs::ConversationReport;
use slog::{info, warn};
use tokio::sync::{Semaphore, oneshot};

use crate::admission::call_registry::CallRegistry;
use crate::admission::contract::{Busy, IncomingCall, PbxNotice, ReportOutcome, Taken};
use crate::admission::leg_owners::LegOwners;
use crate::call::call_actor::{CallActor, Origin};
use crate::call::call_context::CallContext;
use crate::call::line::Lines;
use crate::call::messages::{CallDown, CallEvent, CallParent, CallSettled, ConversationKnown, Stop};
use crate::call::projection::Payload;
use crate::call::services::CallServices;
use crate::limits::dial_guard::DialGuard;
use crate::runtime::restart_in_place::start_in_place;
use crate::voices::voice_book::{ReleaseVoice, VoiceRevoked};

pub use reports::IsOurAgent;

/// A webhook is answered within so long, or it is 503 (3CX flows wait 3 s).
pub const ANSWER_WITHIN: Duration = Duration::from_millis(2_500);

/// The answer to a webhook, later.
pub type Answer<T> = oneshot::Sender<Result<T, Busy>>;

/// An `IncomingCall`.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Incoming {
    /// What it says.
    pub call: IncomingCall,
    /// Hears what became of it.
    pub answer: Answer<Taken>,
}

/// A `CallEnded` or `CallStateChanged`.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Noticed {
    /// What it says.
    pub notice: PbxNotice,
    /// Hears what became of it.
    pub answer: Answer<Taken>,
}

/// A report of the provider.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ReportCame {
    /// The report.
    pub report: Box<ConversationReport>,
    /// The body, to be kept while nobody knows its conversation.
    pub raw: Box<serde_json::value::RawValue>,
    /// Hears what became of it.
    pub answer: Answer<ReportOutcome>,
}

/// An operator's request.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Asked {
    /// Which call.
    pub call: CallId,
    /// What for.
    pub request: Request,
    /// Hears whether there is such a live call.
    pub answer: Answer<bool>,
}

/// New lines, at the start and on SIGHUP.
#[derive(Message)]
#[rtype(result = "()")]
pub struct UseLines {
    /// All of them.
    pub lines: Lines,
    /// The dial guard's rules that go with them.
    pub rules: crate::limits::dial_guard::DialRules,
}

/// What was before the start. Admission begins with it.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Loaded {
    /// Calls of the last 35 minutes.
    pub registry: CallRegistry,
    /// Numbers dialled within the last day.
    pub guard: DialGuard,
    /// Calls that were live, each with its line.
    pub unreleased: Vec<(CallId, String)>,
    /// Conversations of reports that nobody has claimed.
    pub unmatched: HashSet<ConversationId>,
    /// Counts the starts of the engine.
    pub generation: u64,
}

/// No new calls from now on.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Drain;

/// Something for a call that may have to be read back first.
struct Delivery {
    event: Event,
    payload: Payload,
    derived: Vec<precall_store::events::rows::RowWrite>,
    /// Who waits to hear that it is durable, and sends it again otherwise; nobody for what is our own duty.
    done: Option<oneshot::Sender<()>>,
    at: At,
}

impl Delivery {
    /// Something whose sender waits to hear that it is durable.
    fn awaited(event: Event, payload: Payload, done: oneshot::Sender<()>) -> Self {
        Self { done: Some(done), ..Self::own(event, payload, clock::now()) }
    }

    /// Something nobody waits for, and nobody would send again.
    fn own(event: Event, payload: Payload, at: At) -> Self {
        Self { event, payload, derived: Vec::new(), done: None, at }
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Deliver {
    call: CallId,
    delivery: Delivery,
}

struct Live {
    address: Addr<CallActor>,
    sent: u64,
}

/// Calls that are over and kept. Of more of them nothing can be heard until the database has their logs: senders come again.
const KEPT_MAX: usize = 10_000;
/// Between two looks whether they can go.
const LET_GO_EVERY: Duration = Duration::from_secs(1);

/// Settings of admission.
#[derive(Clone, Debug)]
pub struct AdmissionSettings {
    /// `MAX_LIVE_CALLS`.
    pub max_live_calls: usize,
    /// `DEFAULT_REGION`.
    pub region: Region,
    /// `TRUSTED_TRUNKS`: DNs whose numbers can be believed.
    pub trusted_trunks: Vec<String>,
}

/// See the file.
pub struct CallSupervisor {
    services: Arc<CallServices>,
    settings: AdmissionSettings,
    lines: Lines,
    /// Agents of our lines since the start: a line that is gone still has calls.
    agents: HashSet<String>,
    registry: CallRegistry,
    legs: LegOwners,
    /// Calls of before the start, until the PBX's first list has told which of their legs are left.
    taken_up: Vec<CallId>,
    guard: DialGuard,
    arbiters: Vec<ArbiterHandle>,
    next_arbiter: usize,
    live: HashMap<CallId, Live>,
    /// Calls that are over and whose log is not yet in the database: they cannot be read back.
    kept: HashMap<CallId, Live>,
    per_line: HashMap<LineId, usize>,
    line_of: HashMap<CallId, LineId>,
    reading: HashMap<CallId, Vec<Delivery>>,
    reads: Arc<Semaphore>,
    /// Conversations of live calls.
    conversations: HashMap<ConversationId, CallId>,
    /// Conversations whose report came and was kept.
    unmatched: HashSet<ConversationId>,
    /// Calls that were refused a moment ago, whose legs may still appear.
    refused: HashMap<CallId, At>,
    ready: bool,
    draining: bool,
}

impl CallSupervisor {
    /// Admits nothing before [`Loaded`].
    #[must_use]
    pub fn new(
        services: Arc<CallServices>,
        settings: AdmissionSettings,
        lines: Lines,
        guard: DialGuard,
        arbiters: Vec<ArbiterHandle>,
    ) -> Self {
        Self {
            services,
            settings,
            agents: lines.all().map(|line| line.agent_id.clone()).collect(),
            lines,
            registry: CallRegistry::default(),
            legs: LegOwners::default(),
            taken_up: Vec::new(),
            guard,
            arbiters,
            next_arbiter: 0,
            live: HashMap::new(),
            kept: HashMap::new(),
            per_line: HashMap::new(),
            line_of: HashMap::new(),
            reading: HashMap::new(),
            reads: Arc::new(Semaphore::new(rehydrate::READS_MAX)),
            conversations: HashMap::new(),
            unmatched: HashSet::new(),
            refused: HashMap::new(),
            ready: false,
            draining: false,
        }
    }

    fn start_call(
        &mut self,
        origin: Origin,
        context: Arc<CallContext>,
        first: Option<oneshot::Sender<()>>,
        ctx: &mut Context<Self>,
    ) {
        let id = context.id;
        let arbiter = self.arbiters.get(self.next_arbiter % self.arbiters.len().max(1)).cloned();
        self.next_arbiter = self.next_arbiter.wrapping_add(1);
        let Some(arbiter) = arbiter else { return };
        let services = Arc::clone(&self.services);
        let parent = CallParent {
            settled: ctx.address().recipient(),
            down: ctx.address().recipient(),
            conversations: ctx.address().recipient(),
        };
        let address =
            start_in_place(&arbiter, move |_| CallActor::new(origin, context, services, parent, first));
        self.live.insert(id, Live { address, sent: 0 });
    }

    /// Hands an event to its call; one that is not live is read back from its log first.
    fn deliver(&mut self, call: CallId, delivery: Delivery, ctx: &mut Context<Self>) {
        let Delivery { event, payload, derived, done, at } = delivery;
        if let Some(kept) = self.kept.remove(&call) {
            self.live.insert(call, kept);
        }
        if let Some(live) = self.live.get_mut(&call) {
            live.sent = live.sent.saturating_add(1);
            let message = CallEvent { derived, at, ..CallEvent::outside(event, payload, done) };
            live.address.do_send(message);
            return;
        }
        let waiting = self.reading.entry(call).or_default();
        waiting.push(Delivery { event, payload, derived, done, at });
        if waiting.len() == 1 {
            self.read_back(call, ctx);
        }
    }

    /// What was kept can be read back.
    fn let_go(&mut self) {
        if !self.services.persistence_state.spool().is_in_use() {
            for (_, live) in self.kept.drain() {
                live.address.do_send(Stop);
            }
        }
    }

    /// A line and a count for what has happened to budgets since the last look.
    fn report_budgets(&self) {
        let news = self.services.budgets.lock().take_news();
        for crossed in &news.crossed {
            warn!(self.services.log, "a budget is being used up"; "budget" => crossed.budget.name(),
                "percent" => crossed.percent);
        }
        self.services.metrics.budgets(&news);
    }

    fn count_in(&mut self, call: CallId, line: LineId) {
        let count = self.per_line.entry(line.clone()).or_default();
        *count = count.saturating_add(1);
        self.line_of.insert(call, line);
    }

    fn count_out(&mut self, call: CallId) {
        self.registry.released(call);
        self.legs.forget(call);
        self.services.transfers.withdraw(call);
        self.services.voice_book.do_send(ReleaseVoice(call));
        self.guard.release(call);
        self.services.budgets.lock().call_over(call);
        self.services.agent_seats.release(call);
        self.conversations.retain(|_, of| *of != call);
        let line = self.line_of.remove(&call);
        if let Some(count) = line.and_then(|line| self.per_line.get_mut(&line)) {
            *count = count.saturating_sub(1);
        }
    }
}

impl Actor for CallSupervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(LET_GO_EVERY, |supervisor, _| {
            supervisor.let_go();
            supervisor.report_budgets();
        });
    }
}

impl Supervised for CallSupervisor {}

impl Handler<Deliver> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, Deliver { call, delivery }: Deliver, ctx: &mut Context<Self>) {
        self.deliver(call, delivery, ctx);
    }
}

impl Handler<CallSettled> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, settled: CallSettled, _: &mut Context<Self>) {
        let quiet = self.live.get(&settled.call).is_some_and(|live| live.sent == settled.handled);
        if !quiet {
            return;
        }
        if let Some(live) = self.live.remove(&settled.call) {
            if self.services.persistence_state.spool().is_in_use() && self.kept.len() < KEPT_MAX {
                self.kept.insert(settled.call, live);
            } else {
                live.address.do_send(Stop);
            }
        }
        self.count_out(settled.call);
    }
}

impl Handler<CallDown> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, CallDown { call }: CallDown, ctx: &mut Context<Self>) {
        self.services.board.remove(call);
        self.kept.remove(&call);
        if self.live.remove(&call).is_none() {
            return;
        }
        // It died without having settled: its log says how far it came, and this is the end of it.
        warn!(self.services.log, "a call's actor died"; "call" => %call);
        self.count_out(call);
        let event = Event::Panicked { part: CallPart::Call, ordinal: 0 };
        self.deliver(call, Delivery::own(event, Payload::None, clock::now()), ctx);
    }
}

impl Handler<UseLines> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, message: UseLines, _: &mut Context<Self>) {
        self.agents.extend(message.lines.all().map(|line| line.agent_id.clone()));
        self.lines = message.lines;
        self.guard.set_rules(message.rules);
        info!(self.services.log, "lines loaded"; "lines" => self.lines.all().count());
    }
}

impl Handler<VoiceRevoked> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, VoiceRevoked { calls, why }: VoiceRevoked, ctx: &mut Context<Self>) {
        for call in calls {
            if self.live.contains_key(&call) {
                let event = Event::VoiceWithdrawn { why };
                self.deliver(call, Delivery::own(event, Payload::None, clock::now()), ctx);
            }
        }
    }
}

impl Handler<Loaded> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, loaded: Loaded, ctx: &mut Context<Self>) {
        self.registry = loaded.registry;
        self.guard = loaded.guard;
        self.unmatched = loaded.unmatched;
        self.ready = true;
        for (call, line) in loaded.unreleased {
            self.taken_up.push(call);
            self.guard.hold(call);
            self.count_in(call, LineId::new(line));
            let resumed = Event::Resumed { generation: loaded.generation, leg: LegSeen::None };
            self.deliver(call, Delivery::own(resumed, Payload::None, clock::now()), ctx);
        }
    }
}

impl Handler<Drain> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, _: Drain, _: &mut Context<Self>) {
        self.draining = true;
        info!(self.services.log, "draining"; "live_calls" => self.live.len(),
            "calls" => ?self.live.keys().take(5).collect::<Vec<_>>());
    }
}

/// Live calls' actors.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "usize")]
pub struct CountLive;

impl Handler<CountLive> for CallSupervisor {
    type Result = usize;

    fn handle(&mut self, _: CountLive, _: &mut Context<Self>) -> usize {
        self.live.len()
    }
}
