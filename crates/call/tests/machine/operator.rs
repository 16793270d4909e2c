//! What operators ask of a call: a person, the cloned voice once more, the fallback voice.

use std::sync::Arc;

use precall_call::{
    AgentLoss, Cause, Effect, Event, HandoffFailure, Leg, NoVoice, Person, Phase, Policy, Proof, ProofState,
    ProofWay, Request, Route, Rung, Told, Voice,
};

use crate::bridge::{bridge, failed, give_up, greeted, lost, played, ready, talking};
use crate::stories::{callback, start};
use crate::vocabulary::{NOTICE, PERSON, policy, voice_ready};

fn named() -> Person {
    Person::Named(Arc::from(PERSON))
}

fn sends_to(person: Person) -> Event {
    Event::TransferAsked { person, by: None }
}

fn calls(attempt: u8, person: Person) -> Effect {
    Effect::StartHandoff { attempt, rung: Rung::Person, voice: None, person: Some(person) }
}

fn retry() -> Event {
    Event::OperatorAsked { request: Request::RetryClone, by: None }
}

#[test]
fn a_caller_on_hold_goes_to_the_named_person_and_otherwise_to_the_agent() {
    let mut story = greeted(bridge()).then(played()).then(sends_to(named()));
    assert_eq!(story.orders(), [Effect::PlayHold, Effect::StopWaiting, calls(1, named())]);
    let reached = story.clone().then(Event::HandoffSucceeded { attempt: 1, conversation: None });
    let release = reached.call.release().unwrap();
    assert_eq!((release.cause, release.told), (Cause::Completed, Told::Person));
    let mut missed = story.then(failed(1, HandoffFailure::NoAnswer));
    let orders = missed.orders();
    assert!(orders.contains(&start(2, Rung::BridgeFallback, Some("fallback"))), "{orders:?}");
}

#[test]
fn the_fallback_destination_is_a_rung_of_its_own() {
    let mut story = greeted(bridge()).then(played()).then(sends_to(Person::Fallback));
    assert_eq!(story.orders().last(), Some(&start(1, Rung::Destination, Some("fallback"))));
    let story = story.then(sends_to(named()));
    assert_eq!(story.call.person_asked, Some(Person::Fallback), "the caller is on the way");
}

#[test]
fn the_notice_is_heard_first() {
    let noticed = Policy { notice: Some(Arc::from(NOTICE)), ..bridge() };
    let mut story = greeted(noticed).then(voice_ready()).then(sends_to(named()));
    assert_eq!(story.orders(), []);
    let mut story = story.then(Event::NoticeEnded { version: Arc::from(NOTICE) });
    assert_eq!(story.orders(), [Effect::PlayHold, calls(1, named())], "no agent is made ready");
}

#[test]
fn an_agent_that_is_being_called_is_given_up() {
    let mut story = greeted(bridge()).then(voice_ready()).then(ready(1));
    story.orders();
    let mut story = story.then(sends_to(named()));
    assert_eq!(story.orders(), [give_up(1), Effect::PlayHold, Effect::ReleaseSeat, calls(2, named())]);
}

#[test]
fn an_agent_that_talks_is_parked_and_goes_on_when_nobody_answers() {
    let mut story = talking().then(sends_to(named()));
    assert_eq!(story.orders(), [Effect::PlayHold, calls(2, named())]);
    let mut story = story.then(failed(2, HandoffFailure::Busy));
    assert_eq!(story.orders(), [Effect::ReturnToAgent { attempt: 1, why: HandoffFailure::Busy }]);
    let story =
        story.then(sends_to(named())).then(failed(3, HandoffFailure::Busy)).then(sends_to(Person::Fallback));
    let mut story = story.then(failed(4, HandoffFailure::Busy));
    story.orders();
    assert_eq!(story.then(sends_to(named())).orders(), [], "three persons are enough for one call");
}

#[test]
fn a_person_who_is_unknown_and_a_call_without_a_leg_change_nothing() {
    let unknown = sends_to(Person::Named(Arc::from("nobody")));
    let story = talking();
    let version = story.call.version;
    assert_eq!(story.then(unknown).call.version, version);
    let story = callback();
    let version = story.call.version;
    assert_eq!(story.then(sends_to(Person::Fallback)).call.version, version);
}

#[test]
fn a_person_who_was_asked_for_is_called_when_the_agent_is_lost_first() {
    let mut story = greeted(bridge()).then(voice_ready()).then(played());
    story.orders();
    let mut story = story.then(sends_to(named())).then(lost(1, AgentLoss::Lost));
    assert_eq!(story.orders(), [give_up(1), Effect::ReleaseSeat, calls(2, named())]);
    assert_eq!(story.call.leg, Leg::Connected);
}

