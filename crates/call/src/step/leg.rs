//! The caller's own leg at the PBX, and the audio that is written into it.

use core::time::Duration;
use std::sync::Arc;

use super::StepBuilder;
use crate::cause::{Blame, Cause, Release, Told};
use crate::effect::Effect;
use crate::event::{AudioHeard, Event};
use crate::phase::{Greeting, HandingOff, Phase};
use crate::policy::Rung;
use crate::state::{Deadlines, Leg};

/// How long a leg may be away before it counts as gone: it may come back under another id (3CX facts, section 5, row
/// 6). The answer of a `routeto` may also come this long after the end of the leg (row 7).
const LEG_GRACE: Duration = Duration::from_secs(2);

impl StepBuilder {
    pub(super) fn leg_ringing(&mut self) {
        let waited_for = self.call.leg == Leg::Absent && self.call.phase == Phase::Offered;
        if !waited_for || !self.call.policy.on_live_leg() {
            return;
        }
        self.call.leg = Leg::Ringing;
        self.call.deadlines.leg = Some(self.now.plus(self.call.policy.leg_max));
        self.effects.push(Effect::AnswerLeg);
    }

    /// precall cannot answer this leg, so the caller would hear it ring until the PBX gives up. `routeto` works on a
    /// ringing leg (3CX facts, section 1.3): the caller goes to a person.
    pub(super) fn answer_refused(&mut self) {
        if self.call.leg == Leg::Ringing && self.call.phase == Phase::Offered && !self.route_ringing_leg() {
            self.release(Release::by(Blame::Pbx, Cause::NoLeg));
        }
    }

    /// Orders the transfer of a leg that rings to `FALLBACK_DESTINATION`. False if the line has none, or it was tried.
    fn route_ringing_leg(&mut self) -> bool {
        let rung = Rung::Destination;
        if self.call.leg != Leg::Ringing || !self.can_try(rung) {
            return false;
        }
        self.call.phase = Phase::Holding;
        self.stop_awaiting_proof();
        self.call.deadlines = Deadlines::default();
        self.call.deadlines.handoff = Some(self.now.plus(self.call.policy.handoff_max));
        let attempt = self.next_attempt();
        self.effects.push(Effect::Intend(Event::HandoffStarted { attempt, rung }));
        true
    }

    /// The first connection starts the greeting. A leg that comes back under another id continues the call where it
    /// was.
    pub(super) fn leg_connected(&mut self) {
        if self.call.leg == Leg::Connected || self.call.is_released() || !self.call.policy.on_live_leg() {
            return;
        }
        let rang = self.call.leg == Leg::Ringing;
        self.call.leg = Leg::Connected;
        self.call.audio_lost = false;
        self.call.deadlines.leg = None;
        self.call.instants.leg_gone = None;
        self.call.instants.leg_connected.get_or_insert(self.now);
        match self.call.phase {
            Phase::Offered => {
                self.call.phase = Phase::Greeting(Greeting::default());
                self.call.deadlines.greeting = Some(self.now.plus(self.call.policy.greeting_max));
                self.effects.push(Effect::PlayGreeting);
            }
            Phase::Greeting(_) => self.greeting_lost(),
            Phase::Holding => {
                self.play_hold();
                // After the first attempt the call does not wait for a voice any more.
                let waits = self.call.deadlines.voice.is_some() || self.awaits_proof();
                if waits { self.move_on() } else { self.next_rung() }
            }
            // The leg was being routed while it rang, and still is.
            Phase::HandingOff(_) if rang => self.play_hold(),
            // The agent's audio ended with the old leg. A caller who was routed away has come back.
            Phase::HandingOff(_) => {
                self.session_went();
                self.play_hold();
                self.handoff_lost();
            }
            Phase::Conversing(_) => {
                self.session_went();
                self.play_hold();
                self.next_rung();
            }
            Phase::Released(_) => {}
        }
        self.leg_is_all_there_is();
    }

    pub(super) fn leg_gone(&mut self) {
        if !self.call.policy.on_live_leg() {
            return;
        }
        if self.call.leg == Leg::Gone {
            // After a restart this is the first news that the leg does not exist any more. Otherwise it is a
            // repetition.
            let unknown_till_now = self.call.instants.leg_gone.is_none();
            if unknown_till_now && self.call.deadlines.leg.take().is_some() {
                self.leg_overdue();
            }
            return;
        }
        if self.call.leg == Leg::Connected && !self.call.is_released() {
            self.effects.push(Effect::StopAudio);
        }
        if let Some(early) = self.call.early() {
            self.give_early_agent_up();
            self.allow_retry(early.attempt.rung);
        }
        self.call.leg = Leg::Gone;
        self.call.instants.leg_gone = Some(self.now);
        let soon = self.now.plus(LEG_GRACE);
        match self.call.phase {
            Phase::Released(_) => {}
            Phase::HandingOff(handoff) if handoff.attempt.rung.routes() => {
                self.call.deadlines.handoff =
                    Some(self.call.deadlines.handoff.map_or(soon, |due| due.min(soon)));
            }
            Phase::Conversing(with) if with.attempt.rung.routes() => {}
            Phase::Offered
            | Phase::Greeting(_)
            | Phase::Holding
            | Phase::HandingOff(_)
            | Phase::Conversing(_) => {
                self.call.deadlines.leg = Some(soon);
            }
        }
    }

