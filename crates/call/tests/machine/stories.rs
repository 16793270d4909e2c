//! Calls as a person would tell them. Each line is an event and what the machine orders upon it.

use std::collections::VecDeque;

use precall_call::{
    Answered, At, Blame, Call, CallPart, Cause, Effect, Event, Grade, GreetingEnd, HandoffFailure, NoVoice,
    Phase, Policy, Proof, Purpose, Report, Route, Rung, Told, Voice, open, step,
};

use crate::vocabulary::{SECOND, agent_id, greeting_id, offer, policy, report, voice_ready};

#[derive(Clone)]
pub struct Story {
    pub call: Call,
    now: At,
    pub orders: Vec<Effect>,
}

impl Story {
    pub fn of(policy: Policy) -> Self {
        let first = open(&offer(policy), At(0));
        let mut story = Self { call: first.next, now: At(0), orders: Vec::new() };
        story.perform(first.effects);
        story
    }

    /// In the order in which the call's actor performs them: what an intent leads to comes after what was ordered
    /// with it.
    fn perform(&mut self, effects: Vec<Effect>) {
        let mut work = VecDeque::from(effects);
        while let Some(effect) = work.pop_front() {
            match effect {
                Effect::Intend(intent) => work.extend(self.step(&intent)),
                order => self.orders.push(order),
            }
        }
    }

    fn take(&mut self, event: &Event) {
        let effects = self.step(event);
        self.perform(effects);
    }

    fn step(&mut self, event: &Event) -> Vec<Effect> {
        let taken = step(&self.call, event, self.now);
        self.call = taken.next;
        taken.effects
    }

    pub fn then(mut self, event: Event) -> Self {
        self.now = At(self.now.0 + SECOND);
        self.take(&event);
        self
    }

    pub fn at_the_deadline(mut self) -> Self {
        let deadline = self.call.deadline().expect("a live call has a deadline");
        self.now = deadline.due;
        self.take(&Event::DeadlinePassed { generation: deadline.generation });
        self
    }

    pub fn orders(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.orders)
    }

    pub fn ended(&self) -> (Cause, Option<Blame>, Told) {
        let release = self.call.release().expect("the call is released");
        (release.cause, release.blame, release.told)
    }
}

pub fn callback() -> Story {
    Story::of(policy(Route::Callback)).then(Event::GreetingStarted { conversation: Some(greeting_id()) })
}

fn greeting_reported() -> Event {
    Event::Reported(report(greeting_id(), Some(Purpose::Greeting), Grade::Completed))
}

fn agent_dialled(attempt: u8) -> Event {
    Event::HandoffSucceeded { attempt, conversation: Some(agent_id()) }
}

/// The voice is asked for by a call that has proved nothing.
pub fn ask() -> Effect {
    Effect::AskForVoice { proof: Proof::None }
}

pub fn start(attempt: u8, rung: Rung, voice: Option<&str>) -> Effect {
    Effect::StartHandoff { attempt, rung, voice: voice.map(precall_call::VoiceId::new), person: None }
}

#[test]
fn callback_greets_at_once_clones_beside_it_and_hands_over_in_the_cloned_voice() {
    let mut story = callback();
    assert_eq!(story.orders(), [ask(), Effect::DialGreeting]);
    let mut story = story.then(voice_ready());
    assert_eq!(story.orders(), [], "a voice that is ready while the greeting plays waits for its end");
    story = story.then(greeting_reported());
    let started = start(1, Rung::CallbackCloned, Some("clone"));
    assert_eq!(story.orders(), [Effect::StopWatchingGreeting, started]);
    let done = Event::Reported(report(agent_id(), None, Grade::Completed));
    let story = story.then(agent_dialled(1)).then(done);
    assert_eq!(story.ended(), (Cause::Completed, None, Told::Goodbye));
    assert!(story.call.had_agent());
}

