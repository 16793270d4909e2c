//! Legs while precall starts, and while it does not know whether it still leads. They hear hold music until their call
//! takes them over. A leg that waits too long goes to the fallback destination, so that no caller hears silence.

use std::collections::HashSet;
use std::time::Duration;

use actix::{AsyncContext, Context, Handler};
use precall_base::clock;
use precall_call::{Admission, At, CallId, Cause, Event, LegSeen, LineId, Request, Route, Told};
use precall_providers::threecx::address::LegAddress;
use precall_providers::threecx::participant::Participant;
use slog::{info, warn};

use super::{CallSupervisor, Delivery, RecoveredState, Resumption};
use crate::admission::call_registry::SightingMatch;
use crate::admission::waiting_legs::WaitingLeg;
use crate::call::projection::Payload;

/// Interval of the looks at waiting legs.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// A new leg waits so long for one look at the database.
const DATABASE_LOOK_WITHIN: Duration = Duration::from_secs(1);
/// A leg without a fallback destination hears hold music for so long while precall starts.
const HOLD_MAX: Duration = Duration::from_secs(600);
/// Most legs remembered that were turned away before their calls could be recorded.
const UNRECORDED_MAX: usize = 10_000;

/// What remains of earlier starts until the PBX's first list and the previous state are there.
#[derive(Debug, Default)]
pub(super) struct StartState {
    /// Calls from before the start, until the PBX's first list shows which of their legs remain.
    resumed: Vec<CallId>,
    /// Legs that were there before the PBX's first list: their call may have ended while precall was away.
    pub(super) legs: HashSet<LegAddress>,
    /// Whether the PBX's list of legs was read.
    pub(super) has_list: bool,
    /// Legs turned away before this process led.
    unrecorded: Vec<TurnedAway>,
    /// Calls that the administrator abandons.
    pub(super) abandoned: HashSet<CallId>,
    /// When the first leg had to wait; none once calls are taken.
    first_wait: Option<At>,
}

/// The leg of a resumed call whose log is still being read.
#[derive(Debug)]
pub(super) struct ResumingLeg {
    call: CallId,
    leg: WaitingLeg,
}

/// A leg that was turned away without a call.
#[derive(Debug)]
pub(super) struct TurnedAway {
    participant: Participant,
    at: At,
    told: Told,
}

impl CallSupervisor {
    pub(super) fn watch_waiting_legs(ctx: &mut Context<Self>) {
        ctx.run_interval(LOOK_INTERVAL, |supervisor, ctx| supervisor.look_at_waiting_legs(ctx));
    }

    /// Keeps a leg that no call can take now. The caller hears hold music.
    pub(super) fn wait_with_leg(&mut self, participant: &Participant, at: At) {
        let until = self.may_wait_until(participant, clock::now());
        self.play_hold_music(participant, at);
        self.waiting.seen(participant, at, until);
    }

    /// The log of the leg's call is still being read. The caller hears hold music.
    pub(super) fn wait_for_log(&mut self, call: CallId, participant: &Participant, at: At) {
        if !self.reading.contains_key(&call) {
            return;
        }
        self.play_hold_music(participant, at);
        let until = clock::now().plus(self.settings.start_patience);
        self.resuming
            .push(ResumingLeg { call, leg: WaitingLeg { participant: participant.clone(), at, until } });
    }

    fn play_hold_music(&self, participant: &Participant, at: At) {
        if let Some(side) = self.services.pbx.as_ref().filter(|_| participant.is_connected()) {
            side.held.hold(&participant.leg, at);
        }
    }

    /// How long a leg may wait for its call. The patience for the start begins with the first leg: a standby starts at
    /// the PBX long after its process.
    fn may_wait_until(&mut self, participant: &Participant, now: At) -> At {
        if self.ready {
            return now.plus(DATABASE_LOOK_WITHIN);
        }
        let since = *self.start.first_wait.get_or_insert(now);
        match self.line_of_leg(&self.sighting_of(participant), participant).fallback_destination {
            Some(_) => now.max(since.plus(self.settings.start_patience)),
            None => now.plus(HOLD_MAX),
        }
    }

    fn look_at_waiting_legs(&mut self, ctx: &mut Context<Self>) {
        if self.waiting.is_empty() && self.resuming.is_empty() {
            return;
        }
        if self.ready && self.services.persistence_state.can_keep_call() {
            self.admit_waiting_legs(ctx);
        }
        let now = clock::now();
        let reason = if self.ready {
            "its call cannot be stored"
        } else {
            "precall has not finished its start (START_PATIENCE_SECONDS)"
        };
        for WaitingLeg { participant, at, .. } in self.waiting.take_overdue(now) {
            self.turn_leg_away(&participant, at, reason, ctx);
        }
        self.give_up_resuming(now, ctx);
    }

    fn admit_waiting_legs(&mut self, ctx: &mut Context<Self>) {
        for leg in self.waiting.take_all() {
            self.leg_seen(&leg.participant, leg.at, ctx);
        }
    }

