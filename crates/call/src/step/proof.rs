//! Who may hear a voice that is kept for who proves to be the caller: by the leg, or by a PIN that is typed.
//!
//! While a PIN is awaited the call goes on as while the voice is: greeting, then music. The voice's own time does not run, since
//! nothing is being cloned; it begins with the proof.

use super::StepBuilder;
use crate::cause::NoVoice;
use crate::policy::{Proof, ProofWay, ProvedBy};
use crate::state::{Leg, Phase, Proving, Voice};

/// How many PINs one call may try.
const PINS: u8 = 3;

impl StepBuilder {
    pub(super) fn awaits_proof(&self) -> bool {
        matches!(self.call.proof, Proving::Awaited(_))
    }

    /// Whether proof was asked for and is not there.
    pub(super) fn lacks_proof(&self) -> bool {
        match self.call.proof {
            Proving::Awaited(_) | Proving::Denied => true,
            Proving::Unasked | Proving::Given | Proving::Shown => false,
        }
    }

    /// What whoever keeps the voice is told with the next question.
    pub(super) fn show_proof(&mut self) -> Proof {
        match self.call.proof {
            Proving::Given | Proving::Shown => {
                self.call.proof = Proving::Shown;
                Proof::Given
            }
            Proving::Unasked | Proving::Awaited(_) | Proving::Denied => Proof::None,
        }
    }

    /// The answer to a question for the voice. What was proved meanwhile counts.
    pub(super) fn proof_asked(&mut self, way: ProofWay) {
        let open = matches!(self.call.phase, Phase::Offered | Phase::Greeting(_) | Phase::Holding);
        if !open || !self.call.waiting {
            return;
        }
        match self.call.proof {
            Proving::Given => return self.ask_for_voice(),
            Proving::Unasked => {}
            Proving::Awaited(_) | Proving::Shown | Proving::Denied => return,
        }
        self.call.waiting = false;
        if self.call.voice != Voice::Awaited {
            self.call.proof = Proving::Denied;
            return;
        }
        // Nobody is on a line that keys could be pressed on; and a leg that proves has done so when it is connected.
        let leg_is_there = self.call.leg == Leg::Connected && way == ProofWay::Leg;
        if !self.call.policy.on_live_leg() || leg_is_there {
            return self.unproven();
        }
        self.call.proof = Proving::Awaited(way);
        self.call.dues.voice = None;
        self.call.dues.hold = None;
        if self.call.phase == Phase::Holding {
            self.call.dues.proof = Some(self.now.plus(self.call.policy.pin_wait));
        }
    }

    /// The leg is connected, and only a leg could prove anything: it would have, before.
    pub(super) fn leg_is_all_there_is(&mut self) {
        if self.call.proof == Proving::Awaited(ProofWay::Leg) {
            self.unproven();
        }
    }

    /// From here on the clone has its time.
    pub(super) fn proof_given(&mut self, by: ProvedBy) {
        if self.call.is_released() {
            return;
        }
        match (self.call.proof, by) {
            (Proving::Unasked, ProvedBy::Leg) => self.call.proof = Proving::Given,
            (Proving::Awaited(_), ProvedBy::Leg) | (Proving::Awaited(ProofWay::LegOrPin), ProvedBy::Pin) => {
                self.call.proof = Proving::Given;
                self.call.dues.proof = None;
                self.call.dues.voice = Some(self.now.plus(self.call.policy.clone_max_wait));
                if self.call.phase == Phase::Holding {
                    self.hold_for_voice();
                }
                self.ask_for_voice();
            }
            (Proving::Unasked | Proving::Awaited(ProofWay::Leg), ProvedBy::Pin)
            | (Proving::Given | Proving::Shown | Proving::Denied, _) => {}
        }
    }

    /// Whoever mistyped has as long as before for the next one.
    pub(super) fn pin_refused(&mut self, number: u8) {
        if !self.call.awaits_pin() || number != self.call.wrong_pins.saturating_add(1) {
            return;
        }
        self.call.wrong_pins = number;
        if number >= PINS {
            return self.unproven();
        }
        if self.call.dues.proof.is_some() {
            self.call.dues.proof = Some(self.now.plus(self.call.policy.pin_wait));
        }
    }

    /// Nothing proves who calls: the call goes on without the voice. What an operator is waited for is armed as before.
    pub(super) fn unproven(&mut self) {
        self.call.proof = Proving::Denied;
        self.call.dues.proof = None;
        let due = self.call.instants.offered.plus(self.call.policy.clone_max_wait);
        self.call.dues.voice = (due > self.now).then_some(due);
        self.decide(Voice::Fallback(NoVoice::Unproven));
    }

    /// The call goes on to somebody whom the voice does not matter to, or is over.
    pub(super) fn stop_awaiting_proof(&mut self) {
        if self.awaits_proof() {
            self.call.proof = Proving::Denied;
            self.call.dues.proof = None;
        }
    }
}
