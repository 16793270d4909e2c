//! The agent on the caller's own leg: made ready during the greeting, lost and called again, parked while a person is
//! called.

use super::StepBuilder;
use crate::cause::{Blame, Cause, NoVoice, Release};
use crate::effect::Effect;
use crate::event::{AgentLoss, Event, HandoffFailure};
use crate::phase::{Attempt, Conversing, EarlyAgent, Greeting, HandingOff, ParkedAgent, Phase};
use crate::policy::{Person, Rung};
use crate::state::{Leg, Retry, Voice};

/// How many attempts of a call may repeat a rung after a loss.
const RETRIES: u8 = 2;
/// After so many agents in a row that ended unheard the caller goes to a person.
pub(super) const UNHEARD_ENDS: u8 = 2;
/// How many times a call may call a person, besides the rung `Destination`. An agent that asks without end must not
/// keep telephones ringing.
const PERSONS: usize = 3;

impl StepBuilder {
    /// Starts the agent during the greeting, as soon as its voice is decided.
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

    /// Gives up the early agent: a better voice came, the caller wants a person, or the leg or the call is over.
    pub(super) fn give_early_agent_up(&mut self) {
        if let Some(early) = self.take_early_agent() {
            self.note_agent_dial(HandoffFailure::Unknown);
            self.effects.push(Effect::CancelHandoff { attempt: early.attempt.number });
        }
    }

    pub(super) fn take_early_agent(&mut self) -> Option<EarlyAgent> {
        let Phase::Greeting(greeting) = &mut self.call.phase else { return None };
        greeting.early.take()
    }

    /// The early agent failed: try the next rung while the greeting lasts. True if this attempt was the early agent's.
    pub(super) fn early_agent_failed(&mut self, number: u8) -> bool {
        if self.call.early().is_none_or(|early| early.attempt.number != number) {
            return false;
        }
        self.take_early_agent();
        self.make_agent_ready();
        true
    }

    /// The early agent is ready and waits for the end of the greeting. True if this attempt was the early agent's.
    pub(super) fn early_agent_is_ready(&mut self, number: u8) -> bool {
        let Phase::Greeting(Greeting { early: Some(early), .. }) = &mut self.call.phase else { return false };
        let is_meant = early.attempt.number == number;
        early.ready |= is_meant;
        is_meant
    }

    pub(super) fn await_early_agent(&mut self, early: EarlyAgent) {
        self.begin_waiting_for(early.attempt);
        if early.ready {
            return self.agent_is_ready(early.attempt);
        }
        self.play_hold();
    }

    /// Connects the agent: from now on caller and agent hear each other.
    pub(super) fn agent_is_ready(&mut self, attempt: Attempt) {
        self.effects.push(Effect::ConnectAgent { attempt: attempt.number });
        self.call.deadlines.handoff = None;
        // A person who was asked for earlier was not reached.
        self.call.person_asked = None;
        self.call.instants.handed_off.get_or_insert(self.now);
        self.converse(attempt);
    }

    /// The part that carried the agent's session is gone. The rung may be tried again: it was not its fault.
    pub(super) fn session_went(&mut self) {
        if let Some(attempt) = self.take_session() {
            self.allow_retry(attempt.rung);
        }
    }

    /// A restart ends every attempt, and no rung loses its turn by it: a call that lives through several restarts gets
    /// its agent back each time, and the person who was being called is called again. Each restart allows it once, so
    /// that nothing repeats within the life of one process.
    pub(super) fn attempt_ended_with_the_process(&mut self) {
        let running = match self.call.phase {
            Phase::HandingOff(handoff) if self.call.policy.free_retries => Some(handoff.attempt),
            Phase::Offered
            | Phase::Greeting(_)
            | Phase::Holding
            | Phase::HandingOff(_)
            | Phase::Conversing(_)
            | Phase::Released(_) => None,
        };
        let repeated = self.take_session().or(running.filter(|attempt| attempt.rung != Rung::Person));
        if let Some(attempt) = repeated {
            self.allow_free_retry(attempt.rung);
        }
    }

