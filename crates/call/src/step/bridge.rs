//! The agent on the caller's own leg: made ready while the greeting is heard, lost and opened again, kept while a person is
//! being called.

use super::StepBuilder;
use crate::cause::{Blame, Cause, NoVoice, Release};
use crate::effect::Effect;
use crate::event::{AgentLoss, Event, HandoffFailure};
use crate::policy::{Person, Rung};
use crate::state::{Attempt, Conversing, Early, Greeting, HandingOff, Kept, Leg, Phase, Voice};

/// How often a rung that broke without fault of its own is tried once more, in one call.
const REOPENINGS: u8 = 2;
/// How many persons are called for one caller during a conversation: a model that asks on and on keeps nobody's telephone
/// ringing.
const PERSONS: usize = 3;

impl StepBuilder {
    /// Begins the bridge while the greeting is still heard, as soon as it is known in which voice.
    pub(super) fn make_agent_ready(&mut self) {
        let call = &self.call;
        let may = call.is_greeting()
            && call.early().is_none()
            && call.leg == Leg::Connected
            && call.voice != Voice::Awaited
            && call.person_asked.is_none()
            && (call.policy.auto_transition || call.handoff_asked);
        if !may {
            return;
        }
        if let Some(rung) = self.best_rung().filter(|rung| rung.bridges()) {
            let attempt = self.next_attempt();
            self.effects.push(Effect::Intend(Event::HandoffStarted { attempt, rung }));
        }
    }

    /// Nobody is to hear the agent that is being made ready: a better voice came, a person is wanted, or the call is over.
    pub(super) fn give_early_agent_up(&mut self) {
        if let Some(early) = self.take_early_agent() {
            self.note_agent_dial(HandoffFailure::Unknown);
            self.effects.push(Effect::CancelHandoff { attempt: early.attempt.number });
        }
    }

    pub(super) fn take_early_agent(&mut self) -> Option<Early> {
        let Phase::Greeting(greeting) = &mut self.call.phase else { return None };
        greeting.early.take()
    }

    /// It could not be made ready: the next one is, while there is time.
    pub(super) fn early_agent_failed(&mut self, number: u8) -> bool {
        if self.call.early().is_none_or(|early| early.attempt.number != number) {
            return false;
        }
        self.take_early_agent();
        self.make_agent_ready();
        true
    }

    /// It is ready; its turn comes when the greeting is over.
    pub(super) fn early_agent_is_ready(&mut self, number: u8) -> bool {
        let Phase::Greeting(Greeting { early: Some(early), .. }) = &mut self.call.phase else { return false };
        let is_meant = early.attempt.number == number;
        early.ready |= is_meant;
        is_meant
    }

    pub(super) fn await_early_agent(&mut self, early: Early) {
        self.begin_waiting_for(early.attempt);
        if early.ready {
            return self.agent_is_ready(early.attempt);
        }
        self.play_hold();
    }

    /// From here on caller and agent hear each other.
    pub(super) fn agent_is_ready(&mut self, attempt: Attempt) {
        self.effects.push(Effect::ConnectAgent { attempt: attempt.number });
        self.call.dues.handoff = None;
        // Whoever was asked for earlier was not reached.
        self.call.person_asked = None;
        self.call.instants.handed_off.get_or_insert(self.now);
        self.converse(attempt);
    }

    /// Whoever carried the agent's session is gone: the rung may be tried once more, for it was not its fault.
    pub(super) fn session_went(&mut self) {
        let with_agent = match self.call.phase {
            Phase::HandingOff(HandingOff { attempt, .. }) | Phase::Conversing(Conversing { attempt, .. })
                if attempt.rung.bridges() =>
            {
                Some(attempt)
            }
            Phase::HandingOff(_) => self.take_kept_agent().map(|kept| kept.attempt),
            Phase::Greeting(_) => self.take_early_agent().map(|early| early.attempt),
            Phase::Offered | Phase::Holding | Phase::Conversing(_) | Phase::Released(_) => None,
        };
        if let Some(attempt) = with_agent {
            self.note_agent_dial(HandoffFailure::Unknown);
            self.may_try_again(attempt.rung);
        }
    }

