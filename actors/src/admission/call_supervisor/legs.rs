//! Legs at the PBX: finds the call of each leg, starts a new call if there is none, and reports changes to the call.

use std::sync::Arc;
use std::time::Duration;

use actix::{Context, Handler};
use precall_base::clock;
use precall_base::phone_number::CallerNumber;
use precall_call::{Admission, At, CallId, Event, Proof, ProvedBy};
use precall_providers::threecx::action::Destination;
use precall_providers::threecx::participant::{Participant, ParticipantStatus};
use precall_providers::wire_record::WireLine;
use serde_json::json;
use slog::{error, info, warn};

use super::{CallSupervisor, Delivery};
use crate::admission::call_registry::{Sighting, SightingMatch};
use crate::admission::call_supervisor::admit::{Admitted, PBX};
use crate::admission::caller_proof::leg_proof;
use crate::admission::contract::Busy;
use crate::admission::leg_owners::{CallLegEvent, LegState};
use crate::call::line::Line;
use crate::call::projection::Payload;
use crate::pbx::leg_commands;
use crate::pbx::leg_events::{PbxLegChange, PbxLegEvent, Synced};

/// For so long after a refused webhook a leg of its call may still appear, also with another id.
const REFUSED_REMEMBERED: Duration = Duration::from_secs(60);

impl CallSupervisor {
    pub(super) fn leg_seen(&mut self, participant: &Participant, at: At, ctx: &mut Context<Self>) {
        let state = match participant.status {
            ParticipantStatus::Ringing => LegState::Ringing,
            ParticipantStatus::Connected => LegState::Connected,
            // Our own outgoing legs and unknown states: not a caller.
            ParticipantStatus::Dialing | ParticipantStatus::Other(_) => return,
        };
        if self.legs.is_left_over(&participant.leg) {
            return;
        }
        if !self.ready {
            // A run does not outlive its process, and what waits goes to a person at last.
            if self.is_canary(participant) {
                return self.drop_canary(participant, "precall is starting".to_owned());
            }
            return self.wait_with_leg(participant, at);
        }
        let known = self.legs.call_of(&participant.leg);
        if let (None, Some(side)) = (known, &self.services.pbx) {
            // An order to an earlier leg of this id must not reach this one.
            side.leaving.over(&participant.leg);
        }
        let Some(call) = known.or_else(|| self.call_of_new_leg(participant, at, ctx)) else { return };
        self.waiting.gone(&participant.leg);
        let Some(event) = self.legs.seen(call, &participant.leg, state) else { return };
        self.services.wire.take(call, leg_line(participant));
        self.wait_for_log(call, participant, at);
        // The proof goes first: the call does not wait for the proof of a connected leg.
        let caller = self.registry.caller(call).unwrap_or(&CallerNumber::Withheld);
        if self.proof_of(participant, caller) == Proof::Given {
            let proved = Event::ProofGiven { by: ProvedBy::Leg };
            self.deliver(call, Delivery::internal(proved, Payload::None, at), ctx);
        }
        self.deliver_leg_event(event, at, ctx);
    }

    fn number(&self, raw: &str) -> Option<CallerNumber> {
        Some(raw).filter(|raw| !raw.is_empty()).map(|raw| CallerNumber::parse(raw, self.settings.region))
    }

    fn caller_of(&self, participant: &Participant) -> CallerNumber {
        self.number(participant.caller_text()).unwrap_or(CallerNumber::Withheld)
    }

    fn proof_of(&self, participant: &Participant, caller: &CallerNumber) -> Proof {
        leg_proof(participant, &self.caller_of(participant), caller, &self.settings.trusted_trunks)
    }

