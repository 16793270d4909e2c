//! What a call does. Everything it ever decides is decided in this file and its children.

mod bridge;
mod ending;
mod greeting;
mod handoff;
mod holdings;
mod leg;
mod proof;

use core::time::Duration;
use std::sync::Arc;

use crate::cause::{Blame, Cause, NoVoice, Release};
use crate::effect::Effect;
use crate::event::{Admission, CallPart, Event, LegSeen, Offer, Request, VoiceSource};
use crate::ids::VoiceId;
use crate::policy::{Proof, VoiceWait};
use crate::state::{Call, Dues, Instants, Leg, Phase, Proving, Seat, Voice};
use crate::time::At;

/// Two panics of one call within this time end it.
const PANIC_WINDOW: Duration = Duration::from_secs(60);

/// What a step leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The call afterwards; equal to the call before when the event changed nothing.
    pub next: Call,
    /// What is to be done, in order.
    pub effects: Vec<Effect>,
}

/// Begins a call: its first event is the offer.
#[must_use]
pub fn open(offer: &Offer, now: At) -> Step {
    let call = Call {
        version: 1,
        at: now,
        policy: Arc::clone(&offer.policy),
        phase: Phase::Offered,
        voice: Voice::Awaited,
        waiting: false,
        proof: match offer.policy.proof {
            Proof::None => Proving::Unasked,
            Proof::Given => Proving::Given,
        },
        wrong_pins: 0,
        leg: Leg::Absent,
        audio_lost: false,
        audio: None,
        conversations: Vec::new(),
        seat: Seat::None,
        tried: Vec::new(),
        again: None,
        reopened: 0,
        agent_loss: None,
        talked: false,
        utterances: 0,
        dues: Dues::default(),
        generation: 0,
        instants: Instants {
            offered: now,
            leg_connected: None,
            greeting_started: None,
            sound_started: None,
            notice_ended: None,
            greeting_ended: None,
            voice_decided: None,
            handoff_started: None,
            handed_off: None,
            leg_gone: None,
            released: None,
        },
        pbx_ended: false,
        pbx_duration: None,
        pbx_state: None,
        handoff_asked: false,
        person_asked: None,
        persons_asked: 0,
        panics: 0,
        last_panic: None,
        resumed: 0,
    };
    let mut builder = StepBuilder { call, effects: Vec::new(), now };
    builder.offered(offer.admission);
    builder.rearm(None);
    Step { next: builder.call, effects: builder.effects }
}

/// Moves a call on. Total: every event is answered in every state. `now` is the event's own time; one that is earlier
/// than the call's last is taken as equal to it.
#[must_use]
pub fn step(call: &Call, event: &Event, now: At) -> Step {
    let now = now.max(call.at);
    let mut builder = StepBuilder { call: call.clone(), effects: Vec::new(), now };
    builder.take(event);
    if builder.call == *call {
        return Step { next: builder.call, effects: Vec::new() };
    }
    builder.give_up_what_is_left_behind(call);
    builder.rearm(call.dues.earliest());
    builder.call.version = call.version.saturating_add(1);
    builder.call.at = now;
    Step { next: builder.call, effects: builder.effects }
}

/// A call in the middle of one step.
struct StepBuilder {
    call: Call,
    effects: Vec<Effect>,
    now: At,
}