    /// The attempt with the agent whose session is gone, if there is one.
    fn take_session(&mut self) -> Option<Attempt> {
        let with_agent = match self.call.phase {
            Phase::HandingOff(HandingOff { attempt, .. }) | Phase::Conversing(Conversing { attempt, .. })
                if attempt.rung.bridges() =>
            {
                Some(attempt)
            }
            Phase::HandingOff(_) => self.take_parked_agent().map(|parked| parked.attempt),
            Phase::Greeting(_) => self.take_early_agent().map(|early| early.attempt),
            Phase::Offered | Phase::Holding | Phase::Conversing(_) | Phase::Released(_) => None,
        };
        if with_agent.is_some() {
            self.note_agent_dial(HandoffFailure::Unknown);
        }
        with_agent
    }

    pub(super) fn allow_retry(&mut self, rung: Rung) {
        if self.call.retry != Some(Retry::Free(rung)) && self.call.retries < RETRIES {
            self.call.retry = Some(Retry::Counted(rung));
        }
    }

    fn allow_free_retry(&mut self, rung: Rung) {
        if !self.call.policy.free_retries {
            return self.allow_retry(rung);
        }
        self.call.retry = Some(Retry::Free(rung));
    }

    /// The agent ended the conversation, and the caller heard all that it said. If that was nothing, the caller still
    /// waits for an agent.
    pub(super) fn agent_ended(&mut self, number: u8) {
        let by_new_rules = self.call.policy.free_retries;
        let is_heard = by_new_rules && self.call.agent_heard == Some(number);
        match self.call.phase {
            Phase::Conversing(Conversing { attempt: with, .. })
                if with.number == number && with.rung.bridges() =>
            {
                if is_heard || !by_new_rules {
                    return self.release(Release::good(Cause::AgentEnded));
                }
                self.agent_left_unheard(with.rung);
                self.call.person_asked = None;
                self.effects.push(Effect::CancelHandoff { attempt: number });
                self.play_hold();
                self.next_rung();
            }
            Phase::Greeting(Greeting { early: Some(early), .. }) if early.attempt.number == number => {
                if is_heard {
                    return self.release(Release::good(Cause::AgentEnded));
                }
                self.agent_left_unheard(early.attempt.rung);
                self.early_agent_failed(number);
            }
            // The parked agent ended its session. The attempt to reach a person goes on.
            Phase::HandingOff(handoff) if by_new_rules => {
                if handoff.parked.is_some_and(|parked| parked.attempt.number == number) {
                    self.take_parked_agent();
                }
            }
            Phase::HandingOff(_) => self.parked_agent_is_gone(number, AgentLoss::Lost),
            Phase::Offered
            | Phase::Greeting(_)
            | Phase::Holding
            | Phase::Conversing(_)
            | Phase::Released(_) => {}
        }
    }

    /// Nothing broke, and nobody spoke to the caller: one more attempt, then a person. An agent that hangs up twice
    /// does so again.
    fn agent_left_unheard(&mut self, rung: Rung) {
        if !self.call.policy.free_retries {
            return self.allow_retry(rung);
        }
        self.call.agent_loss = None;
        self.call.unheard_ends = self.call.unheard_ends.saturating_add(1).min(UNHEARD_ENDS);
        if self.call.unheard_ends < UNHEARD_ENDS {
            self.allow_free_retry(rung);
        }
    }

    /// The caller heard the agent. It may be the early agent, whose audio follows the greeting directly.
    pub(super) fn agent_spoke(&mut self, number: u8) {
        let on_leg = match self.call.phase {
            Phase::Greeting(Greeting { early: Some(early), .. }) => Some(early.attempt),
            Phase::HandingOff(HandingOff { attempt, .. }) | Phase::Conversing(Conversing { attempt, .. }) => {
                Some(attempt)
            }
            Phase::Greeting(_) | Phase::Offered | Phase::Holding | Phase::Released(_) => None,
        };
        if on_leg.is_some_and(|attempt| attempt.number == number && attempt.rung.bridges()) {
            if self.call.policy.free_retries || self.call.agent_heard.is_none() {
                self.call.agent_heard = Some(number);
                self.call.unheard_ends = 0;
            }
            self.call.instants.agent_heard.get_or_insert(self.now);
        }
    }

