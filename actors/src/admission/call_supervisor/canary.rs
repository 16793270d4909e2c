//! Calls of the canary: admitted beside the callers, so that they use no budget, no limit and no seat of theirs.

use actix::{Context, Handler, Message};
use precall_base::clock;
use precall_base::phone_number::CallerNumber;
use precall_call::{Admission, At, CallId, Proof};
use precall_providers::threecx::participant::Participant;
use slog::info;
use tokio::sync::oneshot;

use super::CallSupervisor;
use crate::admission::call_registry::Sighting;
use crate::admission::call_supervisor::admit::{Admitted, PBX};
use crate::call::line::Line;
use crate::pbx::leg_commands;

/// Calls the number of the canary, on route `callback`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct CallCanaryNumber {
    /// `CANARY_NUMBER`.
    pub(crate) number: CallerNumber,
    /// Receives the call, or why there is none.
    pub(crate) answer: oneshot::Sender<Result<CallId, String>>,
}

/// Whether precall takes calls: not while it starts or stops.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "bool")]
pub(crate) struct TakesCalls;

impl CallSupervisor {
    /// Whether a leg comes from the canary.
    pub(super) fn is_canary(&self, participant: &Participant) -> bool {
        self.services.canary.is_own(&participant.party.dn, participant.call_id.as_deref())
    }

    /// Starts the call of a leg of the canary. Where a caller would be turned away, the canary is, but never to the
    /// fallback destination: it rings nobody.
    pub(super) fn call_of_canary_leg(
        &mut self,
        participant: &Participant,
        at: At,
        ctx: &mut Context<Self>,
    ) -> Option<CallId> {
        let sighting = Sighting { caller: CallerNumber::Withheld, ..self.sighting_of(participant) };
        let line = self.line_of_leg(&sighting, participant);
        if let Err(why) = self.may_take_canary(&line) {
            self.drop_canary(participant, why);
            return None;
        }
        let call = clock::new_call();
        let admitted = Admitted {
            call,
            sighting,
            line,
            admission: Admission::Accepted,
            proof: Proof::None,
            recording: None,
            webhook: None,
            now: at,
            canary: true,
        };
        drop(self.admit(admitted, ctx));
        self.services.canary.taken(call);
        Some(call)
    }

    /// Drops a leg of the canary that precall does not take.
    pub(super) fn drop_canary(&mut self, participant: &Participant, why: String) {
        info!(self.services.log, "turned away a leg of the canary"; "leg" => %participant.leg.participant,
            "reason" => &why);
        if let Some(side) = &self.services.pbx {
            leg_commands::turn_away(side, &self.services.log, &participant.leg, None);
        }
        self.legs.mark_left_over(&participant.leg);
        self.services.canary.turned_away(why);
    }

    fn may_take_canary(&self, line: &Line) -> Result<(), String> {
        if self.services.bypass.covers(&line.id) {
            return Err(format!("the bypass is on for line {}", line.id));
        }
        self.room(line).map_err(|busy| busy.to_string())
    }
}

impl Handler<TakesCalls> for CallSupervisor {
    type Result = bool;

    fn handle(&mut self, _: TakesCalls, _: &mut Context<Self>) -> bool {
        self.ready && !self.draining && self.services.persistence_state.can_keep_call()
    }
}

impl Handler<CallCanaryNumber> for CallSupervisor {
    type Result = ();

    fn handle(&mut self, message: CallCanaryNumber, ctx: &mut Context<Self>) {
        let CallCanaryNumber { number, answer } = message;
        let sighting = Sighting { pbx: PBX.to_owned(), threecx_call_id: None, caller: number, called: None };
        let line = self.lines.of_called(&CallerNumber::Withheld).of_caller(&sighting.caller);
        if let Err(why) = self.may_take_canary(&line) {
            let _ = answer.send(Err(why));
            return;
        }
        let call = clock::new_call();
        // Before the call begins, so that the run hears of its first event.
        self.services.canary.taken(call);
        let admitted = Admitted {
            call,
            sighting,
            line,
            admission: Admission::Accepted,
            proof: Proof::None,
            recording: None,
            webhook: None,
            now: clock::now(),
            canary: true,
        };
        drop(self.admit(admitted, ctx));
        let _ = answer.send(Ok(call));
    }
}
