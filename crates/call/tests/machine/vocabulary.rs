//! Policies and events as the tests use them.

use std::sync::Arc;
use std::time::Duration;

use precall_call::{
    Admission, AgentLoss, Answered, At, AudioHeard, Call, CallPart, Cause, ConversationId, Event, Grade,
    GreetingEnd, HandingOff, HandoffFailure, LegSeen, NoVoice, Offer, Operator, Person, Phase, Policy,
    ProofWay, ProvedBy, Purpose, Report, Request, Route, Rung, Speaker, Telling, VoiceId, VoiceSource,
    VoiceWait,
};

use crate::calls::call_policy;

pub const SECOND: i64 = 1_000_000;
pub const NOTICE: &str = "0a1b2c3d4e5f";
pub const PERSON: &str = "sales";

pub fn policy(route: Route) -> Policy {
    Policy { persons: Arc::from([Arc::from(PERSON)]), ..call_policy(route) }
}

pub fn offer(policy: Policy) -> Offer {
    Offer { policy: Arc::new(policy), admission: Admission::Accepted }
}

/// Every rule that changes what a call does, varied one by one.
pub fn offers() -> Vec<Offer> {
    let mut offers = Vec::new();
    for &route in Route::ALL {
        let proving = policy(route);
        // Nobody's voice is kept for who proves something: see `keeps_voices`.
        let plain = Policy { pin_wait: Duration::ZERO, ..proving.clone() };
        let start = VoiceWait::Start { after: Duration::from_secs(8) };
        let notice = (route != Route::Callback).then(|| Arc::from(NOTICE));
        // Free retries are varied apart from persons and from the operator, for the same reason as below.
        let earlier = Policy { free_retries: false, ..plain.clone() };
        offers.push(offer(Policy { notice, supervised: true, ..earlier.clone() }));
        offers.push(offer(Policy { voice_wait: start, has_bridge: false, ..plain.clone() }));
        // Who may be asked for is varied apart from it: the two together multiply the states and add no rule.
        offers.push(offer(Policy { auto_transition: false, persons: Arc::from([]), ..earlier }));
        offers.push(offer(Policy {
            has_transfer: false,
            has_destination: false,
            persons: Arc::from([]),
            fallback_voice: None,
            ends_with_pbx_call: false,
            supervised: true,
            ..plain.clone()
        }));
        let alone = Policy { persons: Arc::from([]), has_transfer: false, ..proving };
        let noticed = (route != Route::Callback).then(|| Arc::from(NOTICE));
        offers.push(offer(Policy {
            notice: noticed,
            supervised: true,
            voice_wait: start,
            has_destination: false,
            ..alone.clone()
        }));
        offers.push(offer(Policy { auto_transition: false, has_bridge: false, has_transfer: true, ..alone }));
        if route != Route::Callback {
            offers.push(offer(Policy {
                persons: Arc::from([]),
                person_key: None,
                has_transfer: route == Route::Transfer,
                ..plain.clone()
            }));
        }
        let policy = Arc::new(plain);
        for admission in [Admission::EndedBefore, Admission::Refused(Cause::DialRefused)] {
            offers.push(Offer { policy: Arc::clone(&policy), admission });
        }
    }
    offers
}

pub fn greeting_id() -> ConversationId {
    ConversationId::new("conv_greeting")
}

pub fn agent_id() -> ConversationId {
    ConversationId::new("conv_agent")
}

pub fn report(conversation: ConversationId, purpose: Option<Purpose>, grade: Grade) -> Report {
    let failure = (grade == Grade::Failed).then_some(HandoffFailure::Busy);
    Report {
        conversation,
        purpose,
        grade,
        failure,
        duration: Some(Duration::from_secs(9)),
        has_words: grade == Grade::Completed,
        has_analysis: false,
        answered: Answered::Unknown,
    }
}

pub fn voice_ready() -> Event {
    Event::VoiceReady {
        voice: VoiceId::new("clone"),
        job: None,
        source: VoiceSource::Clone,
        took: Duration::from_secs(7),
    }
}

pub fn heard() -> AudioHeard {
    AudioHeard {
        written: Duration::from_secs(9),
        longest_gap: Duration::from_millis(45),
        gaps: 1,
        cuts: 1,
        ..AudioHeard::default()
    }
}

/// Whether a voice may be kept for who proves to be the caller. Varied apart from the rest, as persons are.
fn keeps_voices(policy: &Policy) -> bool {
    policy.pin_wait > Duration::ZERO
}

