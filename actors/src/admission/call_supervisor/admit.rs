//! Webhooks of the PBX: finds the call, admits or refuses it, and answers when the event is durable.

use std::sync::Arc;

use actix::{Context, Handler};
use precall_base::clock;
use precall_base::phone_number::CallerNumber;
use precall_call::{Admission, At, CallId, Cause, Event, Offer, Policy, Proof, Route};
use precall_store::events::rows::{KeptEnd, RowWrite, Time, WebhookRow};
use slog::{info, warn};
use tokio::sync::oneshot;

use super::called_back::CalledBack;
use super::{
    ANSWER_WITHIN, Answer, CallSupervisor, Delivery, HandleIncomingCall, HandleOperatorOrder, HandlePbxNotice,
};
use crate::admission::call_registry::{Sighting, SightingMatch};
use crate::admission::caller_proof::callback_proof;
use crate::admission::contract::{Busy, Ordered, Outcome, PbxNoticeKind, Taken};
use crate::call::call_actor::Origin;
use crate::call::call_context::{CallContext, stored_number};
use crate::call::line::Line;
use crate::call::messages::Noted;
use crate::call::projection::Payload;
use crate::caller_key::CallerKey;
use crate::durability::persistence::WriteRow;
use crate::limits::dial_guard::{Dial, DialDecision};
use crate::voices::voice_book::LookUpCached;

/// Name of the only PBX client so far.
pub(crate) const PBX: &str = "default";

/// The PBX's state of a live call that a report without an id fits.
const REPORTED: &str = "reported";

/// A new call, accepted or refused.
pub(crate) struct Admitted {
    pub(crate) call: CallId,
    pub(crate) sighting: Sighting,
    pub(crate) line: Arc<Line>,
    pub(crate) admission: Admission,
    pub(crate) proof: Proof,
    pub(crate) recording: Option<String>,
    /// The webhook that brought it, if one did.
    pub(crate) webhook: Option<Arc<WebhookRow>>,
    pub(crate) now: At,
    /// Whether it is a test call of precall itself.
    pub(crate) canary: bool,
}

impl CallSupervisor {
    fn sighting(
        &self,
        threecx_call_id: Option<String>,
        caller: Option<&str>,
        called: Option<&str>,
    ) -> Sighting {
        let parse = |raw: &str| CallerNumber::parse(raw, self.settings.region);
        Sighting {
            pbx: PBX.to_owned(),
            threecx_call_id,
            caller: caller.map_or(CallerNumber::Withheld, parse),
            called: called.map(parse),
        }
    }

    /// Checks that a new call can be stored and handled. Changes nothing.
    pub(crate) fn room(&self, line: &Line) -> Result<(), Busy> {
        if self.draining {
            return Err(Busy::Draining);
        }
        if !self.ready || !self.services.persistence_state.can_keep_call() {
            return Err(Busy::CannotKeep);
        }
        // Its dial would wait for the database, and perhaps in vain. A leg that is there can be served without.
        if line.rules.route == Route::Callback && !self.services.persistence_state.may_go_on() {
            return Err(Busy::CannotKeep);
        }
        let of_line = self.per_line.get(&line.id).copied().unwrap_or(0);
        let line_is_full = line.max_live_calls.is_some_and(|max| of_line >= max);
        let live = self.registry.live().saturating_sub(self.canaries.len());
        if live >= self.settings.max_live_calls || line_is_full {
            return Err(Busy::AtCapacity);
        }
        Ok(())
    }

