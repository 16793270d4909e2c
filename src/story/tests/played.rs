//! A call that a test plays through the machine of calls, and its story.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at what it did not expect")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use precall_call::{
    Admission, AgentLoss, Answered, At, Blame, Call, Cause, ConversationId, Effect, Event, Grade,
    GreetingEnd, HandoffFailure, NoVoice, Offer, Operator, Policy, Purpose, Report, Route, Voice, VoiceId,
    VoiceSource, open, step,
};
use precall_store::events::event_json;
pub(crate) use precall_test_support::call_policy;
use serde_json::json;

use crate::story::{Called, Happened, replay, story};

const SECOND: i64 = 1_000_000;
/// 2026-11-30, 9 o'clock.
const BEGIN: At = At(1_796_029_200 * SECOND);

/// A call as it goes on. Each event comes a second after the one before.
pub(crate) struct Played {
    pub(crate) call: Call,
    events: Vec<(Event, At, Option<&'static str>)>,
}

impl Played {
    pub(crate) fn of(policy: Policy) -> Self {
        Self::offered(Offer { policy: Arc::new(policy), admission: Admission::Accepted })
    }

    pub(crate) fn refused(route: Route, cause: Cause) -> Self {
        let policy = Arc::new(call_policy(route));
        Self::offered(Offer { policy, admission: Admission::Refused(cause) })
    }

    pub(crate) fn offered(offer: Offer) -> Self {
        let opened = open(&offer, BEGIN);
        let mut played = Self { call: opened.next, events: vec![(Event::Offered(offer), BEGIN, None)] };
        played.intend(opened.effects, BEGIN);
        played
    }

    /// A caller on a live leg, who is being greeted.
    pub(crate) fn bridge() -> Self {
        Self::of(call_policy(Route::Bridge)).greeted()
    }

    pub(crate) fn greeted(self) -> Self {
        self.then(Event::LegConnected)
            .then(Event::GreetingStarted { conversation: None })
            .then(Event::SoundStarted)
    }

    /// A caller who talks with the agent in the cloned voice.
    pub(crate) fn talking() -> Self {
        Self::bridge().then(cloned()).then(ready(1)).then(PLAYED).then(Event::AgentSpoke { attempt: 1 })
    }

    /// A caller whose telephone rings with the greeting.
    pub(crate) fn callback() -> Self {
        let conversation = Some(ConversationId::new("conv_greeting"));
        Self::of(call_policy(Route::Callback)).then(Event::GreetingStarted { conversation })
    }

    /// A caller who is called back by the agent.
    pub(crate) fn called_back() -> Self {
        Self::callback().then(cloned()).then(reported(Purpose::Greeting, Grade::Completed))
    }

    pub(crate) fn then(self, event: Event) -> Self {
        self.said(event, None)
    }

    /// With the words of who refused it.
    pub(crate) fn said(mut self, event: Event, words: impl Into<Option<&'static str>>) -> Self {
        let at = At(self.events.last().unwrap().1.0 + SECOND);
        self.take(event, at, words.into());
        self
    }

    /// Until the deadline of the state.
    pub(crate) fn waits(mut self) -> Self {
        let deadline = self.call.deadline().expect("a live call has a deadline");
        self.take(Event::DeadlinePassed { generation: deadline.generation }, deadline.due, None);
        self
    }

    /// Until the call is over.
    pub(crate) fn waits_for_the_end(mut self) -> Self {
        while !self.call.is_released() {
            self = self.waits();
        }
        self
    }

    pub(crate) fn take(&mut self, event: Event, at: At, words: Option<&'static str>) {
        let stepped = step(&self.call, &event, at);
        assert!(
            stepped.next.version > self.call.version,
            "{event:?} changes nothing in {:?}",
            self.call.phase
        );
        self.call = stepped.next;
        self.events.push((event, at, words));
        self.intend(stepped.effects, at);
    }