    /// After a lost connection or a stall the agent is called again once, also when it was lost while a person was
    /// called. After a refusal it is not, except that a setting which the agent does not allow is left out.
    pub(super) fn agent_lost(&mut self, number: u8, why: AgentLoss) {
        let may_pass = match why {
            AgentLoss::Lost | AgentLoss::Stalled => self.call.agent_loss.is_none(),
            AgentLoss::OverrideRefused => true,
            AgentLoss::Refused => false,
        };
        match self.call.phase {
            Phase::Conversing(Conversing { attempt: with, .. })
                if with.number == number && with.rung.bridges() =>
            {
                if may_pass {
                    self.allow_retry(with.rung);
                }
                self.call.agent_loss = Some(why);
                self.call.person_asked = None;
                self.effects.push(Effect::CancelHandoff { attempt: number });
                self.play_hold();
                self.next_rung();
            }
            Phase::HandingOff(handoff) => {
                let parked = handoff.parked.filter(|parked| parked.attempt.number == number);
                if let (true, AgentLoss::Lost, Some(parked)) = (may_pass, why, parked) {
                    self.allow_retry(parked.attempt.rung);
                }
                self.parked_agent_is_gone(number, why);
            }
            Phase::Greeting(greeting) => {
                let rung = greeting.early.filter(|early| early.attempt.number == number);
                if let (AgentLoss::OverrideRefused, Some(early)) = (why, rung) {
                    self.allow_retry(early.attempt.rung);
                }
                self.early_agent_failed(number);
            }
            Phase::Offered | Phase::Holding | Phase::Conversing(_) | Phase::Released(_) => {}
        }
    }

    /// The agent does not let precall set its voice: this call uses the agent's own.
    pub(super) fn voice_refused(&mut self) {
        if matches!(self.call.voice, Voice::Cloned(_)) {
            self.call.voice = Voice::Fallback(NoVoice::OverrideRefused);
            self.effects.push(Effect::LetVoiceGo);
        }
    }

    /// An agent in the fallback voice may have been given up for the cloned voice: it is tried again.
    fn allow_fallback_again(&mut self) {
        if self.call.tried.contains(&Rung::BridgeFallback) {
            self.allow_retry(Rung::BridgeFallback);
        }
    }

