//! Who may hear a voice, as a person would tell it: the leg, the PIN, three wrong ones, none at all, a restart in
//! between.

use std::sync::Arc;
use std::time::Duration;

use precall_call::{
    At, Effect, Event, GreetingEnd, LegSeen, NoVoice, Phase, Policy, Proof, ProofState, ProofWay, ProvedBy,
    Route, Rung, Voice, VoiceWait,
};

use crate::stories::{Story, ask, start};
use crate::vocabulary::{NOTICE, SECOND, policy, voice_ready};

const UNPROVEN: Voice = Voice::Fallback(NoVoice::Unproven);

fn greeted() -> Story {
    Story::of(policy(Route::Transfer)).then(Event::LegConnected)
}

fn asked(way: ProofWay) -> Event {
    Event::ProofAsked { way }
}

fn given(by: ProvedBy) -> Event {
    Event::ProofGiven { by }
}

fn wrong(number: u8) -> Event {
    Event::PinRefused { number }
}

fn played() -> Event {
    Event::GreetingEnded { end: GreetingEnd::Played }
}

fn ask_with_proof() -> Effect {
    Effect::AskForVoice { proof: Proof::Given }
}

#[test]
fn a_pin_during_the_greeting_brings_the_voice_in_which_the_agent_speaks() {
    let mut story = greeted().then(asked(ProofWay::LegOrPin));
    assert_eq!((&story.call.voice, story.call.awaits_voice), (&Voice::Awaited, false));
    story.orders();
    let mut story = story.then(given(ProvedBy::Pin));
    assert_eq!(story.orders(), [ask_with_proof()]);
    let story = story.then(voice_ready()).then(played());
    assert_eq!(story.orders.last(), Some(&start(1, Rung::Transfer, Some("clone"))));
}

#[test]
fn a_pin_is_waited_for_after_the_greeting_and_the_clone_has_its_whole_time_after_that() {
    let mut story = greeted().then(asked(ProofWay::LegOrPin)).then(played());
    assert_eq!(story.call.phase, Phase::Holding);
    assert_eq!(story.orders().last(), Some(&Effect::PlayHold));
    let wait = story.call.policy.pin_wait;
    assert_eq!(story.call.deadline().map(|d| d.due), Some(story.call.at.plus(wait)));
    // A wrong one gives as long again for the next.
    let story = story.then(wrong(1));
    assert_eq!(story.call.deadline().map(|d| d.due), Some(story.call.at.plus(wait)));
    let story = story.then(given(ProvedBy::Pin));
    assert_eq!(
        story.call.deadline().map(|d| d.due),
        Some(story.call.at.plus(story.call.policy.clone_max_wait))
    );
}

#[test]
fn three_wrong_pins_or_none_in_time_leave_the_fallback_voice() {
    let holding = || greeted().then(asked(ProofWay::LegOrPin)).then(played());
    let two = holding().then(wrong(1)).then(wrong(1)).then(wrong(3)).then(wrong(2));
    assert_eq!((two.call.wrong_pins, &two.call.voice), (2, &Voice::Awaited));
    for story in [two.then(wrong(3)), holding().at_the_deadline()] {
        assert_eq!((&story.call.voice, story.call.proof), (&UNPROVEN, ProofState::Denied));
        assert_eq!(story.orders.last(), Some(&start(1, Rung::Transfer, Some("fallback"))));
    }
    // Too late, by whatever way; nor does a voice come from anywhere else.
    let late = greeted().then(asked(ProofWay::LegOrPin)).then(wrong(1)).then(wrong(2)).then(wrong(3));
    let late = late.then(given(ProvedBy::Pin)).then(given(ProvedBy::Leg)).then(voice_ready());
    assert_eq!((late.call.is_greeting(), &late.call.voice), (true, &UNPROVEN));
}

#[test]
fn a_connected_leg_without_proof_is_not_waited_for() {
    assert_eq!(greeted().then(asked(ProofWay::Leg)).call.voice, UNPROVEN);
    let announced = Story::of(policy(Route::Transfer)).then(asked(ProofWay::Leg));
    assert_eq!(announced.call.voice, Voice::Awaited, "its leg has not come");
    assert_eq!(announced.then(Event::LegConnected).call.voice, UNPROVEN);
    let mut proved = Story::of(policy(Route::Transfer)).then(asked(ProofWay::Leg));
    proved.orders();
    let mut proved = proved.then(given(ProvedBy::Leg)).then(Event::LegConnected);
    assert_eq!(proved.orders(), [ask_with_proof(), Effect::PlayGreeting]);
}

