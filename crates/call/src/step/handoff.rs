//! The handoff: which rung is tried, and what follows from its outcome. A dial that may have been executed is never
//! repeated.

use super::StepBuilder;
use super::bridge::UNHEARD_ENDS;
use crate::cause::{Blame, Cause, Release, Told};
use crate::effect::Effect;
use crate::event::{Event, Grade, HandoffFailure, Purpose};
use crate::ids::ConversationId;
use crate::phase::{Attempt, Conversing, EarlyAgent, Greeting, HandingOff, Phase};
use crate::policy::{Person, Rung};
use crate::state::{Deadlines, Dial, Leg, Retry, Seat, Voice};

impl StepBuilder {
    /// Orders the next attempt, or ends the call if no rung is left.
    pub(super) fn next_rung(&mut self) {
        self.call.phase = Phase::Holding;
        self.stop_awaiting_proof();
        let leg = self.call.deadlines.leg;
        self.call.deadlines = Deadlines::default();
        if self.leg_is_away() {
            self.call.deadlines.leg = leg;
            return self.wait_for_leg();
        }
        // Until the intent is recorded this is the deadline. When it passes, the intent is ordered again.
        self.call.deadlines.handoff = Some(self.now.plus(self.call.policy.handoff_max));
        let attempt = self.next_attempt();
        match self.best_rung() {
            Some(rung) => self.effects.push(Effect::Intend(Event::HandoffStarted { attempt, rung })),
            None => self.release(self.nobody_left()),
        }
    }

    pub(super) fn next_attempt(&self) -> u8 {
        self.call.latest_attempt().saturating_add(1)
    }

    fn nobody_left(&self) -> Release {
        if self.call.instants.leg_connected.is_none() && self.call.policy.on_live_leg() {
            return Release::by(Blame::Pbx, Cause::NoLeg);
        }
        if self.call.audio_lost {
            let cause = if self.call.agent_talked { Cause::PbxLost } else { Cause::GreetingFailed };
            return Release::by(Blame::Pbx, cause);
        }
        if !self.call.notice_given() {
            return Release::by(Blame::Provider, Cause::GreetingFailed);
        }
        self.agent_was_lost().unwrap_or(Release::by(Blame::Provider, Cause::HandoffFailed))
    }

    pub(super) fn best_rung(&self) -> Option<Rung> {
        let no_agent = self.call.audio_lost || self.call.unheard_ends >= UNHEARD_ENDS;
        // `Destination` leads to `FALLBACK_DESTINATION` only.
        if let Some(Person::Named(_)) = self.call.person_asked {
            return Some(Rung::Person);
        }
        let to_a_person = self.call.person_asked.is_some() || no_agent;
        if to_a_person && self.can_try(Rung::Destination) {
            return Some(Rung::Destination);
        }
        if let Some(rung) = self.call.retry.map(Retry::rung).filter(|rung| self.can_try(*rung)) {
            return Some(rung);
        }
        self.call.policy.ladder().iter().copied().find(|rung| self.can_try(*rung))
    }

    pub(super) fn can_try(&self, rung: Rung) -> bool {
        let voice_fits = !rung.wants_clone() || matches!(self.call.voice, Voice::Cloned(_));
        let notice_fits = !rung.leads_to_agent() || self.call.notice_given();
        let audio_fits = !rung.needs_audio() || !self.call.audio_lost;
        voice_fits
            && notice_fits
            && audio_fits
            && self.call.policy.ladder().contains(&rung)
            && self.call.policy.offers(rung)
            && (!self.call.tried.contains(&rung) || self.call.retry.map(Retry::rung) == Some(rung))
    }