fn by_voicemail(id: precall_call::ConversationId, grade: Grade) -> Event {
    let has_words = grade != Grade::Initiated;
    Event::Reported(Report {
        answered: Answered::Voicemail,
        failure: None,
        has_words,
        ..report(id, None, grade)
    })
}

#[test]
fn an_agent_that_talked_to_a_voicemail_box_did_not_reach_the_caller() {
    let talking = || callback().then(voice_ready()).then(greeting_reported()).then(agent_dialled(1));
    let story = talking().then(by_voicemail(agent_id(), Grade::Failed));
    assert_eq!(story.ended(), (Cause::Voicemail, Some(Blame::Caller), Told::Nothing));
    assert!(!story.call.had_agent());
    // A later report that does not say so changes nothing of it.
    let story = story.then(Event::Reported(report(agent_id(), None, Grade::Completed)));
    assert!(!story.call.had_agent());
    assert_eq!(story.call.conversations[1].grade, Grade::Failed);
    // The provider's test comes while the conversation runs, and its report without that word.
    let story = talking().then(by_voicemail(agent_id(), Grade::Initiated));
    assert!(!story.call.is_released(), "the agent may leave a message");
    let story = story.then(Event::Reported(report(agent_id(), None, Grade::Completed)));
    assert_eq!(story.ended().0, Cause::Voicemail);
}

#[test]
fn a_greeting_that_met_a_voicemail_box_is_not_followed_by_an_agent() {
    for grade in [Grade::Initiated, Grade::Failed] {
        let mut story = callback().then(voice_ready());
        story.orders();
        let mut story = story.then(by_voicemail(greeting_id(), grade));
        assert_eq!(story.ended(), (Cause::Voicemail, Some(Blame::Caller), Told::Nothing));
        assert!(!story.orders().iter().any(|order| matches!(order, Effect::StartHandoff { .. })));
    }
    // The greeting is over before its report, and the call waits for the voice.
    let holding = callback().then(Event::GreetingEnded { end: GreetingEnd::Played });
    assert_eq!(holding.then(by_voicemail(greeting_id(), Grade::Failed)).ended().0, Cause::Voicemail);
}

#[test]
fn callback_without_a_voice_speaks_in_the_fallback_voice() {
    let mut story =
        callback().then(Event::VoiceMissing { why: NoVoice::NoMapping, job: None }).then(greeting_reported());
    assert_eq!(story.orders().last(), Some(&start(1, Rung::CallbackFallback, Some("fallback"))));
}

#[test]
fn callback_tries_the_fallback_voice_only_when_the_first_dial_was_surely_not_executed() {
    let handing_off = || callback().then(voice_ready()).then(greeting_reported());
    let failed = |why| Event::HandoffFailed { attempt: 1, why };
    let mut refused = handing_off().then(failed(HandoffFailure::Refused));
    assert_eq!(refused.orders().last(), Some(&start(2, Rung::CallbackFallback, Some("fallback"))));
    let twice = refused.then(Event::HandoffFailed { attempt: 2, why: HandoffFailure::Refused });
    assert_eq!(twice.ended().0, Cause::HandoffFailed);
    for (why, cause) in [
        (HandoffFailure::Unknown, Cause::HandoffFailed),
        (HandoffFailure::Busy, Cause::Busy),
        (HandoffFailure::NoAnswer, Cause::NoAnswer),
    ] {
        let story = handing_off().then(failed(why));
        assert_eq!(story.ended().0, cause);
        assert_eq!(story.call.tried, [Rung::CallbackCloned]);
    }
}

#[test]
fn callback_goes_on_when_the_greeting_is_refused_or_busy_and_ends_when_nobody_answers() {
    for end in [GreetingEnd::Refused, GreetingEnd::Busy, GreetingEnd::Failed] {
        let story = callback().then(Event::GreetingEnded { end }).then(voice_ready());
        assert!(matches!(story.call.phase, Phase::HandingOff(_)), "{end:?}");
    }
    let story = callback().then(Event::GreetingEnded { end: GreetingEnd::NoAnswer });
    assert_eq!(story.ended(), (Cause::NoAnswer, Some(Blame::Caller), Told::Nothing));
}