    fn incoming(&mut self, message: HandleIncomingCall, ctx: &mut Context<Self>) {
        let HandleIncomingCall { call: incoming, webhook, earlier, answer } = message;
        let now = clock::now();
        let sighting = self.sighting(
            incoming.threecx_call_id.clone(),
            incoming.caller.as_deref(),
            incoming.called.as_deref(),
        );
        let called = sighting.called.clone().unwrap_or(CallerNumber::Withheld);
        let line = self.lines.of_called(&called).of_caller(&sighting.caller);
        let ended_before = match self.registry.find(&sighting, now) {
            SightingMatch::Call(call) => {
                return self.answer_duplicate(call, &sighting.caller, &line, answer, ctx);
            }
            SightingMatch::EndedBefore => true,
            SightingMatch::New => false,
        };
        if let Err(busy) = self.room(&line) {
            let _ = answer.send(Err(busy));
            return;
        }
        let call = clock::new_call();
        let in_use = self.called_back(&sighting.caller, &line, earlier).filter(|_| !ended_before);
        let admission = match in_use {
            None => self.admission(call, &sighting.caller, &called, &line, ended_before, now),
            // A call that no budget allows is refused for that.
            Some(in_use) => match (self.may_begin(call, &sighting.caller, &line, now), in_use) {
                (Err(refused), _) => refused,
                (Ok(()), CalledBack::Talking(talking)) => {
                    let message = HandleIncomingCall { call: incoming, webhook, earlier, answer };
                    return self.ask_whether_over(talking, message, ctx);
                }
                (Ok(()), CalledBack::Ringing(earlier)) => self.refuse_busy(call, &sighting.caller, earlier),
            },
        };
        let outcome = match admission {
            Admission::Accepted => Outcome::Accepted,
            Admission::Refused(cause) => Outcome::Rejected(cause),
            Admission::EndedBefore => Outcome::Ended,
        };
        let line_route = line.rules.route;
        let voice = caller_key(&sighting.caller, &line).filter(|_| outcome == Outcome::Accepted);
        // On other routes the leg proves the caller when it appears.
        let proof = match line.rules.route {
            Route::Callback => callback_proof(&sighting.caller),
            Route::Bridge | Route::Transfer => Proof::None,
        };
        let recording = incoming.recording_url;
        let is_kept = webhook.is_some();
        let webhook = webhook.map(|webhook| with_outcome(webhook, outcome));
        let admitted =
            Admitted { call, sighting, line, admission, proof, recording, webhook, now, canary: false };
        let durable = self.admit(admitted, ctx);
        if let (Admission::Refused(_), Route::Bridge | Route::Transfer) = (admission, line_route) {
            self.refused_before_its_leg(call, now);
        }
        let taken = Taken { call: Some(call), outcome, cached_voice: None, is_kept };
        self.answer_when_durable(taken, voice, durable, answer);
    }

    /// Starts the call. The receiver gets a message when the offer is durable.
    pub(crate) fn admit(&mut self, admitted: Admitted, ctx: &mut Context<Self>) -> oneshot::Receiver<Noted> {
        let Admitted { call, sighting, line, admission, proof, recording, webhook, now, canary } = admitted;
        if admission == Admission::Accepted && !canary {
            let caller = caller_key(&sighting.caller, &line);
            self.services.budgets.lock().call_began(call, caller.as_ref(), now);
            self.services.board.expect(call);
        }
        let context = Arc::new(CallContext {
            id: call,
            pbx: PBX.to_owned(),
            threecx_call_id: sighting.threecx_call_id.clone(),
            called: sighting.called.as_ref().and_then(stored_number).map(ToOwned::to_owned),
            caller: sighting.caller.clone(),
            line: Arc::clone(&line),
            canary,
        });
        self.registry.admit(call, sighting, now);
        let policy = if canary {
            self.canaries.insert(call);
            line.policy_of_canary()
        } else {
            self.count_in(call, line.id.clone());
            line.policy()
        };
        let (first, durable) = oneshot::channel();
        let offer = Offer { policy: Arc::new(Policy { proof, ..policy }), admission };
        self.start_call(Origin::Offered { offer, recording, webhook }, context, Some(first), ctx);
        durable
    }

    fn admission(
        &mut self,
        call: CallId,
        caller: &CallerNumber,
        called: &CallerNumber,
        line: &Line,
        ended_before: bool,
        now: At,
    ) -> Admission {
        if ended_before {
            return Admission::EndedBefore;
        }
        if let Err(admission) = self.may_begin(call, caller, line, now) {
            return admission;
        }
        // The dial guard checks only numbers that precall would dial. On a live leg the caller is already there.
        if line.rules.route != Route::Callback {
            return Admission::Accepted;
        }
        match self.guard.ask(Dial { call, number: caller, called }, now) {
            DialDecision::Allowed => Admission::Accepted,
            DialDecision::Refused(refusal) => {
                warn!(self.services.log, "the dial guard refused a call back"; "call" => %call, "caller" => %caller,
                    "reason" => refusal.name());
                Admission::Refused(refusal.cause())
            }
        }
    }

    /// Whether operators and budgets allow one more call.
    fn may_begin(&self, call: CallId, caller: &CallerNumber, line: &Line, now: At) -> Result<(), Admission> {
        self.refuse_if_bypassed(call, line)?;
        self.within_budgets(call, caller, line, now)
    }