    /// The live call of this leg, or a new call; none if the leg is refused.
    fn call_of_new_leg(
        &mut self,
        participant: &Participant,
        at: At,
        ctx: &mut Context<Self>,
    ) -> Option<CallId> {
        if self.is_canary(participant) {
            return self.call_of_canary_leg(participant, at, ctx);
        }
        let sighting = self.sighting_of(participant);
        let found = self.registry.find(&sighting, at);
        let line = self.line_of_leg(&sighting, participant);
        if let SightingMatch::Call(call) = found {
            // Its webhook came first and was refused: the call has its row, and the leg is turned away.
            if self.was_refused(call) {
                self.refuse_leg(participant, &line);
                return None;
            }
            if self.start.abandoned.contains(&call) {
                self.turn_leg_away(
                    participant,
                    at,
                    "the start abandoned its call (--abandon-live-calls)",
                    ctx,
                );
                return None;
            }
            if self.registry.is_live(call) && self.legs.may_join(call, at) {
                return Some(call);
            }
            if !self.registry.is_live(call) && self.start.legs.contains(&participant.leg) {
                // precall was stopped between the end of the call and the end of its leg.
                info!(self.services.log, "a leg is left over from a call that is over"; "call" => %call,
                    "leg" => %participant.leg.participant);
                self.refuse_leg(participant, &line);
                return None;
            }
        }
        let call = clock::new_call();
        // Before anything else: it also holds while the database is away. A leg that was here before the start may be
        // that of a live call.
        if !self.start.legs.contains(&participant.leg)
            && let Err(refused) = self.refuse_if_bypassed(call, &line)
        {
            self.refuse_leg(participant, &line);
            self.admit_refused(call, participant, sighting, refused, at, ctx);
            return None;
        }
        let admission = match self.room(&line) {
            Ok(()) => self.within_budgets(call, &sighting.caller, &line, at),
            // The standby takes this leg in a moment.
            Err(Busy::Draining) if self.services.persistence_state.leadership().hands_over() => return None,
            Err(busy) => match busy.cause() {
                Some(cause) => {
                    warn!(self.services.log, "turned away a leg"; "leg" => %participant.leg.participant,
                        "reason" => %busy);
                    Err(Admission::Refused(cause))
                }
                None => {
                    self.wait_with_leg(participant, at);
                    return None;
                }
            },
        };
        match admission {
            Ok(()) => {
                self.admit_leg(call, participant, sighting, Admission::Accepted, at, ctx);
                Some(call)
            }
            Err(refused) => {
                self.refuse_leg(participant, &line);
                self.admit_refused(call, participant, sighting, refused, at, ctx);
                None
            }
        }
    }

    /// Starts the call of a leg. Nothing waits for the offer to be durable: a leg needs no acknowledgement.
    fn admit_leg(
        &mut self,
        call: CallId,
        participant: &Participant,
        sighting: Sighting,
        admission: Admission,
        now: At,
        ctx: &mut Context<Self>,
    ) {
        let line = self.line_of_leg(&sighting, participant);
        let proof = self.proof_of(participant, &sighting.caller);
        let (recording, canary) = (None, false);
        let webhook = None;
        let admitted = Admitted { call, sighting, line, admission, proof, recording, webhook, now, canary };
        drop(self.admit(admitted, ctx));
    }

    /// Records the call of a leg that was turned away: each has a row and a cause. Without room in memory only the log
    /// has it.
    pub(super) fn admit_refused(
        &mut self,
        call: CallId,
        participant: &Participant,
        sighting: Sighting,
        refused: Admission,
        now: At,
        ctx: &mut Context<Self>,
    ) {
        if self.services.persistence_state.has_queue_room() {
            self.admit_leg(call, participant, sighting, refused, now, ctx);
            self.refused_before_its_leg(call, now);
        }
    }

    /// The identity of a leg's call, as the leg shows it.
    pub(super) fn sighting_of(&self, participant: &Participant) -> Sighting {
        Sighting {
            pbx: PBX.to_owned(),
            threecx_call_id: participant.call_id.clone(),
            caller: self.caller_of(participant),
            called: self.number(&participant.party_did),
        }
    }

    /// Marks a call as refused, so that legs that appear later are turned away.
    pub(crate) fn refused_before_its_leg(&mut self, call: CallId, now: At) {
        self.refused.retain(|_, at| now.since(*at) < REFUSED_REMEMBERED);
        self.refused.insert(call, now);
    }

    fn was_refused(&self, call: CallId) -> bool {
        self.refused.contains_key(&call)
    }