    pub(super) fn handoff_started(&mut self, number: u8, rung: Rung) {
        // A leg that rings cannot be heard, but it can be routed to a person.
        let routes_ringing_leg = self.call.leg == Leg::Ringing && rung == Rung::Destination;
        if number != self.next_attempt() || self.leg_is_away() && !routes_ringing_leg {
            return;
        }
        let attempt = Attempt { number, rung };
        match self.call.phase {
            // Only an agent on the bridge can be parked.
            Phase::Conversing(Conversing { attempt: with, .. })
                if rung == Rung::Person && with.rung.bridges() && self.call.person_asked.is_some() =>
            {
                return self.person_is_called(attempt, with);
            }
            Phase::Greeting(greeting) if rung.bridges() && greeting.early.is_none() && self.can_try(rung) => {
                let early = Some(EarlyAgent { attempt, ready: false });
                self.call.phase = Phase::Greeting(Greeting { early, ..greeting });
            }
            Phase::Holding if self.can_try(rung) || self.awaits_person(rung) => {
                self.begin_waiting_for(attempt)
            }
            Phase::Offered
            | Phase::Greeting(_)
            | Phase::Holding
            | Phase::HandingOff(_)
            | Phase::Conversing(_)
            | Phase::Released(_) => return,
        }
        self.call.tried.push(rung);
        if let Some(Retry::Counted(_)) = self.call.retry.take_if(|again| again.rung() == rung) {
            self.call.retries = self.call.retries.saturating_add(1);
        }
        if self.call.awaits_voice && self.call.early().is_none() {
            self.call.awaits_voice = false;
            self.effects.push(Effect::StopWaiting);
        }
        if rung.leads_to_agent() {
            self.begin_conversation(Purpose::Agent);
            self.call.seat = Seat::Held;
        }
        self.effects.push(match rung {
            Rung::Apology => Effect::PlayApology { attempt: number },
            Rung::BridgeCloned
            | Rung::BridgeFallback
            | Rung::Transfer
            | Rung::CallbackCloned
            | Rung::CallbackFallback
            | Rung::Destination => {
                Effect::StartHandoff { attempt: number, rung, voice: self.voice_for(rung), person: None }
            }
            Rung::Person => {
                let person = self.call.person_asked.clone();
                Effect::StartHandoff { attempt: number, rung, voice: None, person }
            }
        });
    }

    /// Whether this rung calls the person for whom the call waits, without an agent.
    fn awaits_person(&self, rung: Rung) -> bool {
        rung == Rung::Person && matches!(self.call.person_asked, Some(Person::Named(_)))
    }

    /// Begins the phase in which the call waits for the attempt's outcome only.
    pub(super) fn begin_waiting_for(&mut self, attempt: Attempt) {
        self.call.phase = Phase::HandingOff(HandingOff { attempt, parked: None, looked_up: false });
        self.stop_awaiting_proof();
        self.call.deadlines = Deadlines::default();
        self.call.deadlines.handoff = Some(self.now.plus(self.call.policy.handoff_max));
        self.call.instants.handoff_started.get_or_insert(self.now);
    }

    fn voice_for(&self, rung: Rung) -> Option<crate::ids::VoiceId> {
        match &self.call.voice {
            Voice::Cloned(voice) if rung.takes_clone() => Some(voice.clone()),
            Voice::Cloned(_) | Voice::Awaited | Voice::Fallback(_) => self.call.policy.fallback_voice.clone(),
        }
    }

    pub(super) fn handoff_succeeded(&mut self, number: u8, conversation: Option<&ConversationId>) {
        self.dial_accepted(Purpose::Agent, conversation);
        if self.early_agent_is_ready(number) {
            return;
        }
        let Some(attempt) = self.running(number) else { return };
        if attempt.rung.bridges() {
            // If the leg is away, the session ends with the leg's audio.
            if !self.leg_is_away() {
                self.agent_is_ready(attempt);
            }
            return;
        }
        self.call.deadlines.handoff = None;
        self.call.instants.handed_off.get_or_insert(self.now);
        self.let_go_of_leg(attempt.rung);
        // The attempt is over, so a release must not cancel it.
        self.begin_conversing(attempt);
        match attempt.rung {
            Rung::Destination | Rung::Person => self.release(self.reached_person()),
            Rung::Apology => {
                let failed = Release::by(Blame::Provider, Cause::HandoffFailed);
                let why = self.agent_was_lost().unwrap_or(failed);
                self.release(Release { told: Told::Apology, ..why });
            }
            Rung::BridgeCloned
            | Rung::BridgeFallback
            | Rung::Transfer
            | Rung::CallbackCloned
            | Rung::CallbackFallback => self.converse(attempt),
        }
    }