    /// The leg never came, or went and did not come back.
    pub(super) fn leg_overdue(&mut self) {
        if let Phase::HandingOff(HandingOff { attempt, .. }) = self.call.phase
            && attempt.rung.routes()
        {
            return self.delivered(attempt);
        }
        if self.call.phase == Phase::Offered && self.route_ringing_leg() {
            return;
        }
        let seen_to_go = self.call.instants.leg_gone.is_some();
        self.release(match self.call.leg {
            Leg::Gone if seen_to_go => Release::by(Blame::Caller, Cause::CallerHungUp),
            Leg::Gone => Release::by(Blame::Precall, Cause::LostInRestart),
            Leg::Absent | Leg::Ringing | Leg::Connected => Release::by(Blame::Pbx, Cause::NoLeg),
        });
    }

    /// Whether the route needs the caller's leg and the leg is not connected.
    pub(super) fn leg_is_away(&self) -> bool {
        self.call.policy.on_live_leg() && self.call.leg != Leg::Connected
    }

    /// After a restart the leg may or may not exist. The PBX's next list of legs tells. While the PBX is away there is
    /// no list, so the deadline is long.
    pub(super) fn leg_after_restart(&mut self) {
        self.call.leg = Leg::Gone;
        self.call.instants.leg_gone = None;
        self.call.deadlines.handoff = None;
        let policy = &self.call.policy;
        self.call.deadlines.leg = Some(self.now.plus(policy.list_max.unwrap_or(policy.leg_max)));
    }

    /// A person has the caller now: precall could not go on with the call in time.
    pub(super) fn leg_routed_away(&mut self) {
        if !self.call.policy.on_live_leg() {
            return;
        }
        self.call.leg = Leg::Gone;
        self.release(Release { told: Told::Person, ..Release::by(Blame::Precall, Cause::LostInRestart) });
    }

    /// Starts nothing while the leg is away. The call goes on when the leg is back or its grace time is over.
    pub(super) fn wait_for_leg(&mut self) {
        self.call.deadlines.handoff = None;
        self.call.deadlines.leg.get_or_insert(self.now.plus(LEG_GRACE));
    }

    /// The PBX routed the leg away: stop the audio, and drop the rest of our leg (3CX facts, section 6(c)).
    pub(super) fn let_go_of_leg(&mut self, rung: Rung) {
        if !rung.routes() || self.call.leg != Leg::Connected {
            return;
        }
        self.effects.push(Effect::StopAudio);
        self.effects.push(Effect::DropLeg);
        self.call.leg = Leg::Gone;
        self.call.instants.leg_gone = Some(self.now);
    }

    pub(super) fn sound_started(&mut self) {
        // As with the first frame, the latest time counts.
        if self.call.leg == Leg::Connected && self.call.is_greeting() {
            self.call.instants.sound_started = Some(self.now);
        }
    }

    /// From now on keys work, and an agent may be started.
    pub(super) fn notice_ended(&mut self, version: &Arc<str>) {
        let due = self.call.policy.notice.as_ref() == Some(version) && self.call.policy.on_live_leg();
        if !due || self.call.instants.notice_ended.is_some() || self.call.is_released() {
            return;
        }
        self.call.instants.notice_ended = Some(self.now);
        if self.call.person_asked.is_some() && self.call.is_greeting() {
            return self.hold();
        }
        self.make_agent_ready();
    }

    /// No audio reaches the caller any more: try a rung that does not need our audio.
    pub(super) fn audio_lost(&mut self) {
        if self.call.leg != Leg::Connected || self.call.audio_lost || self.call.is_released() {
            return;
        }
        self.call.audio_lost = true;
        match self.call.phase {
            Phase::Greeting(_) => {
                self.give_early_agent_up();
                self.call.deadlines.greeting = None;
                self.call.instants.greeting_ended = Some(self.now);
                self.next_rung();
            }
            Phase::Holding => self.next_rung(),
            Phase::HandingOff(handoff) if handoff.attempt.rung.needs_audio() => self.handoff_lost(),
            Phase::Conversing(with) if with.attempt.rung.needs_audio() => {
                self.effects.push(Effect::CancelHandoff { attempt: with.attempt.number });
                self.next_rung();
            }
            Phase::Offered | Phase::HandingOff(_) | Phase::Conversing(_) | Phase::Released(_) => {}
        }
    }

    pub(super) fn audio_ended(&mut self, heard: AudioHeard) {
        let more = self.call.audio.is_none_or(|before| heard.written > before.written);
        if more && self.call.policy.on_live_leg() {
            self.call.audio = Some(heard);
        }
    }
}
