//! What a call holds outside its state: a paid seat and the watch for its greeting's end.
//! And which reports count against a budget.

use precall_call::{
    AgentLoss, Effect, Event, Fact, Grade, GreetingEnd, HandoffFailure, LegSeen, Policy, Purpose, Request,
    Route, Rung, facts, step,
};

use crate::stories::{Story, start};
use crate::vocabulary::{agent_id, greeting_id, policy, report, voice_ready};

fn greeted_by_telephone() -> Story {
    Story::of(policy(Route::Callback)).then(Event::GreetingStarted { conversation: Some(greeting_id()) })
}

fn talking_on_the_bridge() -> Story {
    let story = Story::of(policy(Route::Bridge)).then(Event::LegConnected).then(voice_ready());
    let story = story.then(Event::HandoffSucceeded { attempt: 1, conversation: Some(agent_id()) });
    let mut story = story.then(Event::GreetingEnded { end: GreetingEnd::Played });
    story.orders();
    story
}

#[test]
fn a_greeting_by_telephone_has_a_seat_and_a_greeting_on_the_leg_has_none() {
    assert!(greeted_by_telephone().call.holds_seat());
    let on_the_leg = Story::of(policy(Route::Bridge)).then(Event::LegConnected);
    assert!(!on_the_leg.call.holds_seat());
    assert!(on_the_leg.then(voice_ready()).call.holds_seat(), "its early agent has one");
}

#[test]
fn a_call_on_hold_gives_its_seat_back() {
    let manual = Policy { auto_transition: false, ..policy(Route::Callback) };
    let mut story = Story::of(manual).then(Event::GreetingStarted { conversation: Some(greeting_id()) });
    story.orders();
    let mut story = story.then(Event::GreetingEnded { end: GreetingEnd::Played });
    assert_eq!(story.orders(), [Effect::StopWatchingGreeting, Effect::ReleaseSeat]);
    assert!(!story.call.holds_seat());
}

#[test]
fn a_call_keeps_its_seat_from_one_attempt_to_the_next() {
    let mut story = talking_on_the_bridge().then(Event::AgentLost { attempt: 1, why: AgentLoss::Lost });
    let again = start(2, Rung::BridgeCloned, Some("clone"));
    assert_eq!(story.orders(), [Effect::CancelHandoff { attempt: 1 }, Effect::PlayHold, again]);
    assert!(story.call.holds_seat());
}

#[test]
fn a_call_that_goes_to_a_person_gives_its_seat_back() {
    let story = talking_on_the_bridge().then(Event::AgentLost { attempt: 1, why: AgentLoss::Refused });
    let mut story = story.then(Event::HandoffFailed { attempt: 2, why: HandoffFailure::Refused });
    story.orders();
    let mut story = story.then(Event::HandoffFailed { attempt: 3, why: HandoffFailure::Refused });
    assert_eq!(story.orders(), [Effect::ReleaseSeat, start(4, Rung::Destination, Some("fallback"))]);
}

#[test]
fn a_restart_changes_nothing_about_the_seat() {
    let story = talking_on_the_bridge().then(Event::Resumed { generation: 1, leg: LegSeen::None });
    assert!(story.call.holds_seat());
    assert!(!story.orders.contains(&Effect::ReleaseSeat));
}

#[test]
fn a_report_counts_once_after_the_end_as_well_as_before_it() {
    let story = greeted_by_telephone().then(Event::OperatorAsked { request: Request::HangUp, by: None });
    let reported = Event::Reported(report(greeting_id(), Some(Purpose::Greeting), Grade::Completed));
    let counts = |call: &precall_call::Call| {
        let taken = step(call, &reported, call.at);
        let told = if taken.next == *call { Vec::new() } else { facts(Some(call), &reported, &taken.next) };
        (told.iter().any(|fact| matches!(fact, Fact::ConversationReported { .. })), taken.next)
    };
    let (first, after) = counts(&story.call);
    let (second, _) = counts(&after);
    assert_eq!((first, second), (true, false));
    let (unknown, _) = counts(&talking_on_the_bridge().call);
    assert!(!unknown, "a conversation that is not this call's");
}

#[test]
fn only_after_a_restart_may_a_dial_have_been_made_before() {
    let resumed = || Event::Resumed { generation: 1, leg: LegSeen::None };
    assert!(!greeted_by_telephone().call.may_have_dialled_before());
    assert!(greeted_by_telephone().then(resumed()).call.may_have_dialled_before());
    // The greeting's conversation has no id: the provider could name it as the agent's.
    let unnamed = Story::of(policy(Route::Callback)).then(resumed()).then(voice_ready());
    let unnamed = unnamed.then(Event::GreetingEnded { end: GreetingEnd::Played });
    assert_eq!(unnamed.call.latest_attempt(), 1);
    assert!(!unnamed.call.may_have_dialled_before());
}
