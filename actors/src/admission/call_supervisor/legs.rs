//! Legs at the PBX: which call each one belongs to, a new call where none does, and what the call is told of it.

use std::sync::Arc;
use std::time::Duration;

use actix::{Context, Handler};
use precall_base::clock;
use precall_base::phone_number::CallerNumber;
use precall_call::{Admission, At, CallId, Event, Proof, ProvedBy};
use precall_providers::threecx::action::Destination;
use precall_providers::threecx::participant::{Participant, ParticipantStatus};
use slog::{error, info, warn};

use super::{CallSupervisor, Delivery};
use crate::admission::call_registry::{Sighting, SightingMatch};
use crate::admission::call_supervisor::admit::{Admitted, PBX};
use crate::admission::caller_proof::leg_proof;
use crate::admission::leg_owners::{CallLegEvent, LegState};
use crate::call::line::Line;
use crate::call::projection::Payload;
use crate::pbx::leg_commands;
use crate::pbx::leg_events::{PbxLegChange, PbxLegEvent, Synced};

/// A leg may appear so long after its webhook, and come back under another id.
const REFUSED_REMEMBERED: Duration = Duration::from_secs(60);

impl CallSupervisor {
    fn leg_seen(&mut self, participant: &Participant, at: At, ctx: &mut Context<Self>) {
        let state = match participant.status {
            ParticipantStatus::Ringing => LegState::Ringing,
            ParticipantStatus::Connected => LegState::Connected,
            // Our own outgoing legs, and words that nobody knows yet: not a caller.
            ParticipantStatus::Dialing | ParticipantStatus::Other(_) => return,
        };
        if self.legs.is_left_over(&participant.leg) {
            return;
        }
        let known = self.legs.call_of(&participant.leg);
        let Some(call) = known.or_else(|| self.call_of_new_leg(participant, at, ctx)) else { return };
        let Some(event) = self.legs.seen(call, &participant.leg, state) else { return };
        // First of all: a leg that is connected and has proved nothing is not waited for.
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

    /// The live call that this leg is of, or a new one; none where there is no room for it.
    fn call_of_new_leg(
        &mut self,
        participant: &Participant,
        at: At,
        ctx: &mut Context<Self>,
    ) -> Option<CallId> {
        let sighting = Sighting {
            pbx: PBX.to_owned(),
            threecx_call_id: participant.call_id.map(|id| id.to_string()),
            caller: self.caller_of(participant),
            called: self.number(&participant.party_did),
        };
        let found = self.registry.find(&sighting, at);
        let line = self.line_of_leg(&sighting, participant);
        if let SightingMatch::Call(call) = found {
            // Its webhook came first and was refused: the call has its row, the leg has nobody.
            if self.was_refused(call) {
                self.refuse_leg(participant, &line);
                return None;
            }
            if self.registry.is_live(call) && self.legs.may_join(call, at) {
                return Some(call);
            }
        }
        if let Err(busy) = self.room(&line) {
            warn!(self.services.log, "a leg is turned away"; "leg" => %participant.leg.participant,
                "reason" => %busy);
            self.turn_away(participant, &line);
            return None;
        }
        let (call, now) = (clock::new_call(), at);
        let budget_check = self.within_budgets(call, &sighting.caller, &line, now);
        let admission = budget_check.err().unwrap_or(Admission::Accepted);
        if admission != Admission::Accepted {
            self.refuse_leg(participant, &line);
        }
        // Nobody waits to hear that the offer is durable: the leg itself is what would be acknowledged.
        let proof = self.proof_of(participant, &sighting.caller);
        drop(self.admit(Admitted { call, sighting, line, admission, proof, recording: None, now }, ctx));
        if admission != Admission::Accepted {
            self.refused_before_its_leg(call, now);
            return None;
        }
        Some(call)
    }

    /// Legs of this call that are still to come have nobody.
    pub(crate) fn refused_before_its_leg(&mut self, call: CallId, now: At) {
        self.refused.retain(|_, at| now.since(*at) < REFUSED_REMEMBERED);
        self.refused.insert(call, now);
    }

    fn was_refused(&self, call: CallId) -> bool {
        self.refused.contains_key(&call)
    }

    /// At once, and once: what is heard of the leg from now on is no news.
    fn refuse_leg(&mut self, participant: &Participant, line: &Line) {
        self.turn_away(participant, line);
        self.legs.mark_left_over(&participant.leg);
    }

    /// The dialled number's line; most legs do not say it, and then the route point's.
    fn line_of_leg(&self, sighting: &Sighting, participant: &Participant) -> Arc<Line> {
        let route_point = CallerNumber::parse(participant.leg.dn.as_str(), self.settings.region);
        let called = sighting.called.as_ref().unwrap_or(&route_point);
        Arc::clone(self.lines.of_called(called))
    }

    fn turn_away(&self, participant: &Participant, line: &Line) {
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

/// What is known of legs was just compared with the PBX's list; its news have come before. After a start this tells whose callers
/// left while nobody looked.
impl Handler<Synced> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, _: Synced, ctx: &mut Context<Self>) {
        for call in std::mem::take(&mut self.resumed_calls) {
            if self.registry.is_live(call) && self.legs.of_call(call).is_none() {
                self.deliver(call, Delivery::internal(Event::LegGone, Payload::None, clock::now()), ctx);
            }
        }
    }
}

impl Handler<PbxLegEvent> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, PbxLegEvent { leg, at, what }: PbxLegEvent, ctx: &mut Context<Self>) {
        match what {
            PbxLegChange::Seen(participant) => self.leg_seen(&participant, at, ctx),
            PbxLegChange::Gone => {
                for event in self.legs.gone(&leg, at) {
                    self.deliver_leg_event(event, at, ctx);
                }
            }
            PbxLegChange::Keys(keys) => match self.legs.call_of(&leg) {
                Some(call) => self.keys_pressed(call, &keys, at, ctx),
                None => info!(self.services.log, "keys on a leg of no call"; "leg" => %leg.participant),
            },
        }
    }
}
