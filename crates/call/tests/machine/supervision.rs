//! Live supervision: who may listen, and when an agent may be told something. Laws for every step, and stories.

use std::sync::Arc;

use precall_call::{
    Call, Effect, Event, HandoffFailure, Leg, ListenEnd, NotSupervised, Operator, Person, Phase, Policy,
    Route, Step, Telling, Told,
};

use crate::bridge::{bridge, failed, greeted, played, ready};
use crate::stories::Story;
use crate::vocabulary::{NOTICE, PERSON, voice_ready};

/// Nor at all where the notice does not mention it.
pub fn nobody_listens_before_the_notice_was_heard(call: &Call) {
    if call.may_be_listened_to().is_ok() {
        assert!(call.policy.supervised, "somebody listens, and the notice does not say so");
        let is_heard = call.policy.notice.is_none() || call.instants.notice_ended.is_some();
        assert!(is_heard, "somebody listens before the notice was heard: {call:?}");
    }
}

pub fn nobody_listens_to_a_caller_who_is_elsewhere(call: &Call) {
    if call.may_be_listened_to().is_ok() {
        assert!(call.policy.on_live_leg() && call.leg == Leg::Connected && !call.audio_lost);
        assert!(!call.is_released(), "somebody listens to a call that is over");
        let is_elsewhere = matches!(call.phase, Phase::Conversing(with) if !with.attempt.rung.bridges());
        assert!(!is_elsewhere, "somebody listens to a caller who is with a person");
    }
}

/// By the call's word, or because the leg's audio ends.
pub fn listening_ends_when_it_is_no_longer_allowed(before: &Call, taken: &Step) {
    let next = &taken.next;
    if before.may_be_listened_to().is_ok() && next.may_be_listened_to().is_err() {
        let audio_ends = next.leg != Leg::Connected || next.audio_lost;
        assert!(next.listening_ended().is_some() || audio_ends, "listening goes on: {:?}", next.phase);
    }
    if next.may_be_listened_to().is_ok() {
        assert_eq!(next.listening_ended(), None);
    }
}

pub fn an_agent_is_told_only_while_it_talks_with_the_caller(before: &Call, event: &Event, taken: &Step) {
    for effect in &taken.effects {
        let Effect::TellAgent { attempt, number } = effect else { continue };
        assert!(matches!(event, Event::AgentTold { number: told, .. } if told == number));
        assert_eq!(*number, before.told + 1, "the agent is told twice");
        assert!(matches!(before.phase, Phase::Conversing(with)
            if with.attempt.number == *attempt && with.attempt.rung.bridges()));
        assert!(before.leg == Leg::Connected && before.notice_given() && before.policy.supervised);
        assert_eq!(taken.next.phase, before.phase);
    }
    if let Event::AgentTold { .. } = event {
        assert_eq!(taken.effects.len(), usize::from(taken.next.version != before.version));
    }
}

fn supervised() -> Policy {
    Policy { notice: Some(Arc::from(NOTICE)), supervised: true, ..bridge() }
}

fn noticed() -> Event {
    Event::NoticeEnded { version: Arc::from(NOTICE) }
}

fn talking(policy: Policy) -> Story {
    greeted(policy).then(voice_ready()).then(noticed()).then(ready(1)).then(played())
}

fn told(number: u16) -> Event {
    Event::AgentTold { number, what: Telling::Context, by: Operator::new("desk") }
}

#[test]
fn nobody_listens_while_the_notice_plays() {
    let story = greeted(supervised());
    assert_eq!(story.call.may_be_listened_to(), Err(NotSupervised::NoticeNotHeard));
    let story = story.then(voice_ready()).then(noticed());
    assert_eq!(story.call.may_be_listened_to(), Ok(()), "the greeting plays");
    assert_eq!(story.call.agent_to_tell(), Err(NotSupervised::NotConversing));
}

#[test]
fn a_notice_that_does_not_mention_it_allows_nothing() {
    let story = talking(Policy { supervised: false, ..supervised() });
    assert_eq!(story.call.may_be_listened_to(), Err(NotSupervised::Unannounced));
    let version = story.call.version;
    assert_eq!(story.then(told(1)).call.version, version);
}

#[test]
fn a_notice_of_the_pbx_was_heard_before_the_call() {
    let story = greeted(Policy { notice: None, ..supervised() });
    assert_eq!(story.call.may_be_listened_to(), Ok(()));
}

#[test]
fn a_caller_who_is_called_back_is_not_listened_to() {
    let story = crate::stories::callback();
    let call = Call { policy: Arc::new(Policy { route: Route::Callback, ..supervised() }), ..story.call };
    assert_eq!(call.may_be_listened_to(), Err(NotSupervised::NotBridged));
}

#[test]
fn the_agent_is_told_each_thing_once() {
    let mut story = talking(supervised());
    story.orders();
    let mut story = story.then(told(1));
    assert_eq!(story.orders(), [Effect::TellAgent { attempt: 1, number: 1 }]);
    let mut story = story.then(told(1)).then(told(3));
    assert_eq!(story.orders(), []);
    assert_eq!(story.then(told(2)).orders(), [Effect::TellAgent { attempt: 1, number: 2 }]);
}

#[test]
fn an_agent_cannot_be_told_more_and_more() {
    let mut call = talking(supervised()).call;
    call.told = 200;
    assert_eq!(call.agent_to_tell(), Err(NotSupervised::TooOften));
    assert_eq!(call.may_be_listened_to(), Ok(()));
}

#[test]
fn an_agent_on_hold_is_not_told_and_the_listener_hears_the_music() {
    let person = Person::Named(Arc::from(PERSON));
    let story = talking(supervised()).then(Event::TransferAsked { person, by: None });
    assert_eq!(story.call.may_be_listened_to(), Ok(()));
    assert_eq!(story.call.agent_to_tell(), Err(NotSupervised::NotConversing));
    let back = story.clone().then(failed(2, HandoffFailure::Busy));
    assert_eq!(back.call.agent_to_tell(), Ok(1));
    let reached = story.then(Event::HandoffSucceeded { attempt: 2, conversation: None });
    assert_eq!(reached.call.release().map(|release| release.told), Some(Told::Person));
    assert_eq!(reached.call.listening_ended(), Some(ListenEnd::HandedOver));
    assert_eq!(reached.call.may_be_listened_to(), Err(NotSupervised::Over));
}

#[test]
fn listening_waits_for_a_leg_that_may_come_back() {
    let story = talking(supervised()).then(Event::LegGone);
    assert_eq!(story.call.may_be_listened_to(), Err(NotSupervised::NotBridged));
    assert_eq!(story.call.listening_ended(), None, "the leg may come back");
}