    /// Turns the leg away once and ignores its later events.
    pub(super) fn refuse_leg(&mut self, participant: &Participant, line: &Line) {
        self.turn_away(participant, line);
        self.legs.mark_left_over(&participant.leg);
    }

    /// The line of the dialled number. Most legs do not carry one; then the line of the route point.
    pub(super) fn line_of_leg(&self, sighting: &Sighting, participant: &Participant) -> Arc<Line> {
        let route_point = CallerNumber::parse(participant.leg.dn.as_str(), self.settings.region);
        let called = sighting.called.as_ref().unwrap_or(&route_point);
        self.lines.of_called(called).of_caller(&sighting.caller)
    }

    pub(super) fn turn_away(&self, participant: &Participant, line: &Line) {
        let ringing = line.rules.transfer_ring;
        let destination = line.fallback_destination.clone().map(|to| Destination { to, ringing });
        let Some(side) = &self.services.pbx else {
            return error!(self.services.log, "a leg came from a PBX that is not configured");
        };
        leg_commands::turn_away(side, &self.services.log, &participant.leg, destination);
    }

    fn deliver_leg_event(&mut self, event: CallLegEvent, at: At, ctx: &mut Context<Self>) {
        let (call, event, payload) = match event {
            CallLegEvent::Ringing(call, leg) => (call, Event::LegRinging, Payload::Leg(leg)),
            CallLegEvent::Connected(call, leg) => (call, Event::LegConnected, Payload::Leg(leg)),
            CallLegEvent::Gone(call) => (call, Event::LegGone, Payload::None),
        };
        self.deliver(call, Delivery::internal(event, payload, at), ctx);
    }

    fn keys_pressed(&mut self, call: CallId, keys: &str, at: At, ctx: &mut Context<Self>) {
        for key in keys.chars().filter(|key| matches!(key, '0'..='9' | '*' | '#')) {
            self.deliver(call, Delivery::internal(Event::DtmfReceived { key }, Payload::None, at), ctx);
        }
    }
}

/// The known legs were compared with the PBX's list, after the leg events of that list. After a start this finds the
/// callers who hung up while precall was down.
impl Handler<Synced> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, _: Synced, ctx: &mut Context<Self>) {
        self.start.has_list = true;
        if let Some(side) = &self.services.pbx {
            side.leaving.compared(|leg| self.legs.call_of(leg).is_some() || self.legs.is_left_over(leg));
        }
        if self.ready {
            self.end_calls_without_legs(ctx);
        }
    }
}

impl Handler<PbxLegEvent> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, PbxLegEvent { leg, at, what }: PbxLegEvent, ctx: &mut Context<Self>) {
        match what {
            PbxLegChange::Seen(participant) => {
                if !self.start.has_list {
                    self.start.legs.insert(leg);
                }
                self.leg_seen(&participant, at, ctx);
            }
            PbxLegChange::Gone => {
                self.start.legs.remove(&leg);
                self.waiting.gone(&leg);
                if let Some(side) = &self.services.pbx {
                    side.held.release(&leg);
                    side.leaving.over(&leg);
                }
                for event in self.legs.gone(&leg, at) {
                    self.deliver_leg_event(event, at, ctx);
                }
            }
            PbxLegChange::Keys(keys) => match self.legs.call_of(&leg) {
                Some(call) => self.keys_pressed(call, &keys, at, ctx),
                None => {
                    info!(self.services.log, "keys pressed on a leg without a call"; "leg" => %leg.participant)
                }
            },
        }
    }
}

/// A leg as the PBX shows it, for the record of its call.
fn leg_line(leg: &Participant) -> WireLine {
    let shown = json!({
        "dn": leg.leg.dn.as_str(),
        "id": leg.leg.participant.to_string(),
        "status": if leg.is_connected() { "Connected" } else { "Ringing" },
        "callid": leg.call_id,
        "legid": leg.leg_id,
        "party_dn": leg.party.dn,
        "party_dn_type": leg.party.kind,
        "party_caller_id": leg.party_caller_id,
        "party_did": leg.party_did,
        "direct_control": leg.direct_control,
    });
    WireLine::received("3cx", "participant", shown.to_string().as_bytes())
}
