//! The call supervisor: creates call ids, admits calls, routes events to them, handles their deaths, drains.

mod admit;
mod called_back;
mod canary;
mod legs;
mod rehydrate;
mod reports;
mod settled;
mod start;
mod supervise;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, ArbiterHandle, AsyncContext, Context, Handler, Message, Supervised};
use precall_base::clock;
use precall_base::phone_number::Region;
use precall_call::{At, CallId, ConversationId, Event, LineId, Operator, Told};
use precall_providers::elevenlabs::ConversationReport;
use precall_store::events::rows::{RowWrite, WebhookRow};
use slog::{info, warn};
use tokio::sync::oneshot;

use crate::admission::call_registry::CallRegistry;
use crate::admission::contract::{
    Busy, IncomingCall, OperatorOrder, Ordered, PbxNotice, ReportOutcome, Taken,
};
use crate::admission::leg_owners::LegOwners;
use crate::admission::waiting_legs::WaitingLegs;
use crate::call::call_actor::{CallActor, Origin};
use crate::call::call_context::CallContext;
use crate::call::line::Lines;
use crate::call::messages::{CallEvent, CallParent, ConversationKnown, Done, Stop};
use crate::call::projection::Payload;
use crate::call::services::CallServices;
use crate::limits::dial_guard::{DialGuard, DialRules};
use crate::runtime::mailbox_age::AreYouThere;
use crate::runtime::restart_in_place::start_in_place;
use crate::voices::voice_book::{ReleaseVoice, VoiceRevoked};
use admit::PBX;
use rehydrate::ReadQueue;
use start::{ResumingLeg, StartState};

pub(crate) use canary::{CallCanaryNumber, TakesCalls};
pub use reports::{IsOurAgent, LineIds};
pub(crate) use supervise::SuperviseCall;

/// A webhook is answered within this time, or with 503 (3CX flows wait 3 s).
pub const ANSWER_WITHIN: Duration = Duration::from_millis(2_500);

/// Channel for the answer to a webhook.
pub type Answer<T> = oneshot::Sender<Result<T, Busy>>;

/// What is known of an earlier call back of a caller who rings again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EarlierCallBack {
    /// ElevenLabs was not asked.
    NotAsked,
    /// The conversation of this call is over.
    Over(CallId),
    /// The conversation of this call goes on, or ElevenLabs did not say.
    InUse(CallId),
}

/// Handles an `IncomingCall` webhook.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct HandleIncomingCall {
    /// The content of the webhook.
    pub call: IncomingCall,
    /// The webhook as it came, to be stored with the event; none if it is stored already.
    pub webhook: Option<Arc<WebhookRow>>,
    /// What ElevenLabs said about an earlier call back of the same number.
    pub earlier: EarlierCallBack,
    /// Receives the result.
    pub answer: Answer<Taken>,
}

/// Handles a `CallEnded` or `CallStateChanged` webhook.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct HandlePbxNotice {
    /// The content of the webhook.
    pub notice: PbxNotice,
    /// The webhook as it came, to be stored with the event; none if it is stored already.
    pub webhook: Option<Arc<WebhookRow>>,
    /// Receives the result.
    pub answer: Answer<Taken>,
}

/// Handles a report of the provider.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct HandleReport {
    /// The report.
    pub report: Box<ConversationReport>,
    /// The body, stored while the call of the conversation is unknown.
    pub raw: Box<serde_json::value::RawValue>,
    /// Receives the result.
    pub answer: Answer<ReportOutcome>,
}

/// Handles an operator's order.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct HandleOperatorOrder {
    /// The call.
    pub call: CallId,
    /// The order.
    pub order: OperatorOrder,
    /// Who sent it.
    pub by: Operator,
    /// Receives what became of it.
    pub answer: Answer<Ordered>,
}

/// Replaces the lines and the terms of admission, all at once: at the start, at a reload, and when lines change.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct UseLines {
    /// All lines.
    pub lines: Lines,
    /// The dial guard's rules for these lines.
    pub rules: DialRules,
    /// The settings of admission.
    pub admission: AdmissionSettings,
}

/// State recovered from before the start. Admission begins when it arrives.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct RecoveredState {
    /// Calls of the last 35 minutes.
    pub registry: CallRegistry,
    /// The dial guard, with the numbers dialled within the last day.
    pub guard: DialGuard,
    /// Calls that were live, each with its line's id.
    pub unreleased: Vec<(CallId, String)>,
    /// Conversations of stored reports that matched no call.
    pub unmatched: HashSet<ConversationId>,
    /// Number of this start of the engine.
    pub generation: u64,
    /// What becomes of the calls that were live.
    pub resumption: Resumption,
}