    /// Intents are recorded at once, as the call's actor does.
    pub(crate) fn intend(&mut self, effects: Vec<Effect>, at: At) {
        let mut work = VecDeque::from(effects);
        while let Some(effect) = work.pop_front() {
            if let Effect::Intend(intent) = effect {
                let stepped = step(&self.call, &intent, at);
                self.call = stepped.next;
                self.events.push((intent, at, None));
                work.extend(stepped.effects);
            }
        }
    }

    /// As the API shows the call.
    pub(crate) fn told(&self) -> String {
        let time = |at: At| Timestamp::from_microsecond(at.0).unwrap();
        let release = self.call.release().expect("the call is over");
        let missing = match self.call.voice {
            Voice::Fallback(why) => Some(why.name()),
            Voice::Awaited | Voice::Cloned(_) => None,
        };
        let failures = self.events.iter().filter(|(.., words)| words.is_some());
        let failures = failures.map(
            |(event, at, words)| json!({ "at": time(*at), "kind": event_json::kind(event), "detail": words }),
        );
        let called: Called = serde_json::from_value(json!({
            "id": "019ae3f0-0000-7000-8000-000000000001", "threecx_call_id": "42", "caller_id": "+4930123456",
            "called_number": "+4930100", "line": "default", "route": self.call.policy.route.name(),
            "state": "released", "cause": release.cause.name(), "blame": release.blame.map(Blame::name),
            "told": release.told.name(), "voice_missing": missing, "started_at": time(BEGIN),
            "ended_at": self.call.instants.released.map(time), "failures": failures.collect::<Vec<_>>(),
        }))
        .unwrap();
        story(&called, &replay(&self.happened())).to_string()
    }

    /// The log, as the API shows it.
    pub(crate) fn happened(&self) -> Vec<Happened> {
        let happened = self.events.iter().zip(1..).map(|((event, at, words), seq)| Happened {
            seq,
            at: Timestamp::from_microsecond(at.0).unwrap(),
            event: event_json::encode(event),
            detail: words.map(str::to_owned),
        });
        happened.collect()
    }
}

pub(crate) const PLAYED: Event = Event::GreetingEnded { end: GreetingEnd::Played };

pub(crate) fn cloned() -> Event {
    Event::VoiceReady {
        voice: VoiceId::new("voice_of_the_caller"),
        job: None,
        source: VoiceSource::Clone,
        took: Duration::from_secs(3),
    }
}

pub(crate) fn ready(attempt: u8) -> Event {
    Event::HandoffSucceeded { attempt, conversation: Some(ConversationId::new("conv_agent")) }
}

pub(crate) fn failed(attempt: u8, why: HandoffFailure) -> Event {
    Event::HandoffFailed { attempt, why }
}

pub(crate) fn lost(attempt: u8, why: AgentLoss) -> Event {
    Event::AgentLost { attempt, why }
}

pub(crate) fn missing(why: NoVoice) -> Event {
    Event::VoiceMissing { why, job: None }
}

pub(crate) fn report(purpose: Purpose, grade: Grade) -> Report {
    let conversation = match purpose {
        Purpose::Greeting => "conv_greeting",
        Purpose::Agent => "conv_agent",
    };
    Report {
        conversation: ConversationId::new(conversation),
        purpose: Some(purpose),
        grade,
        failure: None,
        duration: Some(Duration::from_secs(48)),
        has_words: grade == Grade::Completed,
        has_analysis: false,
        answered: Answered::Unknown,
    }
}

pub(crate) fn reported(purpose: Purpose, grade: Grade) -> Event {
    Event::Reported(report(purpose, grade))
}

/// Without a voice of its own the agent speaks in the fallback voice, and says goodbye.
pub(crate) fn without(why: NoVoice, words: Option<&'static str>) -> Played {
    let call = Played::bridge().said(missing(why), words).then(ready(1)).then(PLAYED);
    call.then(Event::AgentSpoke { attempt: 1 }).then(Event::AgentEnded { attempt: 1 })
}

pub(crate) fn operator(name: &str) -> Option<Operator> {
    Some(Operator::new(name))
}
