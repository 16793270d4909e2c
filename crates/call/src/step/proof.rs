//! Proof of the caller's identity, by the leg or by a PIN, for a voice that needs it.
//!
//! While the call waits for a PIN it plays greeting and hold music, as while it waits for a voice. The time for the
//! clone begins with the proof, since nothing is cloned before.

use super::StepBuilder;
use crate::cause::NoVoice;
use crate::phase::Phase;
use crate::policy::{Proof, ProofWay, ProvedBy};
use crate::state::{Leg, ProofState, Voice};

/// How many PINs one call may try.
const PINS: u8 = 3;

impl StepBuilder {
    pub(super) fn awaits_proof(&self) -> bool {
        matches!(self.call.proof, ProofState::Awaited(_))
    }

    /// Whether proof was asked for and not given.
    pub(super) fn lacks_proof(&self) -> bool {
        match self.call.proof {
            ProofState::Awaited(_) | ProofState::Denied => true,
            ProofState::Unasked | ProofState::Given | ProofState::Shown => false,
        }
    }

    /// The proof to send with the next request for the voice.
    pub(super) fn show_proof(&mut self) -> Proof {
        match self.call.proof {
            ProofState::Given | ProofState::Shown => {
                self.call.proof = ProofState::Shown;
                Proof::Given
            }
            ProofState::Unasked | ProofState::Awaited(_) | ProofState::Denied => Proof::None,
        }
    }

    /// The voice book answers that the voice needs proof. Proof that was given meanwhile counts.
    pub(super) fn proof_asked(&mut self, way: ProofWay) {
        let open = matches!(self.call.phase, Phase::Offered | Phase::Greeting(_) | Phase::Holding);
        if !open || !self.call.awaits_voice {
            return;
        }
        match self.call.proof {
            ProofState::Given => return self.ask_for_voice(),
            ProofState::Unasked => {}
            ProofState::Awaited(_) | ProofState::Shown | ProofState::Denied => return,
        }
        self.call.awaits_voice = false;
        if self.call.voice != Voice::Awaited {
            self.call.proof = ProofState::Denied;
            return;
        }
        // Without a live leg no key can be pressed. A leg that proves anything has done so before it is connected.
        let leg_is_there = self.call.leg == Leg::Connected && way == ProofWay::Leg;
        if !self.call.policy.on_live_leg() || leg_is_there {
            return self.unproven();
        }
        self.call.proof = ProofState::Awaited(way);
        self.call.deadlines.voice = None;
        self.call.deadlines.hold = None;
        if self.call.phase == Phase::Holding {
            self.call.deadlines.proof = Some(self.now.plus(self.call.policy.pin_wait));
        }
    }

    /// The leg is connected and has proved nothing, and no other proof is accepted.
    pub(super) fn leg_is_all_there_is(&mut self) {
        if self.call.proof == ProofState::Awaited(ProofWay::Leg) {
            self.unproven();
        }
    }

    /// The time for the clone begins now.
    pub(super) fn proof_given(&mut self, by: ProvedBy) {
        if self.call.is_released() {
            return;
        }
        match (self.call.proof, by) {
            (ProofState::Unasked, ProvedBy::Leg) => self.call.proof = ProofState::Given,
            (ProofState::Awaited(_), ProvedBy::Leg)
            | (ProofState::Awaited(ProofWay::LegOrPin), ProvedBy::Pin) => {
                self.call.proof = ProofState::Given;
                self.call.deadlines.proof = None;
                self.call.deadlines.voice = Some(self.now.plus(self.call.policy.clone_max_wait));
                if self.call.phase == Phase::Holding {
                    self.hold_for_voice();
                }
                self.ask_for_voice();
            }
            (ProofState::Unasked | ProofState::Awaited(ProofWay::Leg), ProvedBy::Pin)
            | (ProofState::Given | ProofState::Shown | ProofState::Denied, _) => {}
        }
    }

    /// After a wrong PIN the caller has the whole time again for the next one.
    pub(super) fn pin_refused(&mut self, number: u8) {
        if !self.call.awaits_pin() || number != self.call.wrong_pins.saturating_add(1) {
            return;
        }
        self.call.wrong_pins = number;
        if number >= PINS {
            return self.unproven();
        }
        if self.call.deadlines.proof.is_some() {
            self.call.deadlines.proof = Some(self.now.plus(self.call.policy.pin_wait));
        }
    }

    /// The proof was not given.
    pub(super) fn unproven(&mut self) {
        self.give_proof_up(NoVoice::Unproven);
    }

    /// The call goes on without the voice. The time for an operator is armed as before.
    pub(super) fn give_proof_up(&mut self, why: NoVoice) {
        self.call.proof = ProofState::Denied;
        self.call.deadlines.proof = None;
        let due = self.call.instants.offered.plus(self.call.policy.clone_max_wait);
        self.call.deadlines.voice = (due > self.now).then_some(due);
        self.decide(Voice::Fallback(why));
    }

    /// The voice does not matter any more: the call goes on without an agent's choice of voice, or is over.
    pub(super) fn stop_awaiting_proof(&mut self) {
        if self.awaits_proof() {
            self.call.proof = ProofState::Denied;
            self.call.deadlines.proof = None;
        }
    }
}