    /// Keeps in mind whether the provider was asked during the handoff.
    fn begin_conversing(&mut self, attempt: Attempt) {
        let looked_up = match self.call.phase {
            Phase::HandingOff(HandingOff { looked_up, .. })
            | Phase::Conversing(Conversing { looked_up, .. }) => looked_up,
            Phase::Offered | Phase::Greeting(_) | Phase::Holding | Phase::Released(_) => false,
        };
        self.call.phase = Phase::Conversing(Conversing { attempt, looked_up });
    }

    pub(super) fn converse(&mut self, attempt: Attempt) {
        self.begin_conversing(attempt);
        self.call.agent_talked |= self.call.policy.on_live_leg();
        let policy = &self.call.policy;
        let until = match attempt.rung {
            Rung::CallbackCloned | Rung::CallbackFallback => {
                self.now.plus(policy.ring_max + policy.conversation_max + policy.report_grace)
            }
            Rung::Transfer => self.now.plus(policy.conversation_max + policy.report_grace),
            // All sessions of a call together last no longer than one conversation.
            Rung::BridgeCloned | Rung::BridgeFallback | Rung::Destination | Rung::Apology | Rung::Person => {
                self.call.instants.handed_off.unwrap_or(self.now).plus(policy.conversation_max)
            }
        };
        self.call.deadlines.conversation = Some(until);
    }

    fn reached_person(&self) -> Release {
        if self.call.person_asked.is_some() {
            return Release { told: Told::Person, ..Release::good(Cause::Completed) };
        }
        let why = self.nobody_left();
        let cause = match why.cause {
            // What was lost is worth more to the reader than where the caller went.
            Cause::AgentEnded | Cause::AgentLost | Cause::AgentStalled | Cause::PbxLost => why.cause,
            _ => Cause::ReachedPerson,
        };
        Release { told: Told::Person, cause, ..why }
    }

    pub(super) fn handoff_failed(&mut self, number: u8, why: HandoffFailure) {
        let index = usize::from(number).saturating_sub(1);
        let calls_person = self.call.tried.get(index) == Some(&Rung::Person);
        if !calls_person {
            self.note_agent_dial(why);
        }
        let rung = self.call.early().map(|early| early.attempt).or_else(|| self.running(number));
        match (why, rung.filter(|attempt| attempt.number == number)) {
            (HandoffFailure::OverrideRefused, Some(attempt))
                if attempt.rung.bridges() || attempt.rung.dials() =>
            {
                self.allow_retry(attempt.rung);
            }
            (HandoffFailure::VoiceRefused, Some(_)) => self.voice_refused(),
            _ => {}
        }
        if self.early_agent_failed(number) {
            return;
        }
        // A refusal is not believed if another event showed that the dial was sent.
        let out = self.call.conversation(Purpose::Agent).is_some_and(|agent| agent.dial != Dial::Refused);
        let why = if out && !calls_person && why.is_refusal() { HandoffFailure::Unknown } else { why };
        let Some(attempt) = self.running(number) else { return };
        self.call.deadlines.handoff = None;
        match (why, attempt.rung.dials()) {
            (HandoffFailure::CallOver, _) => {
                self.call.leg = if self.call.leg == Leg::Connected { Leg::Gone } else { self.call.leg };
                self.release(Release::by(Blame::Caller, Cause::CallerHungUp));
            }
            (HandoffFailure::Busy, true) => self.release(Release::by(Blame::Caller, Cause::Busy)),
            (HandoffFailure::NoAnswer, true) => self.release(Release::by(Blame::Caller, Cause::NoAnswer)),
            (HandoffFailure::Unknown, true) => {
                self.release(Release::by(Blame::Provider, Cause::HandoffFailed));
            }
            // The answer was lost and the leg is gone: it was probably delivered (3CX facts, section 5, row 8).
            (HandoffFailure::Unknown, false) if self.routed_away(attempt.rung) => self.delivered(attempt),
            _ if calls_person => self.person_missed(why),
            (
                HandoffFailure::Refused | HandoffFailure::OverrideRefused | HandoffFailure::VoiceRefused,
                true,
            )
            | (
                HandoffFailure::Refused
                | HandoffFailure::OverrideRefused
                | HandoffFailure::VoiceRefused
                | HandoffFailure::Busy
                | HandoffFailure::NoAnswer
                | HandoffFailure::Unknown,
                false,
            ) => self.next_rung(),
        }
    }

