//! The greeting: audio on a live leg, or a telephone call of its own on route `callback`.

use super::StepBuilder;
use crate::cause::{Blame, Cause, Release};
use crate::effect::Effect;
use crate::event::{Answered, Grade, GreetingEnd, Purpose};
use crate::ids::ConversationId;
use crate::phase::{Greeting, Phase};
use crate::policy::Person;
use crate::state::{Conversation, Dial, Leg, Seat};

impl StepBuilder {
    pub(super) fn greeting_dialled(&mut self) {
        if self.call.phase != Phase::Offered || self.call.policy.on_live_leg() {
            return;
        }
        let policy = &self.call.policy;
        let longest = policy.ring_max + policy.greeting_max + policy.report_grace;
        self.call.deadlines.greeting = Some(self.now.plus(longest));
        self.call.phase = Phase::Greeting(Greeting::default());
        self.begin_conversation(Purpose::Greeting);
        self.call.seat = Seat::Held;
        self.effects.push(Effect::DialGreeting);
    }

    pub(super) fn begin_conversation(&mut self, purpose: Purpose) {
        let before = self.call.conversations.iter().filter(|c| c.purpose == purpose).count();
        let ordinal = u8::try_from(before).unwrap_or(u8::MAX).saturating_add(1);
        self.call.conversations.push(Conversation {
            purpose,
            ordinal,
            id: None,
            dial: Dial::Intended,
            grade: Grade::Initiated,
            duration: None,
            has_words: false,
            has_analysis: false,
            answered: Answered::Unknown,
        });
    }

    pub(super) fn greeting_started(&mut self, conversation: Option<&ConversationId>) {
        self.dial_accepted(Purpose::Greeting, conversation);
        // The first frame may be written into a leg twice: the PBX may refuse the request that carried it.
        let first = self.call.instants.greeting_started.is_none() || self.call.policy.on_live_leg();
        if self.call.is_greeting() && first {
            self.call.instants.greeting_started = Some(self.now);
        }
    }

    pub(super) fn greeting_ended(&mut self, end: GreetingEnd) {
        self.note_greeting_dial(end);
        if !self.call.is_greeting() {
            return;
        }
        match end {
            GreetingEnd::Played
            | GreetingEnd::Skipped
            | GreetingEnd::Refused
            | GreetingEnd::Busy
            | GreetingEnd::Failed => self.hold(),
            // Nobody answers: a second call would only ring again.
            GreetingEnd::NoAnswer => self.release(Release::by(Blame::Caller, Cause::NoAnswer)),
            // The telephone may be ringing: wait for the report or the deadline.
            GreetingEnd::Unknown if !self.call.policy.on_live_leg() => {}
            GreetingEnd::Unknown => self.hold(),
        }
    }

    fn note_greeting_dial(&mut self, end: GreetingEnd) {
        let Some(greeting) = self.call.conversations.iter_mut().find(|c| c.purpose == Purpose::Greeting)
        else {
            return;
        };
        if greeting.dial != Dial::Intended && greeting.dial != Dial::Unknown {
            return;
        }
        match end {
            GreetingEnd::Refused => {
                greeting.dial = Dial::Refused;
                greeting.grade = greeting.grade.max(Grade::Failed);
            }
            GreetingEnd::Unknown => greeting.dial = Dial::Unknown,
            GreetingEnd::Played
            | GreetingEnd::Skipped
            | GreetingEnd::Busy
            | GreetingEnd::NoAnswer
            | GreetingEnd::Failed => {}
        }
    }

    /// The greeting did not end in time. Ask the provider once; then take it as over.
    pub(super) fn greeting_overdue(&mut self) {
        let Phase::Greeting(greeting) = self.call.phase else { return };
        if self.call.policy.on_live_leg() || greeting.looked_up {
            return self.hold();
        }
        self.look_greeting_up();
        self.call.deadlines.greeting = Some(self.now.plus(self.call.policy.report_grace));
    }

    /// The caller is still on the telephone with the agent that greeted: an agent that does not let its duration be set
    /// talks on. A second dial would find the number busy, so the call waits, no longer than a conversation lasts.
    pub(super) fn greeting_runs(&mut self) {
        let Phase::Greeting(greeting) = &mut self.call.phase else { return };
        if self.call.policy.on_live_leg() || !greeting.looked_up {
            return;
        }
        let began = self.call.instants.greeting_started.unwrap_or(self.call.instants.offered);
        let soon = self.now.plus(self.call.policy.report_grace);
        let longest = began.plus(self.call.policy.ring_max + self.call.policy.conversation_max);
        if self.now < longest {
            greeting.looked_up = false;
            self.call.deadlines.greeting = Some(soon);
        }
    }

    pub(super) fn look_greeting_up(&mut self) {
        if let Phase::Greeting(greeting) = &mut self.call.phase {
            greeting.looked_up = true;
            self.effects.push(Effect::LookUp(Purpose::Greeting));
        }
    }

    pub(super) fn dtmf(&mut self, key: char) {
        if self.call.policy.person_key == Some(key) {
            return self.key_for_person();
        }
        let skips = self.call.policy.skip_key == Some(key) && self.call.notice_given();
        if skips && self.call.is_greeting() && self.call.leg == Leg::Connected {
            self.hold();
        }
    }

    /// The caller asks for a person. During the notice, and while the PBX routes the leg, the request waits: neither
    /// can be interrupted.
    fn key_for_person(&mut self) {
        if matches!(self.call.phase, Phase::Conversing(with) if with.attempt.rung.bridges()) {
            if let Some(person) = self.call.policy.person_of_key().filter(|_| !self.leg_is_away()) {
                self.call_person(person);
            }
            return;
        }
        if !self.call.policy.has_destination {
            return;
        }
        match self.call.phase {
            Phase::Greeting(_) | Phase::Holding | Phase::HandingOff(_) => {
                self.call.person_asked.get_or_insert(Person::Fallback);
                self.go_to_person();
            }
            Phase::Offered | Phase::Conversing(_) | Phase::Released(_) => {}
        }
    }

    /// Gives up what the call does before its agent, as far as that can be interrupted.
    pub(super) fn go_to_person(&mut self) {
        match self.call.phase {
            Phase::Greeting(_) if self.call.notice_given() && !self.leg_is_away() => self.hold(),
            Phase::Holding => self.move_on(),
            Phase::HandingOff(handoff) if handoff.attempt.rung.needs_audio() => self.handoff_lost(),
            Phase::Offered
            | Phase::Greeting(_)
            | Phase::HandingOff(_)
            | Phase::Conversing(_)
            | Phase::Released(_) => {}
        }
    }
}