#[test]
fn proof_given_before_it_is_asked_for_counts() {
    let mut story = Story::of(policy(Route::Bridge)).then(given(ProvedBy::Leg)).then(Event::LegConnected);
    assert_eq!(story.orders(), [ask(), Effect::PlayGreeting]);
    let mut story = story.then(asked(ProofWay::Leg)).then(asked(ProofWay::Leg));
    assert_eq!(story.orders(), [ask_with_proof()]);
    let offered = Policy { proof: Proof::Given, ..policy(Route::Callback) };
    assert_eq!(Story::of(offered).orders(), [ask_with_proof(), Effect::DialGreeting]);
    // A PIN that nobody asked for proves nothing.
    let pin = greeted().then(given(ProvedBy::Pin));
    assert_eq!(pin.call.proof, ProofState::Unasked);
}

#[test]
fn a_callback_asks_for_no_pin() {
    for way in [ProofWay::Leg, ProofWay::LegOrPin] {
        assert_eq!(Story::of(policy(Route::Callback)).then(asked(way)).call.voice, UNPROVEN);
    }
}

#[test]
fn a_restart_keeps_the_proof_and_the_number_of_wrong_pins() {
    let resumed = |generation| Event::Resumed { generation, leg: LegSeen::None };
    let mut story = greeted().then(asked(ProofWay::LegOrPin)).then(wrong(1)).then(wrong(2)).then(resumed(1));
    assert_eq!(story.call.wrong_pins, 2);
    assert!(story.call.awaits_pin());
    assert!(!story.orders()[2..].contains(&ask()), "the PIN is what is waited for");
    let story = story.then(Event::LegConnected).then(wrong(3));
    assert_eq!(story.call.voice, UNPROVEN);
    let mut proved = greeted().then(asked(ProofWay::LegOrPin)).then(given(ProvedBy::Pin));
    proved.orders();
    let mut proved = proved.then(resumed(1));
    assert_eq!(proved.orders(), [ask_with_proof()]);
}

#[test]
fn the_short_wait_for_a_voice_begins_with_the_proof() {
    let start = VoiceWait::Start { after: Duration::from_secs(8) };
    let story = Story::of(Policy { voice_wait: start, ..policy(Route::Transfer) }).then(Event::LegConnected);
    let story = story.then(asked(ProofWay::LegOrPin)).then(played());
    let wait = story.call.policy.pin_wait;
    assert_eq!(story.call.deadline().map(|d| d.due), Some(story.call.at.plus(wait)));
    let story = story.then(given(ProvedBy::Pin));
    assert_eq!(story.call.deadline().map(|d| d.due), Some(At(story.call.at.0 + 8 * SECOND)));
}

#[test]
fn a_call_without_proof_still_waits_for_the_operator() {
    let manual = Policy { auto_transition: false, ..policy(Route::Transfer) };
    let story = Story::of(manual).then(Event::LegConnected).then(played()).then(asked(ProofWay::LegOrPin));
    let story = story.at_the_deadline();
    assert_eq!((story.call.phase, &story.call.voice), (Phase::Holding, &UNPROVEN));
    assert_eq!(story.call.deadline().map(|d| d.due), Some(At(35 * SECOND)));
    assert!(matches!(story.at_the_deadline().call.phase, Phase::HandingOff(_)));
}

#[test]
fn a_call_to_a_person_or_without_the_notice_does_not_wait_for_a_pin() {
    let story = greeted().then(asked(ProofWay::LegOrPin)).then(Event::DtmfReceived { key: '0' });
    assert_eq!(story.orders.last(), Some(&start(1, Rung::Destination, Some("fallback"))));
    assert!(!story.call.awaits_pin());
    let noticed = Policy { notice: Some(Arc::from(NOTICE)), ..policy(Route::Transfer) };
    let story = Story::of(noticed).then(Event::LegConnected).then(asked(ProofWay::LegOrPin)).then(played());
    assert_eq!(story.call.tried, [Rung::Destination]);
}