impl StepBuilder {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Offered(_) => {}
            Event::LegRinging => self.leg_ringing(),
            Event::LegConnected => self.leg_connected(),
            Event::LegGone => self.leg_gone(),
            Event::SoundStarted => self.sound_started(),
            Event::NoticeEnded { version } => self.notice_ended(version),
            Event::AudioLost => self.audio_lost(),
            Event::AudioEnded(heard) => self.audio_ended(*heard),
            Event::PbxStateChanged { state } => self.call.pbx_state = Some(Arc::clone(state)),
            Event::PbxCallEnded { duration } => self.pbx_call_ended(*duration),
            Event::DtmfReceived { key } => self.dtmf(*key),
            Event::GreetingDialled => self.greeting_dialled(),
            Event::GreetingStarted { conversation } => self.greeting_started(conversation.as_ref()),
            Event::GreetingEnded { end } => self.greeting_ended(*end),
            Event::VoiceReady { voice, source, .. } => self.voice_ready(voice, *source),
            Event::VoiceMissing { why } => self.voice_missing(*why),
            Event::VoiceWithdrawn { why } => self.voice_withdrawn(*why),
            Event::ProofAsked { way } => self.proof_asked(*way),
            Event::ProofGiven { by } => self.proof_given(*by),
            Event::PinRefused { number } => self.pin_refused(*number),
            Event::HandoffStarted { attempt, rung } => self.handoff_started(*attempt, *rung),
            Event::HandoffSucceeded { attempt, conversation } => {
                self.handoff_succeeded(*attempt, conversation.as_ref());
            }
            Event::HandoffFailed { attempt, why } => self.handoff_failed(*attempt, *why),
            Event::AgentEnded { attempt } => self.agent_ended(*attempt),
            Event::AgentLost { attempt, why } => self.agent_lost(*attempt, *why),
            Event::PersonAsked { number, person } => self.agent_asked_for(*number, person),
            Event::Utterance { number, .. } => self.utterance_heard(*number),
            Event::Reported(report) => self.reported(report),
            Event::OperatorAsked(request) => self.operator_asked(*request),
            Event::DeadlinePassed { generation } => self.deadline_passed(*generation),
            Event::Panicked { part, ordinal } => self.panicked(*part, *ordinal),
            Event::Resumed { generation, leg } => self.resumed(*generation, *leg),
        }
    }

    fn offered(&mut self, admission: Admission) {
        match admission {
            Admission::Refused(cause) => return self.release(Release::by(Blame::Precall, cause)),
            Admission::EndedBefore => {
                self.call.pbx_ended = true;
                return self.release(Release::by(Blame::Caller, Cause::CallerHungUp));
            }
            Admission::Accepted => {}
        }
        self.call.dues.voice = Some(self.now.plus(self.call.policy.clone_max_wait));
        if self.call.policy.on_live_leg() {
            self.call.dues.leg = Some(self.now.plus(self.call.policy.leg_max));
        } else {
            self.effects.push(Effect::Intend(Event::GreetingDialled));
        }
        self.ask_for_voice();
    }

    fn ask_for_voice(&mut self) {
        self.call.waiting = true;
        let proof = self.show_proof();
        self.effects.push(Effect::AskForVoice { proof });
    }

    /// A clone that comes late is still the better voice, until somebody speaks with another one.
    fn voice_ready(&mut self, voice: &VoiceId, _source: VoiceSource) {
        let still_open = matches!(self.call.phase, Phase::Offered | Phase::Greeting(_) | Phase::Holding);
        if !still_open || matches!(self.call.voice, Voice::Cloned(_)) || self.lacks_proof() {
            return;
        }
        self.call.waiting = false;
        self.give_early_agent_up();
        self.decide(Voice::Cloned(voice.clone()));
    }

    fn voice_missing(&mut self, why: NoVoice) {
        if self.call.is_released() || !self.call.waiting {
            return;
        }
        self.call.waiting = false;
        if self.call.voice == Voice::Awaited {
            self.decide(Voice::Fallback(why));
        }
    }

    fn decide(&mut self, voice: Voice) {
        self.call.voice = voice;
        self.call.instants.voice_decided = Some(self.now);
        self.make_agent_ready();
        self.move_on();
    }

    fn operator_asked(&mut self, request: Request) {
        if self.call.is_released() {
            return;
        }
        match request {
            Request::HangUp => {
                self.release(Release::by(Blame::Operator, Cause::OperatorEnded));
            }
            Request::HandOff => {
                self.call.handoff_asked = true;
                self.make_agent_ready();
                self.move_on();
            }
        }
    }

    fn deadline_passed(&mut self, generation: u32) {
        let due_now = self.call.deadline().is_some_and(|d| d.generation == generation && d.due <= self.now);
        if !due_now {
            return;
        }
        let now = self.now;
        let passed = |due: &mut Option<At>| due.take_if(|at| *at <= now).is_some();
        if passed(&mut self.call.dues.leg) {
            return self.leg_overdue();
        }
        if passed(&mut self.call.dues.conversation) {
            return self.conversation_overdue();
        }
        if passed(&mut self.call.dues.handoff) {
            return self.handoff_overdue();
        }
        if passed(&mut self.call.dues.proof) {
            return self.unproven();
        }
        let voice = passed(&mut self.call.dues.voice);
        let hold = passed(&mut self.call.dues.hold);
        if (voice || hold) && self.call.voice == Voice::Awaited {
            self.call.voice = Voice::Fallback(NoVoice::CloneTimeout);
            self.call.instants.voice_decided = Some(self.now);
        }
        if passed(&mut self.call.dues.greeting) {
            return self.greeting_overdue();
        }
        if self.call.phase == Phase::Offered && !self.call.policy.on_live_leg() {
            // The intent was never recorded; it is made again.
            self.effects.push(Effect::Intend(Event::GreetingDialled));
            self.call.dues.voice = Some(self.now.plus(self.call.policy.clone_max_wait));
        }
        self.make_agent_ready();
        self.move_on();
    }

    fn panicked(&mut self, part: CallPart, ordinal: u32) {
        if ordinal != self.call.panics.saturating_add(1) {
            return;
        }
        self.call.panics = ordinal;
        let again = self.call.last_panic.is_some_and(|last| self.now.since(last) < PANIC_WINDOW);
        self.call.last_panic = Some(self.now);
        if self.call.is_released() {
            return;
        }
        if again {
            return self.release(Release::by(Blame::Precall, Cause::Panicked));
        }
        match part {
            CallPart::Call => {}
            CallPart::Greeting => self.greeting_lost(),
            CallPart::CloneWorker => self.voice_missing(NoVoice::CloneFailed),
            CallPart::Handoff => self.handoff_lost(),
        }
    }

    /// After a restart nothing of what was running is left: what can be seen is looked up, what is due is armed again.
    fn resumed(&mut self, generation: u64, leg: LegSeen) {
        if generation <= self.call.resumed {
            return;
        }
        self.call.resumed = generation;
        if self.call.is_released() {
            return;
        }
        let routed_away = matches!(self.call.phase, Phase::Conversing(with) if with.attempt.rung.routes());
        let ours = self.call.policy.on_live_leg() && !routed_away;
        if ours && leg == LegSeen::Gone {
            self.call.leg = Leg::Gone;
            return self.release(Release::by(Blame::Precall, Cause::LostInRestart));
        }
        self.call.waiting = false;
        if self.call.voice == Voice::Awaited && !self.lacks_proof() {
            self.ask_for_voice();
        }
        if ours {
            self.session_went();
            self.leg_after_restart();
            if leg == LegSeen::Present {
                self.leg_connected();
            }
            return;
        }
        match self.call.phase {
            Phase::Offered => self.effects.push(Effect::Intend(Event::GreetingDialled)),
            Phase::Greeting(_) => self.greeting_lost(),
            Phase::Holding => self.move_on(),
            Phase::HandingOff(_) => self.handoff_lost(),
            Phase::Conversing(_) | Phase::Released(_) => {}
        }
    }

    /// What is known of the greeting dial is its intent alone: ask the provider. On a live leg hold music takes over, but only
    /// after a notice that was heard; an agent who spoke through the same player is gone with it.
    fn greeting_lost(&mut self) {
        if self.leg_is_away() {
            return;
        }
        self.session_went();
        match self.call.phase {
            Phase::Greeting(_) if !self.call.notice_given() => self.effects.push(Effect::PlayGreeting),
            Phase::Greeting(_) if self.call.policy.on_live_leg() => self.hold(),
            Phase::Greeting(_) => self.look_greeting_up(),
            Phase::Holding => self.play_hold(),
            Phase::HandingOff(handoff) if handoff.attempt.rung.needs_audio() => {
                self.play_hold();
                self.handoff_lost();
            }
            Phase::HandingOff(_) => self.play_hold(),
            Phase::Conversing(with) if with.attempt.rung.bridges() => {
                self.play_hold();
                self.next_rung();
            }
            Phase::Offered | Phase::Conversing(_) | Phase::Released(_) => {}
        }
    }

    /// Goes from hold to the next attempt, once nothing is left to wait for.
    fn move_on(&mut self) {
        if self.call.phase != Phase::Holding {
            return;
        }
        if self.leg_is_away() {
            return;
        }
        // Nobody whom the voice would matter to may be brought in.
        if !self.call.notice_given() {
            return self.next_rung();
        }
        let told_to = self.call.handoff_asked || self.call.dues.voice.is_none();
        let free = self.call.policy.auto_transition || told_to;
        if self.call.person_asked.is_some() || (self.call.voice != Voice::Awaited && free) {
            self.next_rung();
        }
    }

    /// The greeting is over: the agent who was made ready meanwhile, or else music, and the shorter wait of `VOICE_WAIT=start`.
    fn hold(&mut self) {
        if self.call.person_asked.is_some() {
            self.give_early_agent_up();
        }
        let early = self.take_early_agent();
        self.call.phase = Phase::Holding;
        self.call.dues.greeting = None;
        self.call.instants.greeting_ended = Some(self.now);
        if let Some(early) = early {
            return self.await_early_agent(early);
        }
        self.play_hold();
        if self.awaits_proof() {
            self.call.dues.proof = Some(self.now.plus(self.call.policy.pin_wait));
        } else {
            self.hold_for_voice();
        }
        self.move_on();
    }

    /// `VOICE_WAIT=start`: from now on the voice is waited for so long.
    fn hold_for_voice(&mut self) {
        if let (VoiceWait::Start { after }, Voice::Awaited, true) =
            (self.call.policy.voice_wait, &self.call.voice, self.call.policy.auto_transition)
        {
            self.call.dues.hold = Some(self.now.plus(after));
        }
    }

    fn play_hold(&mut self) {
        if self.call.leg == Leg::Connected && !self.call.audio_lost {
            self.effects.push(Effect::PlayHold);
        }
    }

    fn release(&mut self, release: Release) {
        if self.call.is_released() {
            return;
        }
        self.give_early_agent_up();
        if let (Phase::HandingOff(handoff), true) = (self.call.phase, self.call.policy.on_live_leg()) {
            self.effects.push(Effect::CancelHandoff { attempt: handoff.attempt.number });
        }
        self.call.again = None;
        self.stop_awaiting_proof();
        if self.call.waiting {
            self.call.waiting = false;
            self.effects.push(Effect::StopWaiting);
        }
        if self.call.leg == Leg::Connected {
            self.effects.push(Effect::StopAudio);
        }
        if matches!(self.call.leg, Leg::Ringing | Leg::Connected) {
            self.effects.push(Effect::DropLeg);
        }
        self.call.phase = Phase::Released(release);
        self.call.dues = Dues::default();
        self.call.instants.released = Some(self.now);
    }

    /// Arms anew when the earliest due time moved, so that the old timer is known to be stale.
    fn rearm(&mut self, before: Option<At>) {
        if self.call.dues.earliest() != before {
            self.call.generation = self.call.generation.wrapping_add(1);
        }
    }
}