    pub(super) fn may_try_again(&mut self, rung: Rung) {
        if self.call.reopened < REOPENINGS {
            self.call.again = Some(rung);
        }
    }

    /// What it had said was heard, so the leg can go.
    pub(super) fn agent_ended(&mut self, number: u8) {
        match self.call.phase {
            Phase::Conversing(with) if with.attempt.number == number && with.attempt.rung.bridges() => {
                self.release(Release::good(Cause::AgentEnded));
            }
            // It took its leave while somebody else was being called for the caller: that goes on.
            Phase::HandingOff(_) => self.kept_agent_is_gone(number, AgentLoss::Lost),
            Phase::Offered
            | Phase::Greeting(_)
            | Phase::Holding
            | Phase::Conversing(_)
            | Phase::Released(_) => {}
        }
    }

    /// A lost connection is opened again once; who was refused or owes an answer for too long is not asked again.
    pub(super) fn agent_lost(&mut self, number: u8, why: AgentLoss) {
        match self.call.phase {
            Phase::Conversing(Conversing { attempt: with, .. })
                if with.number == number && with.rung.bridges() =>
            {
                if why == AgentLoss::Lost && self.call.agent_loss.is_none() {
                    self.may_try_again(with.rung);
                }
                self.call.agent_loss = Some(why);
                self.call.person_asked = None;
                self.effects.push(Effect::CancelHandoff { attempt: number });
                self.play_hold();
                self.next_rung();
            }
            Phase::HandingOff(_) => self.kept_agent_is_gone(number, why),
            Phase::Greeting(_) => {
                self.early_agent_failed(number);
            }
            Phase::Offered | Phase::Holding | Phase::Conversing(_) | Phase::Released(_) => {}
        }
    }

    /// Nobody may hear the cloned voice any more. Who has not begun to speak with it does not; on the bridge the fallback voice takes over. A
    /// conversation that is not ours to change goes on to its end.
    pub(super) fn voice_withdrawn(&mut self, why: NoVoice) {
        if !matches!(self.call.voice, Voice::Cloned(_)) {
            return;
        }
        match self.call.phase {
            Phase::Released(_) => {}
            Phase::Offered | Phase::Greeting(_) | Phase::Holding => {
                if self.call.early().is_some_and(|early| early.attempt.rung.wants_clone()) {
                    self.give_early_agent_up();
                }
                self.effects.push(Effect::LetVoiceGo);
                self.decide(Voice::Fallback(why));
            }
            Phase::HandingOff(HandingOff { attempt: with, .. })
            | Phase::Conversing(Conversing { attempt: with, .. })
                if with.rung == Rung::BridgeCloned =>
            {
                self.call.voice = Voice::Fallback(why);
                self.call.person_asked = None;
                self.note_agent_dial(HandoffFailure::Unknown);
                self.effects.extend([Effect::CancelHandoff { attempt: with.number }, Effect::LetVoiceGo]);
                if self.call.tried.contains(&Rung::BridgeFallback) {
                    self.may_try_again(Rung::BridgeFallback);
                }
                self.play_hold();
                self.next_rung();
            }
            // Somebody is being called: a person, while the agent waits, or an agent whose voice was told already.
            Phase::HandingOff(handoff) => {
                self.call.voice = Voice::Fallback(why);
                if let Some(kept) = handoff.kept.filter(|kept| kept.attempt.rung.wants_clone()) {
                    self.take_kept_agent();
                    self.effects.push(Effect::CancelHandoff { attempt: kept.attempt.number });
                }
                if !handoff.attempt.rung.takes_clone() {
                    self.effects.push(Effect::LetVoiceGo);
                }
            }
            Phase::Conversing(_) => {}
        }
    }