/// What becomes of the live calls of the last start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resumption {
    /// They go on.
    GoOn,
    /// Their callers are sent to the fallback destination, as soon as their legs are seen.
    SendAway,
    /// They are over: this became of their callers.
    Ended(Told),
}

/// Stops admission of new calls.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Drain;

/// An event for a call that may have to be read back from its log first.
struct Delivery {
    event: Event,
    payload: Payload,
    derived: Vec<RowWrite>,
    /// The webhook that brought it, to be stored in the same transaction.
    webhook: Option<Arc<WebhookRow>>,
    /// A sender that waits until the event is durable and retries otherwise; none for internal events.
    done: Option<Done>,
    at: At,
}

impl Delivery {
    /// An event whose sender waits until it is durable.
    fn awaited(event: Event, payload: Payload, done: Done) -> Self {
        Self { done: Some(done), ..Self::internal(event, payload, clock::now()) }
    }

    /// An event that no sender waits for or would send again.
    fn internal(event: Event, payload: Payload, at: At) -> Self {
        Self { event, payload, derived: Vec::new(), webhook: None, done: None, at }
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Deliver {
    call: CallId,
    delivery: Delivery,
}

struct RunningCall {
    address: Addr<CallActor>,
    sent: u64,
    /// Whether its trace must be sent when it is over. A call that is read back for a late report was over before.
    trace_due: bool,
}

/// Most finished calls that wait for the database to have their logs. Beyond it a finished call's actor stops at
/// once, and events for it fail until the database is back: their senders retry.
const AWAITING_LOG_MAX: usize = 10_000;
/// How often finished calls are checked: their actors stop once the spool is empty.
const STOP_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Settings of admission.
#[derive(Clone, Debug)]
pub struct AdmissionSettings {
    /// `MAX_LIVE_CALLS`.
    pub max_live_calls: usize,
    /// `DEFAULT_REGION`.
    pub region: Region,
    /// `TRUSTED_TRUNKS`: DNs whose caller numbers are trusted.
    pub trusted_trunks: Vec<String>,
    /// `START_PATIENCE_SECONDS`.
    pub start_patience: Duration,
}

/// Admits calls and routes events to their actors.
pub struct CallSupervisor {
    services: Arc<CallServices>,
    settings: AdmissionSettings,
    lines: Lines,
    /// Agents of all lines since the start: a removed line may still have calls.
    agents: HashSet<String>,
    registry: CallRegistry,
    legs: LegOwners,
    start: StartState,
    waiting: WaitingLegs,
    resuming: Vec<ResumingLeg>,
    guard: DialGuard,
    arbiters: Vec<ArbiterHandle>,
    next_arbiter: usize,
    live: HashMap<CallId, RunningCall>,
    /// Calls that are over but whose log is not yet in the database: they cannot be read back.
    awaiting_log: HashMap<CallId, RunningCall>,
    per_line: HashMap<LineId, usize>,
    /// Live calls of the canary: no limit of live calls counts them.
    canaries: HashSet<CallId>,
    line_of: HashMap<CallId, LineId>,
    reading: HashMap<CallId, Vec<Delivery>>,
    reads: ReadQueue,
    /// Conversations of live calls.
    conversations: HashMap<ConversationId, CallId>,
    /// Conversations whose report is stored without a call.
    unmatched: HashSet<ConversationId>,
    /// Recently refused calls whose legs may still appear.
    refused: HashMap<CallId, At>,
    ready: bool,
    draining: bool,
}

impl CallSupervisor {
    /// Admits nothing before [`RecoveredState`].
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
            start: StartState::default(),
            waiting: WaitingLegs::default(),
            resuming: Vec::new(),
            guard,
            arbiters,
            next_arbiter: 0,
            live: HashMap::new(),
            awaiting_log: HashMap::new(),
            per_line: HashMap::new(),
            canaries: HashSet::new(),
            line_of: HashMap::new(),
            reading: HashMap::new(),
            reads: ReadQueue::default(),
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
        first: Option<Done>,
        ctx: &mut Context<Self>,
    ) {
        let id = context.id;
        let arbiter = self.arbiters.get(self.next_arbiter % self.arbiters.len().max(1)).cloned();
        self.next_arbiter = self.next_arbiter.wrapping_add(1);
        let Some(arbiter) = arbiter else { return };
        let trace_due = match &origin {
            Origin::Offered { .. } => true,
            Origin::Log(call) => !call.is_released(),
        };
        self.services.wire.began(id);
        let services = Arc::clone(&self.services);
        let parent = CallParent {
            settled: ctx.address().recipient(),
            down: ctx.address().recipient(),
            conversations: ctx.address().recipient(),
        };
        let address =
            start_in_place(&arbiter, move |_| CallActor::new(origin, context, services, parent, first));
        self.live.insert(id, RunningCall { address, sent: 0, trace_due });
    }

    /// Sends an event to its call. A call that is not live is read back from its log first.
    fn deliver(&mut self, call: CallId, delivery: Delivery, ctx: &mut Context<Self>) {
        let Delivery { event, payload, derived, webhook, done, at } = delivery;
        if let Some(kept) = self.awaiting_log.remove(&call) {
            self.live.insert(call, kept);
        }
        if let Some(live) = self.live.get_mut(&call) {
            live.sent = live.sent.saturating_add(1);
            let message = CallEvent { derived, webhook, at, ..CallEvent::outside(event, payload, done) };
            live.address.do_send(message);
            return;
        }
        let waiting = self.reading.entry(call).or_default();
        waiting.push(Delivery { event, payload, derived, webhook, done, at });
        if waiting.len() == 1 {
            self.read_back(call, ctx);
        }
    }

    /// Stops the actors of finished calls once the spool is empty: they can be read back from then on.
    fn stop_logged_calls(&mut self) {
        if !self.services.persistence_state.spool().is_in_use() {
            for (_, live) in self.awaiting_log.drain() {
                live.address.do_send(Stop);
            }
        }
    }

    /// Logs and counts what happened to budgets since the last check.
    fn report_budgets(&self) {
        let changes = self.services.budgets.lock().take_changes();
        for crossed in &changes.crossed {
            warn!(self.services.log, "budget usage crossed a threshold"; "budget" => crossed.budget.name(),
                "percent" => crossed.percent);
        }
        self.services.metrics.budgets(&changes);
    }

    fn count_in(&mut self, call: CallId, line: LineId) {
        let count = self.per_line.entry(line.clone()).or_default();
        *count = count.saturating_add(1);
        self.line_of.insert(call, line);
    }

    fn count_out(&mut self, call: CallId) {
        self.registry.released(call);
        self.services.wire.ended(call);
        self.services.board.remove(call);
        for leg in self.legs.forget(call) {
            self.show_again(call, &leg);
        }
        self.services.transfers.withdraw(call);
        self.services.voice_book.do_send(ReleaseVoice(call));
        self.guard.release(call);
        self.services.budgets.lock().call_over(call);
        self.services.agent_seats.release(call);
        self.conversations.retain(|_, of| *of != call);
        self.canaries.remove(&call);
        let line = self.line_of.remove(&call);
        if let Some(count) = line.and_then(|line| self.per_line.get_mut(&line)) {
            *count = count.saturating_sub(1);
        }
    }
}

impl Actor for CallSupervisor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(STOP_CHECK_INTERVAL, |supervisor, _| {
            supervisor.stop_logged_calls();
            supervisor.report_budgets();
        });
        Self::watch_waiting_legs(ctx);
    }
}