#[test]
fn callback_asks_the_provider_about_a_silent_greeting_before_it_goes_on() {
    let mut story = callback().then(voice_ready());
    story.orders();
    let mut story = story.at_the_deadline();
    if story.call.is_greeting() && story.orders.is_empty() {
        story = story.at_the_deadline();
    }
    assert_eq!(story.orders(), [Effect::LookUp(Purpose::Greeting)]);
    let mut story = story.at_the_deadline();
    let started = start(1, Rung::CallbackCloned, Some("clone"));
    assert_eq!(story.orders(), [Effect::StopWatchingGreeting, started]);
}

#[test]
fn the_voice_deadline_leads_to_the_fallback_voice_and_a_late_clone_still_wins_until_then() {
    let story = callback().at_the_deadline();
    assert_eq!(story.call.voice, Voice::Fallback(NoVoice::CloneTimeout));
    assert!(story.call.is_greeting());
    let mut late = story.then(voice_ready()).then(greeting_reported());
    assert_eq!(late.orders().last(), Some(&start(1, Rung::CallbackCloned, Some("clone"))));
}

#[test]
fn an_operator_releases_a_call_that_holds_for_one() {
    let manual = Policy { auto_transition: false, ..policy(Route::Callback) };
    let story = Story::of(manual).then(voice_ready()).then(greeting_reported());
    assert_eq!(story.call.phase, Phase::Holding);
    let mut story = story.then(Event::OperatorAsked { request: precall_call::Request::HandOff, by: None });
    assert_eq!(story.orders().last(), Some(&start(1, Rung::CallbackCloned, Some("clone"))));
}

#[test]
fn the_end_of_the_pbx_call_ends_the_wait_but_not_an_agent_call_that_is_out() {
    let waiting = callback().then(Event::PbxCallEnded { duration: None });
    assert_eq!(waiting.ended(), (Cause::CallerHungUp, Some(Blame::Caller), Told::Nothing));
    assert_eq!(waiting.orders[2..], [Effect::StopWaiting, Effect::StopWatchingGreeting, Effect::ReleaseSeat]);
    let talking = callback().then(voice_ready()).then(greeting_reported()).then(agent_dialled(1));
    assert!(!talking.then(Event::PbxCallEnded { duration: None }).call.is_released());
    let outliving = Policy { ends_with_pbx_call: false, ..policy(Route::Callback) };
    assert!(!Story::of(outliving).then(Event::PbxCallEnded { duration: None }).call.is_released());
}

#[test]
fn a_report_after_the_end_is_noted_and_has_no_effects() {
    let mut story = callback().then(voice_ready()).then(greeting_reported()).then(agent_dialled(1));
    story = story.then(Event::OperatorAsked { request: precall_call::Request::HangUp, by: None });
    story.orders();
    let mut story = story.then(Event::Reported(report(agent_id(), None, Grade::Completed)));
    assert_eq!(story.ended().0, Cause::OperatorEnded);
    assert!(story.call.had_agent());
    assert_eq!(story.orders(), []);
}

#[test]
fn a_failed_report_never_lowers_a_completed_one() {
    let story = callback().then(voice_ready()).then(greeting_reported()).then(agent_dialled(1));
    let story = story.then(Event::Reported(report(agent_id(), None, Grade::Completed)));
    let before = story.call.clone();
    let after = story.then(Event::Reported(report(agent_id(), None, Grade::Failed))).call;
    assert_eq!(before, after);
}