    fn kept_agent_is_gone(&mut self, number: u8, why: AgentLoss) {
        if self.call.kept().is_some_and(|kept| kept.attempt.number == number) {
            self.take_kept_agent();
            self.call.agent_loss = Some(why);
        }
    }

    fn take_kept_agent(&mut self) -> Option<Kept> {
        let Phase::HandingOff(handoff) = &mut self.call.phase else { return None };
        handoff.kept.take()
    }

    /// The agent's tool. Whoever is not known here was already answered by whoever heard the question.
    pub(super) fn agent_asked_for(&mut self, number: u8, person: &Person) {
        if number != self.call.persons_asked.saturating_add(1) {
            return;
        }
        let bridged = matches!(self.call.phase, Phase::Conversing(with) if with.attempt.rung.bridges());
        if !bridged || self.leg_is_away() {
            return;
        }
        self.call.persons_asked = number;
        self.call_person(person.clone());
    }

    /// Calls a person while the agent waits, or tells the agent at once that nobody will be called.
    pub(super) fn call_person(&mut self, person: Person) {
        let Phase::Conversing(with) = self.call.phase else { return };
        let called = self.call.tried.iter().filter(|rung| **rung == Rung::Person).count();
        if self.call.person_asked.is_some() {
            return;
        }
        if called >= PERSONS || !self.call.policy.knows(&person) {
            let why = HandoffFailure::Refused;
            return self.effects.push(Effect::ReturnToAgent { attempt: with.attempt.number, why });
        }
        self.call.person_asked = Some(person);
        self.call.dues.handoff = Some(self.now.plus(self.call.policy.handoff_max));
        let attempt = self.next_attempt();
        self.effects.push(Effect::Intend(Event::HandoffStarted { attempt, rung: Rung::Person }));
    }

    /// The caller hears music, the agent silence, until somebody answers or nobody does.
    pub(super) fn person_is_called(&mut self, attempt: Attempt, with: Attempt) {
        let longest = self.now.plus(self.call.policy.conversation_max);
        let until = self.call.dues.conversation.unwrap_or(longest);
        self.call.tried.push(attempt.rung);
        self.begin_waiting_for(attempt);
        let kept = Some(Kept { attempt: with, until });
        self.call.phase = Phase::HandingOff(HandingOff { attempt, kept, looked_up: false });
        self.play_hold();
        let person = self.call.person_asked.clone();
        self.effects.push(Effect::StartHandoff {
            attempt: attempt.number,
            rung: attempt.rung,
            voice: None,
            person,
        });
    }

    /// Nobody came: back to the agent, who is told why; without one the ladder goes on.
    pub(super) fn person_missed(&mut self, why: HandoffFailure) {
        self.call.person_asked = None;
        let Some(kept) = self.take_kept_agent() else {
            self.play_hold();
            return self.next_rung();
        };
        if self.leg_is_away() {
            self.may_try_again(kept.attempt.rung);
            return self.next_rung();
        }
        self.call.dues.handoff = None;
        self.call.phase = Phase::Conversing(Conversing { attempt: kept.attempt, looked_up: false });
        self.call.dues.conversation = Some(kept.until);
        self.effects.push(Effect::ReturnToAgent { attempt: kept.attempt.number, why });
    }

    /// Lines are numbered by whoever hears them.
    pub(super) fn utterance_heard(&mut self, number: u32) {
        if number == self.call.utterances.saturating_add(1) {
            self.call.utterances = number;
        }
    }

    /// Whose fault it was that an agent who had come did not stay.
    pub(super) fn agent_was_lost(&self) -> Option<Release> {
        Some(match self.call.agent_loss? {
            AgentLoss::Lost | AgentLoss::Refused => Release::by(Blame::Provider, Cause::AgentLost),
            AgentLoss::Stalled => Release::by(Blame::Provider, Cause::AgentStalled),
        })
    }
}