    /// Sends a caller away whom no call takes over. Each such leg has a row.
    pub(super) fn turn_leg_away(
        &mut self,
        participant: &Participant,
        at: At,
        reason: &'static str,
        ctx: &mut Context<Self>,
    ) {
        warn!(self.services.log, "turned away a leg"; "leg" => %participant.leg.participant, "reason" => reason);
        let line = self.line_of_leg(&self.sighting_of(participant), participant);
        self.refuse_leg(participant, &line);
        let told = if line.fallback_destination.is_some() { Told::Person } else { Told::Nothing };
        let turned = TurnedAway { participant: participant.clone(), at, told };
        if self.ready {
            self.record_turned_away(&turned, ctx);
        } else if self.start.unrecorded.len() < UNRECORDED_MAX {
            self.start.unrecorded.push(turned);
        }
    }

    /// Calls whose log cannot be read in time: their callers go to a person.
    fn give_up_resuming(&mut self, now: At, ctx: &mut Context<Self>) {
        let reading = &self.reading;
        self.resuming.retain(|resuming| reading.contains_key(&resuming.call));
        let overdue: Vec<ResumingLeg> =
            self.resuming.extract_if(.., |resuming| resuming.leg.until <= now).collect();
        for ResumingLeg { call, leg } in overdue {
            let line = self.line_of_leg(&self.sighting_of(&leg.participant), &leg.participant);
            // Without a destination the caller waits on: hold music is better than a dropped call.
            if line.fallback_destination.is_some() {
                warn!(self.services.log, "turned away a leg"; "leg" => %leg.participant.leg.participant,
                    "call" => %call, "reason" => "the log of the call could not be read in time");
                self.turn_away(&leg.participant, &line);
                self.deliver(call, Delivery::internal(Event::LegRoutedAway, Payload::None, now), ctx);
            }
        }
    }

    /// Ends the call of a leg that was turned away, or records a refused call for it.
    fn record_turned_away(&mut self, turned: &TurnedAway, ctx: &mut Context<Self>) {
        let TurnedAway { participant, at, told } = turned;
        let sighting = self.sighting_of(participant);
        match self.registry.find(&sighting, *at) {
            SightingMatch::Call(call) if self.registry.is_live(call) => {
                self.deliver(call, Delivery::internal(leg_event(*told), Payload::None, clock::now()), ctx);
            }
            SightingMatch::Call(_) => {}
            SightingMatch::EndedBefore | SightingMatch::New => {
                let admission = Admission::Refused(Cause::NoStorage);
                self.admit_refused(clock::new_call(), participant, sighting, admission, *at, ctx);
            }
        }
    }

    /// The PBX's list shows which legs of resumed calls remain. The calls without a leg end.
    pub(super) fn end_calls_without_legs(&mut self, ctx: &mut Context<Self>) {
        for call in std::mem::take(&mut self.start.resumed) {
            if self.registry.is_live(call) && self.legs.of_call(call).is_none() {
                self.deliver(call, Delivery::internal(Event::LegGone, Payload::None, clock::now()), ctx);
            }
        }
    }
}

/// What a call is told of its leg, which precall turned away.
fn leg_event(told: Told) -> Event {
    match told {
        Told::Person => Event::LegRoutedAway,
        Told::Nothing | Told::Goodbye | Told::Apology => Event::LegGone,
    }
}

impl Handler<RecoveredState> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, loaded: RecoveredState, ctx: &mut Context<Self>) {
        self.registry = loaded.registry;
        self.guard = loaded.guard;
        self.unmatched = loaded.unmatched;
        self.ready = true;
        self.start.first_wait = None;
        let resumed = loaded.unreleased.len();
        for (call, line) in loaded.unreleased {
            self.start.resumed.push(call);
            self.guard.hold(call);
            let is_callback = self.lines.of_id(&line).rules.route == Route::Callback;
            self.count_in(call, LineId::new(line));
            self.services.board.expect(call);
            let event = Event::Resumed { generation: loaded.generation, leg: LegSeen::None };
            self.deliver(call, Delivery::internal(event, Payload::None, clock::now()), ctx);
            match loaded.resumption {
                Resumption::GoOn if is_callback && self.registry.was_taken_again(call) => {
                    // The later call has rung the caller, or will.
                    info!(self.services.log, "ended a call that another precall took as well"; "call" => %call);
                    let ended = Event::OperatorAsked { request: Request::HangUp, by: None };
                    self.deliver(call, Delivery::internal(ended, Payload::None, clock::now()), ctx);
                }
                Resumption::GoOn => {}
                Resumption::SendAway => {
                    self.start.abandoned.insert(call);
                }
                Resumption::Ended(told) => {
                    let event = leg_event(told);
                    self.deliver(call, Delivery::internal(event, Payload::None, clock::now()), ctx);
                }
            }
        }
        for turned in std::mem::take(&mut self.start.unrecorded) {
            self.record_turned_away(&turned, ctx);
        }
        self.admit_waiting_legs(ctx);
        if self.start.has_list {
            self.end_calls_without_legs(ctx);
        }
        info!(self.services.log, "calls are taken"; "resumed" => resumed);
    }
}