#[test]
fn the_first_panic_costs_at_most_a_part_and_the_second_ends_the_call() {
    let panic = |part, ordinal| Event::Panicked { part, ordinal };
    let once = callback().then(panic(CallPart::Call, 1));
    assert!(once.call.is_greeting());
    assert_eq!(once.then(panic(CallPart::Call, 2)).ended().0, Cause::Panicked);
    let worker = callback().then(panic(CallPart::CloneWorker, 1));
    assert_eq!(worker.call.voice, Voice::Fallback(NoVoice::CloneFailed));
    let mut handoff =
        callback().then(voice_ready()).then(greeting_reported()).then(panic(CallPart::Handoff, 1));
    assert_eq!(handoff.orders().last(), Some(&Effect::LookUp(Purpose::Agent)));
    assert_eq!(handoff.at_the_deadline().ended().0, Cause::HandoffFailed);
}

#[test]
fn an_order_that_is_not_wanted_any_more_counts_as_refused() {
    let dial = Effect::DialGreeting;
    let waiting = callback();
    assert!(waiting.call.still_wants(&dial));
    let over = waiting.then(Event::PbxCallEnded { duration: None });
    assert!(!over.call.still_wants(&dial));
    let never = Story::of(policy(Route::Callback)).then(Event::PbxCallEnded { duration: None });
    let never = never.then(dial.event_if_not_performed().unwrap());
    let greeting = never.call.conversation(Purpose::Greeting).unwrap();
    assert_eq!((greeting.dial, greeting.grade), (precall_call::Dial::Refused, Grade::Failed));
    let handing = callback().then(voice_ready()).then(greeting_reported());
    assert!(handing.call.still_wants(&start(1, Rung::CallbackCloned, None)));
    assert!(!handing.call.still_wants(&start(2, Rung::CallbackFallback, None)));
}

#[test]
fn callback_asks_the_provider_about_an_agent_call_once_in_handoff_and_conversation_together() {
    let handing_off = callback().then(voice_ready()).then(greeting_reported());
    let mut lost = handing_off.then(Event::Panicked { part: CallPart::Handoff, ordinal: 1 });
    assert_eq!(lost.orders().last(), Some(&Effect::LookUp(Purpose::Agent)));
    let mut talking = lost.then(agent_dialled(1)).at_the_deadline();
    assert_eq!(talking.ended().0, Cause::MaxDuration);
    assert_eq!(talking.orders(), [Effect::ReleaseSeat], "not asked again");
}

#[test]
fn callback_dials_again_without_the_setting_that_the_agent_refused() {
    let handing_off = || callback().then(voice_ready()).then(greeting_reported());
    let refused = Event::HandoffFailed { attempt: 1, why: HandoffFailure::OverrideRefused };
    let mut story = handing_off().then(refused);
    assert_eq!(story.orders().last(), Some(&start(2, Rung::CallbackCloned, Some("clone"))));
    let refused = Event::HandoffFailed { attempt: 1, why: HandoffFailure::VoiceRefused };
    let mut story = handing_off().then(refused);
    assert_eq!(story.orders().last(), Some(&start(2, Rung::CallbackFallback, Some("fallback"))));
    assert_eq!(story.call.voice, Voice::Fallback(NoVoice::OverrideRefused));
}

#[test]
fn callback_does_not_dial_a_caller_who_still_talks_with_the_agent_that_greeted() {
    // The first deadline is the voice's, which is there.
    let overdue = || callback().then(voice_ready()).at_the_deadline().at_the_deadline();
    let mut story = overdue();
    assert_eq!(story.orders().last(), Some(&Effect::LookUp(Purpose::Greeting)));
    for _ in 0..3 {
        story = story.then(Event::GreetingRuns);
        assert_eq!(story.orders(), [], "the telephone is in use");
        story = story.at_the_deadline();
        assert_eq!(story.orders(), [Effect::LookUp(Purpose::Greeting)], "the provider is asked again");
    }
    let mut story = story.then(greeting_reported());
    assert_eq!(story.orders().last(), Some(&start(1, Rung::CallbackCloned, Some("clone"))));
    // No longer than a conversation lasts.
    let mut story = overdue();
    for _ in 0..100 {
        story = story.then(Event::GreetingRuns);
        if !story.call.is_greeting() {
            break;
        }
        story = story.at_the_deadline();
    }
    assert!(!story.call.is_greeting());
}