    /// The cloned voice must not be used any more. No agent starts with it; on the bridge an agent in the fallback
    /// voice takes over. A conversation that precall does not carry goes on in its voice.
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
                self.allow_fallback_again();
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
                self.allow_fallback_again();
                self.play_hold();
                self.next_rung();
            }
            // A person is being called while the agent is parked, or an agent that already has its voice.
            Phase::HandingOff(handoff) => {
                self.call.voice = Voice::Fallback(why);
                if let Some(parked) = handoff.parked.filter(|parked| parked.attempt.rung.wants_clone()) {
                    self.take_parked_agent();
                    self.effects.push(Effect::CancelHandoff { attempt: parked.attempt.number });
                }
                if !handoff.attempt.rung.takes_clone() {
                    self.effects.push(Effect::LetVoiceGo);
                }
            }
            Phase::Conversing(_) => {}
        }
    }

    fn parked_agent_is_gone(&mut self, number: u8, why: AgentLoss) {
        if self.call.parked().is_some_and(|parked| parked.attempt.number == number) {
            self.take_parked_agent();
            self.call.agent_loss = Some(why);
        }
    }

    fn take_parked_agent(&mut self) -> Option<ParkedAgent> {
        let Phase::HandingOff(handoff) = &mut self.call.phase else { return None };
        handoff.parked.take()
    }

    /// The agent used its tool to ask for a person.
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

    /// Parks the agent and calls a person, or tells the agent at once that no person will be called.
    pub(super) fn call_person(&mut self, person: Person) {
        let Phase::Conversing(with) = self.call.phase else { return };
        if self.call.person_asked.is_some() {
            return;
        }
        if self.persons_called() >= PERSONS || !self.call.policy.knows(&person) {
            let why = HandoffFailure::Refused;
            return self.effects.push(Effect::ReturnToAgent { attempt: with.attempt.number, why });
        }
        self.park_for(person);
    }

    /// An operator sends the caller to a person. Before the agent the latest order counts.
    pub(super) fn transfer_asked(&mut self, person: &Person) {
        let policy = &self.call.policy;
        if !policy.on_live_leg() || !policy.knows(person) || self.persons_called() >= PERSONS {
            return;
        }
        match self.call.phase {
            // The caller is on the way to a person.
            Phase::HandingOff(HandingOff {
                attempt: Attempt { rung: Rung::Destination | Rung::Person, .. },
                ..
            }) => {}
            Phase::Offered | Phase::Greeting(_) | Phase::Holding | Phase::HandingOff(_) => {
                self.call.person_asked = Some(person.clone());
                self.go_to_person();
            }
            Phase::Conversing(with) => {
                let is_free = self.call.person_asked.is_none() && !self.leg_is_away();
                if with.attempt.rung.bridges() && is_free {
                    self.park_for(person.clone());
                }
            }
            Phase::Released(_) => {}
        }
    }

    fn persons_called(&self) -> usize {
        self.call.tried.iter().filter(|rung| **rung == Rung::Person).count()
    }

    fn park_for(&mut self, person: Person) {
        self.call.person_asked = Some(person);
        self.call.deadlines.handoff = Some(self.now.plus(self.call.policy.handoff_max));
        let attempt = self.next_attempt();
        self.effects.push(Effect::Intend(Event::HandoffStarted { attempt, rung: Rung::Person }));
    }

    /// Until the attempt has an outcome the caller hears music and the agent hears silence.
    pub(super) fn person_is_called(&mut self, attempt: Attempt, with: Attempt) {
        let longest = self.now.plus(self.call.policy.conversation_max);
        let until = self.call.deadlines.conversation.unwrap_or(longest);
        self.call.tried.push(attempt.rung);
        self.begin_waiting_for(attempt);
        let parked = Some(ParkedAgent { attempt: with, until });
        self.call.phase = Phase::HandingOff(HandingOff { attempt, parked, looked_up: false });
        self.play_hold();
        let person = self.call.person_asked.clone();
        self.effects.push(Effect::StartHandoff {
            attempt: attempt.number,
            rung: attempt.rung,
            voice: None,
            person,
        });
    }

    /// The person was not reached: return to the parked agent and tell it why, or else go on with the ladder.
    pub(super) fn person_missed(&mut self, why: HandoffFailure) {
        self.call.person_asked = None;
        let Some(parked) = self.take_parked_agent() else {
            self.play_hold();
            return self.next_rung();
        };
        if self.leg_is_away() {
            self.allow_retry(parked.attempt.rung);
            return self.next_rung();
        }
        self.call.deadlines.handoff = None;
        self.call.phase = Phase::Conversing(Conversing { attempt: parked.attempt, looked_up: false });
        // The conversation's time may have passed while the person's telephone rang: it ends at once then.
        self.call.deadlines.conversation =
            Some(parked.until.max(self.now.plus(core::time::Duration::from_millis(1))));
        self.effects.push(Effect::ReturnToAgent { attempt: parked.attempt.number, why });
    }

    /// The player numbers the utterances; each counts once.
    pub(super) fn utterance_heard(&mut self, number: u32) {
        if number == self.call.utterances.saturating_add(1) {
            self.call.utterances = number;
        }
    }

    /// An operator tells the agent something. Each counts once, and only where the call may be supervised.
    pub(super) fn agent_told(&mut self, number: u16) {
        let is_next = number == self.call.told.saturating_add(1);
        if let (true, Ok(attempt)) = (is_next, self.call.agent_to_tell()) {
            self.call.told = number;
            self.effects.push(Effect::TellAgent { attempt, number });
        }
    }

    /// How the call ends if its agent was lost, or left unheard, and no other attempt succeeds.
    pub(super) fn agent_was_lost(&self) -> Option<Release> {
        let cause = match self.call.agent_loss {
            Some(AgentLoss::Lost | AgentLoss::Refused | AgentLoss::OverrideRefused) => Cause::AgentLost,
            Some(AgentLoss::Stalled) => Cause::AgentStalled,
            None if self.call.unheard_ends > 0 => Cause::AgentEnded,
            None => return None,
        };
        Some(Release::by(Blame::Provider, cause))
    }
}
