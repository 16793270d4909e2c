//! The rules: what a call does upon each event. All decisions of a call are in this file and in `step/`.

mod bridge;
mod ending;
mod greeting;
mod handoff;
mod holdings;
mod leg;
mod proof;

use core::time::Duration;
use std::sync::Arc;

use crate::cause::{Blame, Cause, NoVoice, Release, Told};
use crate::effect::Effect;
use crate::event::{Admission, CallPart, Event, LegSeen, Offer, Request, VoiceSource};
use crate::ids::VoiceId;
use crate::phase::Phase;
use crate::policy::{Proof, VoiceWait};
use crate::state::{Call, Deadlines, Instants, Leg, ProofState, Seat, Voice};
use crate::time::At;

/// Two panics of a call within this time end it.
const PANIC_WINDOW: Duration = Duration::from_secs(60);

/// The result of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The call after the step. Equal to the call before if the event changed nothing.
    pub next: Call,
    /// The effects to perform, in order.
    pub effects: Vec<Effect>,
}

/// Begins a call with its first event, the offer.
#[must_use]
pub fn open(offer: &Offer, now: At) -> Step {
    let call = Call {
        version: 1,
        at: now,
        policy: Arc::clone(&offer.policy),
        phase: Phase::Offered,
        voice: Voice::Awaited,
        awaits_voice: false,
        proof: match offer.policy.proof {
            Proof::None => ProofState::Unasked,
            Proof::Given => ProofState::Given,
        },
        wrong_pins: 0,
        leg: Leg::Absent,
        audio_lost: false,
        audio: None,
        conversations: Vec::new(),
        seat: Seat::None,
        tried: Vec::new(),
        retry: None,
        retries: 0,
        agent_loss: None,
        agent_talked: false,
        agent_heard: None,
        unheard_ends: 0,
        utterances: 0,
        deadlines: Deadlines::default(),
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
            agent_heard: None,
            leg_gone: None,
            released: None,
        },
        pbx_ended: false,
        pbx_duration: None,
        pbx_state: None,
        handoff_asked: false,
        person_asked: None,
        persons_asked: 0,
        told: 0,
        panics: 0,
        last_panic: None,
        resumed: 0,
    };
    let mut builder = StepBuilder { call, effects: Vec::new(), now };
    builder.offered(offer.admission);
    builder.rearm(None);
    Step { next: builder.call, effects: builder.effects }
}

/// Takes one event. Total: every event has an answer in every state. `now` is the time of the event; a time before
/// the call's last event is taken as that event's time.
#[must_use]
pub fn step(call: &Call, event: &Event, now: At) -> Step {
    let now = now.max(call.at);
    let mut builder = StepBuilder { call: call.clone(), effects: Vec::new(), now };
    builder.take(event);
    if builder.call == *call {
        return Step { next: builder.call, effects: Vec::new() };
    }
    builder.give_up_what_is_left_behind(call);
    builder.rearm(call.deadlines.earliest());
    builder.call.version = call.version.saturating_add(1);
    builder.call.at = now;
    Step { next: builder.call, effects: builder.effects }
}