    pub(super) fn note_agent_dial(&mut self, why: HandoffFailure) {
        let Some(agent) = self.call.conversations.iter_mut().rev().find(|c| c.purpose == Purpose::Agent)
        else {
            return;
        };
        if agent.dial != Dial::Intended && agent.dial != Dial::Unknown {
            return;
        }
        match why {
            HandoffFailure::Refused | HandoffFailure::OverrideRefused | HandoffFailure::VoiceRefused => {
                agent.dial = Dial::Refused;
                agent.grade = agent.grade.max(Grade::Failed);
            }
            HandoffFailure::Unknown
            | HandoffFailure::Busy
            | HandoffFailure::NoAnswer
            | HandoffFailure::CallOver => agent.dial = Dial::Unknown,
        }
    }

    /// The attempt has no outcome in time. On a live leg the next rung follows. A dial is looked up once, and then
    /// the call ends.
    pub(super) fn handoff_overdue(&mut self) {
        let HandingOff { attempt, looked_up, .. } = match self.call.phase {
            Phase::HandingOff(handoff) => handoff,
            // The intent to call a person was never recorded: order it again.
            Phase::Conversing(_) => {
                if let Some(person) = self.call.person_asked.take() {
                    self.call_person(person);
                }
                return;
            }
            Phase::Offered | Phase::Greeting(_) | Phase::Holding | Phase::Released(_) => {
                return self.next_rung();
            }
        };
        if attempt.rung.dials() {
            if looked_up {
                return self.release(Release::by(Blame::Provider, Cause::HandoffFailed));
            }
            return self.handoff_lost();
        }
        if self.routed_away(attempt.rung) {
            return self.delivered(attempt);
        }
        self.handoff_lost();
    }

    fn routed_away(&self, rung: Rung) -> bool {
        rung.routes() && self.call.leg == Leg::Gone
    }

    pub(super) fn delivered(&mut self, attempt: Attempt) {
        self.call.instants.handed_off.get_or_insert(self.now);
        if attempt.rung == Rung::Transfer {
            self.converse(attempt);
        } else {
            self.release(self.reached_person());
        }
    }

    /// The part that made the attempt is gone, and the outcome is unknown.
    pub(super) fn handoff_lost(&mut self) {
        if let Some(early) = self.call.early().filter(|early| !early.ready) {
            self.give_early_agent_up();
            self.allow_retry(early.attempt.rung);
            return self.make_agent_ready();
        }
        let Phase::HandingOff(HandingOff { attempt, .. }) = self.call.phase else { return };
        if !attempt.rung.dials() {
            self.effects.push(Effect::CancelHandoff { attempt: attempt.number });
            if attempt.rung == Rung::Person {
                return self.person_missed(HandoffFailure::Unknown);
            }
            self.note_agent_dial(HandoffFailure::Unknown);
            return self.next_rung();
        }
        self.note_agent_dial(HandoffFailure::Unknown);
        self.look_agent_up();
        self.call.deadlines.handoff = Some(self.now.plus(self.call.policy.report_grace));
    }

    pub(super) fn look_agent_up(&mut self) {
        if let Phase::HandingOff(HandingOff { looked_up, .. })
        | Phase::Conversing(Conversing { looked_up, .. }) = &mut self.call.phase
        {
            *looked_up = true;
            self.effects.push(Effect::LookUp(Purpose::Agent));
        }
    }

    fn running(&self, number: u8) -> Option<Attempt> {
        match self.call.phase {
            Phase::HandingOff(HandingOff { attempt, .. }) if attempt.number == number => Some(attempt),
            Phase::Offered
            | Phase::Greeting(_)
            | Phase::Holding
            | Phase::HandingOff(_)
            | Phase::Conversing(_)
            | Phase::Released(_) => None,
        }
    }
}