/// Every event that can happen to a call in this state, stale and nonsensical ones included.
pub fn events(call: &Call) -> Vec<Event> {
    let mut events = vec![
        Event::Offered(Offer { policy: Arc::clone(&call.policy), admission: Admission::Accepted }),
        Event::LegRinging,
        Event::AnswerRefused,
        Event::LegRoutedAway,
        Event::LegConnected,
        Event::LegGone,
        Event::SoundStarted,
        Event::NoticeEnded { version: Arc::from(NOTICE) },
        Event::NoticeEnded { version: Arc::from("another") },
        Event::AudioLost,
        Event::AudioEnded(heard()),
        Event::PbxStateChanged { state: Arc::from("ringing") },
        Event::PbxCallEnded { duration: None },
        Event::GreetingDialled,
        Event::GreetingRuns,
        Event::GreetingStarted { conversation: None },
        Event::GreetingStarted { conversation: Some(greeting_id()) },
        voice_ready(),
        Event::VoiceMissing { why: NoVoice::NoMapping, job: None },
        Event::VoiceMissing { why: NoVoice::CloneFailed, job: None },
        Event::VoiceWithdrawn { why: NoVoice::NoConsent },
        Event::OperatorAsked { request: Request::HangUp, by: None },
        Event::OperatorAsked { request: Request::HandOff, by: None },
        Event::OperatorAsked { request: Request::RetryClone, by: None },
        Event::OperatorAsked { request: Request::FallbackVoice, by: None },
        Event::TransferAsked { person: Person::Fallback, by: None },
        Event::TransferAsked { person: Person::Named(Arc::from(PERSON)), by: None },
        Event::TransferAsked { person: Person::Named(Arc::from("nobody")), by: None },
        Event::Resumed { generation: call.resumed + 1, leg: LegSeen::Present },
        Event::Resumed { generation: call.resumed + 1, leg: LegSeen::Gone },
        Event::Resumed { generation: call.resumed + 1, leg: LegSeen::None },
        Event::Resumed { generation: call.resumed, leg: LegSeen::Gone },
        Event::DeadlinePassed { generation: call.generation },
        Event::DeadlinePassed { generation: call.generation.wrapping_sub(1) },
    ];
    events.extend(['0', '1', '5'].map(|key| Event::DtmfReceived { key }));
    events.extend(GreetingEnd::ALL.iter().map(|&end| Event::GreetingEnded { end }));
    for attempt in [attempt(call), attempt(call).saturating_add(1)] {
        events.extend(Rung::ALL.iter().map(|&rung| Event::HandoffStarted { attempt, rung }));
    }
    for attempt in [attempt(call), attempt(call).saturating_add(1)] {
        events.push(Event::HandoffSucceeded { attempt, conversation: None });
        events.push(Event::HandoffSucceeded { attempt, conversation: Some(agent_id()) });
        events.extend(HandoffFailure::ALL.iter().map(|&why| Event::HandoffFailed { attempt, why }));
    }
    for attempt in [agent_attempt(call), attempt(call).saturating_add(1)] {
        events.push(Event::AgentSpoke { attempt });
        events.push(Event::AgentEnded { attempt });
        events.extend(AgentLoss::ALL.iter().map(|&why| Event::AgentLost { attempt, why }));
    }
    for number in [call.persons_asked, call.persons_asked.saturating_add(1)] {
        events.push(Event::PersonAsked { number, person: Person::Fallback });
        events.push(Event::PersonAsked { number, person: Person::Named(Arc::from(PERSON)) });
        events.push(Event::PersonAsked { number, person: Person::Named(Arc::from("nobody")) });
    }
    for number in [call.utterances, call.utterances + 1] {
        events.push(Event::Utterance { number, by: Speaker::Agent, corrects: None });
    }
    for (number, what) in [(call.told, Telling::Say), (call.told.saturating_add(1), Telling::Context)] {
        events.push(Event::AgentTold { number, what, by: Operator::new("desk") });
    }
    for grade in [Grade::Initiated, Grade::Failed, Grade::Completed] {
        for (id, purpose) in [(greeting_id(), Purpose::Greeting), (agent_id(), Purpose::Agent)] {
            events.push(Event::Reported(report(id.clone(), None, grade)));
            events.push(Event::Reported(report(id, Some(purpose), grade)));
        }
    }
    if keeps_voices(&call.policy) {
        events.extend(ProofWay::ALL.iter().map(|&way| Event::ProofAsked { way }));
        events.extend(ProvedBy::ALL.iter().map(|&by| Event::ProofGiven { by }));
        for number in [call.wrong_pins, call.wrong_pins.saturating_add(1)] {
            events.push(Event::PinRefused { number });
        }
    }
    events.push(Event::Reported(Report {
        failure: Some(HandoffFailure::NoAnswer),
        ..report(agent_id(), Some(Purpose::Agent), Grade::Failed)
    }));
    for answered in [Answered::Tested, Answered::Voicemail] {
        for (id, grade) in
            [(greeting_id(), Grade::Initiated), (agent_id(), Grade::Initiated), (agent_id(), Grade::Failed)]
        {
            events.push(Event::Reported(Report { answered, failure: None, ..report(id, None, grade) }));
        }
    }
    if call.panics < 2 {
        let ordinal = call.panics + 1;
        events.extend(CallPart::ALL.iter().map(|&part| Event::Panicked { part, ordinal }));
    }
    events
}

fn attempt(call: &Call) -> u8 {
    match call.phase {
        Phase::HandingOff(handoff) => handoff.attempt.number,
        _ => u8::try_from(call.tried.len()).unwrap(),
    }
}

/// The attempt whose agent is there, or waits.
fn agent_attempt(call: &Call) -> u8 {
    match call.phase {
        Phase::HandingOff(HandingOff { parked: Some(parked), .. }) => parked.attempt.number,
        Phase::Conversing(with) => with.attempt.number,
        _ => attempt(call),
    }
}

/// The moment at which the walk lets an event happen: deadlines when they are due, everything else a little later.
pub fn moment(call: &Call, event: &Event) -> At {
    match (event, call.deadline()) {
        (Event::DeadlinePassed { .. }, Some(deadline)) => deadline.due.max(call.at),
        _ => At(call.at.0 + 1),
    }
}