    /// Whether an operator sends new calls of this line away.
    pub(crate) fn refuse_if_bypassed(&self, call: CallId, line: &Line) -> Result<(), Admission> {
        if !self.services.bypass.covers(&line.id) {
            return Ok(());
        }
        info!(self.services.log, "bypassed a call"; "call" => %call);
        Err(Admission::Refused(Cause::Bypassed))
    }

    /// Checks that the budgets allow one more call. Counts nothing before the call is admitted.
    pub(crate) fn within_budgets(
        &self,
        call: CallId,
        caller: &CallerNumber,
        line: &Line,
        now: At,
    ) -> Result<(), Admission> {
        let decision = self.services.budgets.lock().may_call(caller_key(caller, line).as_ref(), now);
        decision.map_err(|budget| {
            info!(self.services.log, "a budget refused a call"; "call" => %call, "caller" => %caller,
                "budget" => budget.name());
            Admission::Refused(Cause::Budget)
        })
    }

    /// Answers in its own task, so that a client that disconnects changes nothing. `taken.is_kept` comes in as whether
    /// the webhook went along with the event; it stays true only if the event was recorded.
    fn answer_when_durable(
        &self,
        taken: Taken,
        voice: Option<CallerKey>,
        durable: oneshot::Receiver<Noted>,
        answer: Answer<Taken>,
    ) {
        let (book, services) = (self.services.voice_book.clone(), Arc::clone(&self.services));
        actix::spawn(async move {
            let written = tokio::time::timeout(ANSWER_WITHIN, durable).await;
            // A standby knows nothing of what is only in the spool: the sender has to tell the one that leads then.
            let is_known = services.persistence_state.may_go_on();
            let (true, Ok(Ok(noted))) = (is_known, written) else {
                let _ = answer.send(Err(Busy::TooSlow));
                return;
            };
            let is_kept = taken.is_kept && noted == Noted::Recorded;
            let cached_voice = match voice {
                Some(key) => book.send(LookUpCached(key)).await.ok().flatten(),
                None => None,
            };
            let _ = answer.send(Ok(Taken { cached_voice, is_kept, ..taken }));
        });
    }

    /// Answers a duplicate when the event that it repeats is durable.
    fn answer_duplicate(
        &mut self,
        call: CallId,
        caller: &CallerNumber,
        line: &Line,
        answer: Answer<Taken>,
        ctx: &mut Context<Self>,
    ) {
        let (done, durable) = oneshot::channel();
        if self.live.contains_key(&call) {
            // A second offer changes nothing; its acknowledgement waits for the same write as the first.
            let policy = Arc::new(line.policy());
            let event = Event::Offered(Offer { policy, admission: Admission::Accepted });
            self.deliver(call, Delivery::awaited(event, Payload::None, done), ctx);
        } else {
            // Its actor has stopped, which happens only after all its events are durable.
            let _ = done.send(Noted::ChangedNothing);
        }
        let outcome = Outcome::Duplicate;
        let taken = Taken { call: Some(call), outcome, cached_voice: None, is_kept: false };
        self.answer_when_durable(taken, caller_key(caller, line), durable, answer);
    }

    fn handle_notice(&mut self, message: HandlePbxNotice, ctx: &mut Context<Self>) {
        let HandlePbxNotice { notice, webhook, answer } = message;
        let now = clock::now();
        let sighting =
            self.sighting(notice.threecx_call_id.clone(), notice.caller.as_deref(), notice.called.as_deref());
        if !self.ready || !self.services.persistence_state.can_keep() {
            let _ = answer.send(Err(Busy::CannotKeep));
            return;
        }
        let found = match notice.kind {
            PbxNoticeKind::Reported { began, ended, .. } => {
                self.registry.find_for_report(&sighting.caller, (began, ended), now)
            }
            PbxNoticeKind::Ended { .. } | PbxNoticeKind::StateChanged(_) => {
                self.registry.find_for_notice(&sighting, now)
            }
        };
        let Some(call) = found else {
            return self.notice_of_unknown(&notice.kind, sighting, now, answer);
        };
        let (event, payload) = match notice.kind {
            PbxNoticeKind::Ended { duration, recording_url } => {
                (Event::PbxCallEnded { duration }, recording_url.map_or(Payload::None, Payload::Recording))
            }
            PbxNoticeKind::StateChanged(state) => {
                (Event::PbxStateChanged { state: Arc::from(state) }, Payload::None)
            }
            PbxNoticeKind::Reported { .. } if self.registry.is_live(call) => {
                (Event::PbxStateChanged { state: Arc::from(REPORTED) }, Payload::None)
            }
            PbxNoticeKind::Reported { duration, .. } => (Event::PbxCallEnded { duration }, Payload::None),
        };
        let ended = matches!(event, Event::PbxCallEnded { .. });
        let outcome = if ended { Outcome::Ended } else { Outcome::Accepted };
        let (done, durable) = oneshot::channel();
        let taken = Taken { call: Some(call), outcome, cached_voice: None, is_kept: webhook.is_some() };
        let webhook = webhook.map(|webhook| with_outcome(webhook, outcome));
        self.deliver(call, Delivery { webhook, ..Delivery::awaited(event, payload, done) }, ctx);
        self.answer_when_durable(taken, None, durable, answer);
    }