impl Supervised for CallSupervisor {}

impl Handler<AreYouThere> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, _: AreYouThere, _: &mut Context<Self>) {}
}

impl Handler<Deliver> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, Deliver { call, delivery }: Deliver, ctx: &mut Context<Self>) {
        self.deliver(call, delivery, ctx);
    }
}

impl Handler<UseLines> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, message: UseLines, _: &mut Context<Self>) {
        self.agents.extend(message.lines.all().map(|line| line.agent_id.clone()));
        self.services.metrics.lines.know(PBX, message.lines.all().map(|line| line.id.as_str()));
        self.lines = message.lines;
        self.settings = message.admission;
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
                self.deliver(call, Delivery::internal(event, Payload::None, clock::now()), ctx);
            }
        }
    }
}

impl Handler<Drain> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, _: Drain, _: &mut Context<Self>) {
        self.draining = true;
        info!(self.services.log, "draining"; "live_calls" => self.live.len(),
            "calls" => self.live.keys().take(5).map(ToString::to_string).collect::<Vec<_>>().join(" "));
    }
}

/// Returns the number of running call actors.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "usize")]
pub(crate) struct CountLive;

impl Handler<CountLive> for CallSupervisor {
    type Result = usize;

    fn handle(&mut self, _: CountLive, _: &mut Context<Self>) -> usize {
        self.live.len()
    }
}