#[test]
fn a_clone_that_failed_is_asked_for_again_and_used_if_the_agent_has_not_begun() {
    let missing = Event::VoiceMissing { why: NoVoice::CloneFailed, job: None };
    let mut story = greeted(Policy { auto_transition: false, ..bridge() }).then(missing).then(played());
    story.orders();
    let mut story = story.then(retry());
    assert_eq!(story.orders(), [Effect::AskForVoice { proof: Proof::None }]);
    assert!(story.clone().then(retry()).call.version == story.call.version, "it is being asked for");
    let story = story.then(voice_ready());
    assert!(matches!(story.call.voice, Voice::Cloned(_)));
    assert_eq!(story.call.phase, Phase::Holding);
}

#[test]
fn a_call_that_has_its_voice_or_its_agent_does_not_ask_again() {
    for story in [talking(), greeted(bridge()).then(voice_ready()), greeted(bridge())] {
        let version = story.call.version;
        assert_eq!(story.then(retry()).call.version, version);
    }
}

fn fallback_voice() -> Event {
    Event::OperatorAsked { request: Request::FallbackVoice, by: None }
}

const ASKED: Voice = Voice::Fallback(NoVoice::OperatorAsked);

#[test]
fn a_call_that_waits_for_its_voice_goes_on_without_it_and_takes_no_late_one() {
    let mut story = greeted(bridge()).then(played());
    story.orders();
    let mut story = story.then(fallback_voice());
    let agent = start(1, Rung::BridgeFallback, Some("fallback"));
    assert_eq!(story.orders(), [Effect::StopWaiting, agent]);
    assert_eq!(story.call.voice, ASKED);
    let mut story =
        greeted(Policy { auto_transition: false, ..bridge() }).then(fallback_voice()).then(played());
    story.orders();
    let story = story.then(voice_ready());
    assert_eq!(story.call.voice, ASKED, "it was on its way");
    let story = story.then(retry()).then(voice_ready());
    assert!(matches!(story.call.voice, Voice::Cloned(_)), "the operator thought better of it");
}

#[test]
fn a_late_clone_is_not_waited_for_any_more() {
    let missing = Event::VoiceMissing { why: NoVoice::CloneFailed, job: None };
    let manual = Policy { auto_transition: false, ..bridge() };
    let story = greeted(manual).then(missing).then(played());
    let version = story.call.version;
    assert_eq!(story.clone().then(fallback_voice()).call.version, version, "no voice can come");
    let mut story = story.then(retry());
    story.orders();
    let mut story = story.then(fallback_voice());
    assert_eq!(story.orders(), [Effect::StopWaiting]);
    assert_eq!((&story.call.voice, &story.call.phase), (&ASKED, &Phase::Holding));
}

#[test]
fn an_agent_in_the_cloned_voice_gives_way_to_one_in_the_fallback_voice() {
    let mut story = talking().then(fallback_voice());
    let again = start(2, Rung::BridgeFallback, Some("fallback"));
    assert_eq!(story.orders(), [give_up(1), Effect::LetVoiceGo, Effect::PlayHold, again]);
    let mut story = greeted(bridge()).then(voice_ready()).then(ready(1));
    story.orders();
    let mut story = story.then(fallback_voice());
    let again = start(2, Rung::BridgeFallback, Some("fallback"));
    assert_eq!(story.orders(), [give_up(1), Effect::LetVoiceGo, again]);
}

#[test]
fn a_fallback_agent_that_was_given_up_for_the_clone_is_made_ready_again() {
    let missing = Event::VoiceMissing { why: NoVoice::CloneTimeout, job: None };
    let mut story = greeted(bridge()).then(missing).then(ready(1)).then(retry()).then(voice_ready());
    let cloned = start(2, Rung::BridgeCloned, Some("clone"));
    assert_eq!(story.orders().last(), Some(&cloned));
    let mut story = story.then(ready(2)).then(fallback_voice());
    let again = start(3, Rung::BridgeFallback, Some("fallback"));
    assert_eq!(story.orders(), [give_up(2), Effect::LetVoiceGo, again]);
}

#[test]
fn a_pin_is_not_waited_for_when_the_fallback_voice_was_asked_for() {
    let asked = Event::ProofAsked { way: ProofWay::LegOrPin };
    let mut story = greeted(bridge()).then(asked).then(played());
    story.orders();
    let mut story = story.then(fallback_voice());
    assert_eq!(story.orders(), [start(1, Rung::BridgeFallback, Some("fallback"))]);
    assert_eq!((&story.call.voice, story.call.proof), (&ASKED, ProofState::Denied));
}

#[test]
fn a_conversation_that_precall_does_not_carry_keeps_its_voice() {
    let transferred = Policy { has_bridge: false, ..policy(Route::Transfer) };
    let story = greeted(transferred).then(voice_ready()).then(played());
    let story = story.then(Event::HandoffSucceeded { attempt: 1, conversation: None });
    let version = story.call.version;
    assert_eq!(story.then(fallback_voice()).call.version, version);
}