    /// Stores the end of an unknown call, so that the call ends when it arrives. Ignores other notices about unknown
    /// calls.
    fn notice_of_unknown(
        &mut self,
        kind: &PbxNoticeKind,
        sighting: Sighting,
        now: At,
        answer: Answer<Taken>,
    ) {
        let taken = |outcome| Taken { call: None, outcome, cached_voice: None, is_kept: false };
        let ended = matches!(kind, PbxNoticeKind::Ended { .. });
        let Some(id) = sighting.threecx_call_id.filter(|_| ended) else {
            let outcome = if ended { Outcome::Ended } else { Outcome::Ignored };
            let _ = answer.send(Ok(taken(outcome)));
            return;
        };
        info!(self.services.log, "stored the end of an unknown call"; "threecx_call_id" => &id);
        self.registry.ended_early(&sighting.pbx, &id, now);
        let end = KeptEnd { pbx: PBX.to_owned(), threecx_call_id: id, ended_at: Time(now) };
        let (done, written) = oneshot::channel();
        self.services.persistence.do_send(WriteRow { row: RowWrite::EarlyEndKept(end), done });
        let services = Arc::clone(&self.services);
        actix::spawn(async move {
            let answered = match tokio::time::timeout(ANSWER_WITHIN, written).await {
                Ok(Ok(())) if services.persistence_state.may_go_on() => Ok(taken(Outcome::Ended)),
                Ok(Ok(()) | Err(_)) | Err(_) => Err(Busy::TooSlow),
            };
            let _ = answer.send(answered);
        });
    }
}

/// The webhook with what its sender is told.
fn with_outcome(mut webhook: Arc<WebhookRow>, outcome: Outcome) -> Arc<WebhookRow> {
    Arc::make_mut(&mut webhook).outcome = outcome.name().into();
    webhook
}

/// The key for voice and budgets of a caller; none for a withheld number.
fn caller_key(caller: &CallerNumber, line: &Line) -> Option<CallerKey> {
    let caller = stored_number(caller)?.to_owned();
    Some(CallerKey { account: line.account.clone(), caller })
}

impl Handler<HandleIncomingCall> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, message: HandleIncomingCall, ctx: &mut Context<Self>) {
        self.incoming(message, ctx);
    }
}

impl Handler<HandlePbxNotice> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, message: HandlePbxNotice, ctx: &mut Context<Self>) {
        self.handle_notice(message, ctx);
    }
}

impl Handler<HandleOperatorOrder> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, message: HandleOperatorOrder, ctx: &mut Context<Self>) {
        let HandleOperatorOrder { call, order, by, answer } = message;
        // After a restart the log of a live call is read first.
        let is_resuming = self.reading.contains_key(&call) && self.registry.is_live(call);
        if !is_resuming && !self.live.contains_key(&call) {
            let _ = answer.send(Ok(Ordered::NotLive));
            return;
        }
        let (done, durable) = oneshot::channel();
        self.deliver(call, Delivery::awaited(order.event(by), Payload::None, done), ctx);
        actix::spawn(async move {
            let written = tokio::time::timeout(ANSWER_WITHIN, durable).await;
            let _ = answer.send(match written {
                Ok(Ok(Noted::Recorded)) => Ok(Ordered::Taken),
                Ok(Ok(Noted::ChangedNothing)) => Ok(Ordered::ChangesNothing),
                Ok(Err(_)) | Err(_) => Err(Busy::TooSlow),
            });
        });
    }
}