/// Builds one step: the call as it changes, and the effects so far.
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
            Event::AnswerRefused => self.answer_refused(),
            Event::LegRoutedAway => self.leg_routed_away(),
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
            Event::GreetingRuns => self.greeting_runs(),
            Event::GreetingEnded { end } => self.greeting_ended(*end),
            Event::VoiceReady { voice, source, .. } => self.voice_ready(voice, *source),
            Event::VoiceMissing { why, .. } => self.voice_missing(*why),
            Event::VoiceWithdrawn { why } => self.voice_withdrawn(*why),
            Event::ProofAsked { way } => self.proof_asked(*way),
            Event::ProofGiven { by } => self.proof_given(*by),
            Event::PinRefused { number } => self.pin_refused(*number),
            Event::HandoffStarted { attempt, rung } => self.handoff_started(*attempt, *rung),
            Event::HandoffSucceeded { attempt, conversation } => {
                self.handoff_succeeded(*attempt, conversation.as_ref());
            }
            Event::HandoffFailed { attempt, why } => self.handoff_failed(*attempt, *why),
            Event::AgentSpoke { attempt } => self.agent_spoke(*attempt),
            Event::AgentEnded { attempt } => self.agent_ended(*attempt),
            Event::AgentLost { attempt, why } => self.agent_lost(*attempt, *why),
            Event::PersonAsked { number, person } => self.agent_asked_for(*number, person),
            Event::Utterance { number, .. } => self.utterance_heard(*number),
            Event::Reported(report) => self.reported(report),
            Event::OperatorAsked { request, .. } => self.operator_asked(*request),
            Event::TransferAsked { person, .. } => self.transfer_asked(person),
            Event::AgentTold { number, .. } => self.agent_told(*number),
            Event::DeadlinePassed { generation } => self.deadline_passed(*generation),
            Event::Panicked { part, ordinal } => self.panicked(*part, *ordinal),
            Event::Resumed { generation, leg } => self.resumed(*generation, *leg),
        }
    }

    fn offered(&mut self, admission: Admission) {
        match admission {
            Admission::Refused(Cause::Bypassed) => return self.release(self.bypassed()),
            Admission::Refused(cause) => return self.release(Release::by(Blame::Precall, cause)),
            Admission::EndedBefore => {
                self.call.pbx_ended = true;
                return self.release(Release::by(Blame::Caller, Cause::CallerHungUp));
            }
            Admission::Accepted => {}
        }
        self.call.deadlines.voice = Some(self.now.plus(self.call.policy.clone_max_wait));
        if self.call.policy.on_live_leg() {
            self.call.deadlines.leg = Some(self.now.plus(self.call.policy.leg_max));
        } else {
            self.effects.push(Effect::Intend(Event::GreetingDialled));
        }
        self.ask_for_voice();
    }

    /// The leg goes to the fallback destination, if there is one.
    fn bypassed(&self) -> Release {
        let told = if self.call.policy.has_destination { Told::Person } else { Told::Nothing };
        Release { told, ..Release::by(Blame::Operator, Cause::Bypassed) }
    }

    fn ask_for_voice(&mut self) {
        self.call.awaits_voice = true;
        let proof = self.show_proof();
        self.effects.push(Effect::AskForVoice { proof });
    }

    /// A late clone still replaces the fallback voice, until an attempt with another voice is running.
    fn voice_ready(&mut self, voice: &VoiceId, _source: VoiceSource) {
        let still_open = matches!(self.call.phase, Phase::Offered | Phase::Greeting(_) | Phase::Holding);
        // An operator may have asked for the fallback voice while this one was on its way.
        let is_unwanted =
            self.call.voice == Voice::Fallback(NoVoice::OperatorAsked) && !self.call.awaits_voice;
        if !still_open || is_unwanted || matches!(self.call.voice, Voice::Cloned(_)) || self.lacks_proof() {
            return;
        }
        self.call.awaits_voice = false;
        self.give_early_agent_up();
        self.decide(Voice::Cloned(voice.clone()));
    }

    fn voice_missing(&mut self, why: NoVoice) {
        if self.call.is_released() || !self.call.awaits_voice {
            return;
        }
        self.call.awaits_voice = false;
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
            Request::RetryClone => self.retry_clone(),
            Request::FallbackVoice => self.use_fallback_voice(),
        }
    }

    /// The call waits for no other voice, takes none that comes late, and replaces one that it has.
    fn use_fallback_voice(&mut self) {
        let why = NoVoice::OperatorAsked;
        if matches!(self.call.voice, Voice::Cloned(_)) {
            return self.voice_withdrawn(why);
        }
        let still_open = matches!(self.call.phase, Phase::Offered | Phase::Greeting(_) | Phase::Holding);
        if !still_open {
            return;
        }
        if self.awaits_proof() {
            return self.give_proof_up(why);
        }
        // Nothing can come any more.
        if !self.call.awaits_voice {
            return;
        }
        self.call.awaits_voice = false;
        self.effects.push(Effect::StopWaiting);
        if self.call.voice == Voice::Awaited {
            return self.decide(Voice::Fallback(why));
        }
        self.call.voice = Voice::Fallback(why);
    }

    /// The call keeps the fallback voice until the other one is there, and does not wait for it.
    fn retry_clone(&mut self) {
        let still_open = matches!(self.call.phase, Phase::Offered | Phase::Greeting(_) | Phase::Holding);
        let lacks_voice = matches!(self.call.voice, Voice::Fallback(_)) && !self.call.awaits_voice;
        if still_open && lacks_voice && !self.lacks_proof() {
            self.ask_for_voice();
        }
    }

    fn deadline_passed(&mut self, generation: u32) {
        let due_now = self.call.deadline().is_some_and(|d| d.generation == generation && d.due <= self.now);
        if !due_now {
            return;
        }
        let now = self.now;
        let passed = |due: &mut Option<At>| due.take_if(|at| *at <= now).is_some();
        if passed(&mut self.call.deadlines.leg) {
            return self.leg_overdue();
        }
        if passed(&mut self.call.deadlines.conversation) {
            return self.conversation_overdue();
        }
        if passed(&mut self.call.deadlines.handoff) {
            return self.handoff_overdue();
        }
        if passed(&mut self.call.deadlines.proof) {
            return self.unproven();
        }
        let voice = passed(&mut self.call.deadlines.voice);
        let hold = passed(&mut self.call.deadlines.hold);
        if (voice || hold) && self.call.voice == Voice::Awaited {
            self.call.voice = Voice::Fallback(NoVoice::CloneTimeout);
            self.call.instants.voice_decided = Some(self.now);
        }
        if passed(&mut self.call.deadlines.greeting) {
            return self.greeting_overdue();
        }
        if self.call.phase == Phase::Offered && !self.call.policy.on_live_leg() {
            // The intent was never recorded: order it again.
            self.effects.push(Effect::Intend(Event::GreetingDialled));
            self.call.deadlines.voice = Some(self.now.plus(self.call.policy.clone_max_wait));
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

    /// After a restart no part of the call is running any more: look up or start again what the call still needs.
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
        self.call.awaits_voice = false;
        if self.call.voice == Voice::Awaited && !self.lacks_proof() {
            self.ask_for_voice();
        }
        if ours {
            self.attempt_ended_with_the_process();
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

    /// The part that greeted is gone. On route `callback` ask the provider. On a live leg continue with hold music,
    /// but only after the notice; an agent on the same player is gone as well.
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

    /// Goes from hold to the next attempt if the call waits for nothing any more.
    fn move_on(&mut self) {
        if self.call.phase != Phase::Holding {
            return;
        }
        if self.leg_is_away() {
            return;
        }
        // No agent may be started, so the voice does not matter.
        if !self.call.notice_given() {
            return self.next_rung();
        }
        let told_to = self.call.handoff_asked || self.call.deadlines.voice.is_none();
        let free = self.call.policy.auto_transition || told_to;
        if self.call.person_asked.is_some() || (self.call.voice != Voice::Awaited && free) {
            self.next_rung();
        }
    }

    /// The greeting is over: connect the early agent, or play hold music and wait for the voice.
    fn hold(&mut self) {
        if self.call.person_asked.is_some() {
            self.give_early_agent_up();
        }
        let early = self.take_early_agent();
        self.call.phase = Phase::Holding;
        self.call.deadlines.greeting = None;
        self.call.instants.greeting_ended = Some(self.now);
        if let Some(early) = early {
            return self.await_early_agent(early);
        }
        self.play_hold();
        if self.awaits_proof() {
            self.call.deadlines.proof = Some(self.now.plus(self.call.policy.pin_wait));
        } else {
            self.hold_for_voice();
        }
        self.move_on();
    }

    /// `VOICE_WAIT=start`: the time for the voice on hold begins now.
    fn hold_for_voice(&mut self) {
        if let (VoiceWait::Start { after }, Voice::Awaited, true) =
            (self.call.policy.voice_wait, &self.call.voice, self.call.policy.auto_transition)
        {
            self.call.deadlines.hold = Some(self.now.plus(after));
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
        self.call.retry = None;
        self.stop_awaiting_proof();
        if self.call.awaits_voice {
            self.call.awaits_voice = false;
            self.effects.push(Effect::StopWaiting);
        }
        if self.call.leg == Leg::Connected {
            self.effects.push(Effect::StopAudio);
        }
        if matches!(self.call.leg, Leg::Ringing | Leg::Connected) {
            self.effects.push(Effect::DropLeg);
        }
        self.call.phase = Phase::Released(release);
        self.call.deadlines = Deadlines::default();
        self.call.instants.released = Some(self.now);
    }

    /// Starts a new generation when the deadline moved, so that the old timer is stale.
    fn rearm(&mut self, before: Option<At>) {
        if self.call.deadlines.earliest() != before {
            self.call.generation = self.call.generation.wrapping_add(1);
        }
    }
}
