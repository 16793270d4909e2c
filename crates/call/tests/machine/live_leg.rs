//! Calls on a live leg as a person would tell them: the notice, keys, legs that go and come back, routing, lost audio.

use std::sync::Arc;
use std::time::Duration;

use precall_call::{
    Attempt, Blame, CallPart, Cause, Conversing, Effect, Event, GreetingEnd, HandoffFailure, Leg, LegSeen,
    Phase, Policy, Request, Route, Rung, Told,
};

use crate::stories::{Story, ask, start};
use crate::vocabulary::{NOTICE, SECOND, policy, voice_ready};

fn conversing(number: u8, rung: Rung) -> Phase {
    Phase::Conversing(Conversing { attempt: Attempt { number, rung }, looked_up: false })
}

fn noticed() -> Policy {
    Policy { notice: Some(Arc::from(NOTICE)), ..policy(Route::Transfer) }
}

fn greeted(policy: Policy) -> Story {
    Story::of(policy).then(Event::LegConnected).then(Event::GreetingStarted { conversation: None })
}

fn notice_ended() -> Event {
    Event::NoticeEnded { version: Arc::from(NOTICE) }
}

fn played() -> Event {
    Event::GreetingEnded { end: GreetingEnd::Played }
}

fn key(key: char) -> Event {
    Event::DtmfReceived { key }
}

fn failed(attempt: u8, why: HandoffFailure) -> Event {
    Event::HandoffFailed { attempt, why }
}

fn succeeded(attempt: u8) -> Event {
    Event::HandoffSucceeded { attempt, conversation: None }
}

#[test]
fn bridge_climbs_down_its_whole_ladder_and_apologises() {
    let mut story = Story::of(policy(Route::Bridge)).then(Event::LegConnected).then(voice_ready());
    story = story.then(Event::GreetingEnded { end: GreetingEnd::Played });
    for attempt in 1..=4 {
        story = story.then(Event::HandoffFailed { attempt, why: HandoffFailure::Refused });
    }
    let ladder = policy(Route::Bridge);
    assert_eq!(story.call.tried, ladder.ladder());
    assert_eq!(story.orders.last(), Some(&Effect::PlayApology { attempt: 5 }));
    let story = story.then(Event::HandoffSucceeded { attempt: 5, conversation: None });
    assert_eq!(story.ended(), (Cause::HandoffFailed, Some(Blame::Provider), Told::Apology));
    assert_eq!(story.orders.last(), Some(&Effect::DropLeg));
}

#[test]
fn a_leg_that_goes_while_it_is_routed_was_probably_delivered() {
    let story = Story::of(policy(Route::Transfer)).then(Event::LegConnected).then(voice_ready());
    let story = story.then(Event::GreetingEnded { end: GreetingEnd::Played }).then(Event::LegGone);
    assert!(matches!(story.call.phase, Phase::HandingOff(_)));
    assert_eq!(story.at_the_deadline().call.phase, conversing(1, Rung::Transfer));
}

#[test]
fn a_webhook_whose_leg_never_appears_is_released() {
    let story = Story::of(policy(Route::Bridge)).at_the_deadline();
    assert_eq!(story.ended(), (Cause::NoLeg, Some(Blame::Pbx), Told::Nothing));
}

#[test]
fn a_ringing_leg_is_answered_once_and_greeted_when_it_is_connected() {
    let mut story = Story::of(noticed()).then(Event::LegRinging).then(Event::LegRinging);
    assert_eq!(story.orders(), [ask(), Effect::AnswerLeg]);
    let mut story = story.then(Event::LegConnected);
    assert_eq!(story.orders(), [Effect::PlayGreeting]);
    let ringing = Story::of(noticed())
        .then(Event::LegRinging)
        .then(Event::OperatorAsked { request: Request::HangUp, by: None });
    assert_eq!(ringing.orders.last(), Some(&Effect::DropLeg));
}

#[test]
fn no_key_skips_the_notice_and_the_key_for_a_person_works_after_it() {
    let mut story = greeted(noticed()).then(voice_ready()).then(key('1'));
    story.orders();
    let mut story = story.then(key('0'));
    assert_eq!(story.orders(), [], "nothing happens before the notice was heard");
    story = story.then(notice_ended());
    assert_eq!(story.orders().last(), Some(&start(1, Rung::Destination, Some("fallback"))));
    let mut story = story.then(succeeded(1));
    assert_eq!(story.orders(), [Effect::StopAudio, Effect::DropLeg]);
    assert_eq!(story.ended(), (Cause::Completed, None, Told::Person));
}

#[test]
fn the_skip_key_works_after_the_notice() {
    let mut story = greeted(noticed()).then(voice_ready()).then(notice_ended()).then(key('5'));
    story.orders();
    let mut story = story.then(key('1'));
    assert_eq!(story.orders(), [Effect::PlayHold, start(1, Rung::Transfer, Some("clone"))]);
}

#[test]
fn without_the_notice_no_agent_is_started() {
    let story = greeted(noticed()).then(voice_ready()).at_the_deadline();
    assert_eq!(story.call.tried, [Rung::Destination], "a person needs no notice");
    let story = story.then(failed(1, HandoffFailure::Busy)).then(succeeded(2));
    assert_eq!(story.call.tried, [Rung::Destination, Rung::Apology]);
    assert_eq!(story.ended().2, Told::Apology);
}

#[test]
fn a_key_for_a_person_while_the_leg_is_routed_is_remembered_for_the_next_attempt() {
    let mut story = greeted(noticed()).then(notice_ended()).then(voice_ready()).then(played());
    assert!(matches!(story.call.phase, Phase::HandingOff(_)));
    story.orders();
    let mut story = story.then(key('0'));
    assert_eq!(story.orders(), []);
    story = story.then(failed(1, HandoffFailure::Busy));
    assert_eq!(story.orders(), [Effect::ReleaseSeat, start(2, Rung::Destination, Some("fallback"))]);
}

#[test]
fn a_hang_up_stops_the_audio_at_once_and_ends_the_call_when_nobody_came_back() {
    let mut story = greeted(noticed());
    story.orders();
    let mut story = story.then(Event::LegGone);
    assert_eq!(story.orders(), [Effect::StopAudio]);
    let gone_at = story.call.at;
    let mut story = story.at_the_deadline();
    assert_eq!(story.ended(), (Cause::CallerHungUp, Some(Blame::Caller), Told::Nothing));
    assert_eq!(story.orders(), [Effect::StopWaiting]);
    assert_eq!(story.call.at.0 - gone_at.0, 2 * SECOND);
}

#[test]
fn a_leg_that_comes_back_under_another_id_is_not_greeted_twice() {
    let away = || greeted(noticed()).then(notice_ended()).then(voice_ready()).then(Event::LegGone);
    let mut story = away();
    story.orders();
    let mut story = story.then(Event::LegConnected);
    assert_eq!(story.orders(), [Effect::PlayHold, start(1, Rung::Transfer, Some("clone"))]);
    let before_the_notice = greeted(noticed()).then(Event::LegGone).then(Event::LegConnected);
    assert_eq!(before_the_notice.orders.last(), Some(&Effect::PlayGreeting), "the notice is heard whole");
}

#[test]
fn nothing_starts_while_the_leg_is_away() {
    let mut story = greeted(noticed()).then(notice_ended()).then(played()).then(Event::LegGone);
    story.orders();
    let mut story = story.then(voice_ready());
    assert_eq!(story.orders(), []);
    story = story.at_the_deadline();
    assert_eq!(story.ended().0, Cause::CallerHungUp);
}

#[test]
fn the_answer_of_a_routing_decides_and_without_one_the_leg_does() {
    let routing = || greeted(noticed()).then(notice_ended()).then(voice_ready()).then(played());
    let mut answered = routing().then(succeeded(1));
    assert_eq!(answered.call.phase, conversing(1, Rung::Transfer));
    assert_eq!(answered.orders().split_off(4), [Effect::StopAudio, Effect::DropLeg]);
    let over = routing().then(failed(1, HandoffFailure::CallOver));
    assert_eq!(over.ended().0, Cause::CallerHungUp);
    let lost = routing().then(failed(1, HandoffFailure::Unknown));
    assert_eq!(lost.call.tried.len(), 2, "the leg is still ours: the next rung");
    let lost_and_gone = routing().then(Event::LegGone).then(failed(1, HandoffFailure::Unknown));
    assert_eq!(lost_and_gone.call.phase, conversing(1, Rung::Transfer));
    let back = routing().then(Event::LegGone).then(Event::LegConnected);
    assert_eq!(back.call.tried.len(), 2, "who was routed away and comes back is taken further");
}

#[test]
fn when_audio_is_lost_a_rung_that_needs_no_audio_follows() {
    let story = Story::of(noticed()).then(Event::LegConnected).then(Event::AudioLost);
    assert_eq!(story.call.tried, [Rung::Destination]);
    let story = story.then(succeeded(1));
    assert_eq!(story.ended(), (Cause::ReachedPerson, Some(Blame::Pbx), Told::Person));
    let alone = Policy { has_destination: false, has_transfer: false, ..noticed() };
    let story = Story::of(alone).then(Event::LegConnected).then(Event::AudioLost);
    assert_eq!(story.ended(), (Cause::GreetingFailed, Some(Blame::Pbx), Told::Nothing));
}

#[test]
fn after_a_restart_the_leg_tells_whether_the_call_goes_on() {
    let resumed = |leg| Event::Resumed { generation: 2, leg };
    let holding = || greeted(noticed()).then(notice_ended()).then(played());
    let mut story = holding();
    story.orders();
    let mut story = story.then(resumed(LegSeen::None));
    assert_eq!(story.orders(), [ask()], "no audio before the leg was seen");
    let mut story = story.then(Event::LegConnected);
    assert_eq!(story.orders(), [Effect::PlayHold]);
    assert_eq!(holding().then(resumed(LegSeen::Gone)).ended().0, Cause::LostInRestart);
    let not_listed = holding().then(resumed(LegSeen::None)).then(Event::LegGone);
    assert_eq!(not_listed.ended().0, Cause::LostInRestart);
    let soon = Policy { list_max: Some(Duration::from_secs(1)), ..noticed() };
    let never_seen = greeted(soon).then(notice_ended()).then(played());
    let never_seen = never_seen.then(resumed(LegSeen::None)).at_the_deadline();
    assert_eq!(never_seen.ended(), (Cause::LostInRestart, Some(Blame::Precall), Told::Nothing));
}

#[test]
fn after_a_restart_a_call_waits_long_for_the_list_of_a_pbx_that_is_away() {
    let resumed = || Event::Resumed { generation: 2, leg: LegSeen::None };
    let waits = |policy| {
        let story = greeted(policy).then(resumed());
        story.call.deadlines.leg.unwrap().since(story.call.at)
    };
    assert_eq!(waits(noticed()), Duration::from_secs(300));
    // A log of an earlier version: its deadlines stay as they were.
    assert_eq!(waits(Policy { list_max: None, ..noticed() }), noticed().leg_max);
}

#[test]
fn a_call_whose_leg_was_routed_away_by_the_start_is_over() {
    let mut story = greeted(noticed()).then(Event::Resumed { generation: 2, leg: LegSeen::None });
    story.orders();
    let mut story = story.then(Event::LegRoutedAway);
    assert_eq!(story.call.leg, Leg::Gone);
    assert!(!story.orders().contains(&Effect::DropLeg), "a person has the caller");
    assert_eq!(story.ended(), (Cause::LostInRestart, Some(Blame::Precall), Told::Person));
    // A call back has no leg.
    let callback = Policy { route: Route::Callback, ..noticed() };
    assert!(!Story::of(callback).then(Event::LegRoutedAway).call.is_released());
}

#[test]
fn a_call_ended_webhook_does_not_take_a_leg_away_that_the_pbx_still_shows() {
    let ended = || Event::PbxCallEnded { duration: None };
    assert!(!greeted(noticed()).then(ended()).call.is_released());
    let never_came = Story::of(noticed()).then(ended());
    assert_eq!(never_came.ended().0, Cause::CallerHungUp);
}

#[test]
fn a_greeting_that_panics_during_the_notice_begins_again_and_later_gives_way_to_music() {
    let panic = || Event::Panicked { part: CallPart::Greeting, ordinal: 1 };
    assert_eq!(greeted(noticed()).then(panic()).orders.last(), Some(&Effect::PlayGreeting));
    let story = greeted(noticed()).then(notice_ended()).then(panic());
    assert_eq!(story.orders.last(), Some(&Effect::PlayHold));
    assert_eq!(story.call.phase, Phase::Holding);
}

#[test]
fn a_leg_that_cannot_be_answered_goes_to_a_person_while_it_rings() {
    let ringing = |policy| Story::of(policy).then(Event::LegRinging);
    let mut story = ringing(noticed()).then(Event::AnswerRefused);
    assert_eq!(story.orders().last(), Some(&start(1, Rung::Destination, Some("fallback"))));
    assert_eq!(story.call.leg, Leg::Ringing);
    let reached = story.then(succeeded(1));
    assert_eq!(reached.ended(), (Cause::ReachedPerson, Some(Blame::Pbx), Told::Person));
    // Nobody takes it: the leg is dropped after all.
    let story = ringing(noticed()).then(Event::AnswerRefused).then(failed(1, HandoffFailure::NoAnswer));
    let story = story.at_the_deadline();
    assert_eq!(story.ended(), (Cause::NoLeg, Some(Blame::Pbx), Told::Nothing));
    // Without a destination there is nothing to wait for.
    let alone = Policy { has_destination: false, ..noticed() };
    assert_eq!(ringing(alone).then(Event::AnswerRefused).ended().0, Cause::NoLeg);
    // The PBX answered nothing at all.
    let mut story = ringing(noticed()).at_the_deadline();
    assert_eq!(story.orders().last(), Some(&start(1, Rung::Destination, Some("fallback"))));
    // A leg that answers by itself meanwhile is not routed twice.
    let story = ringing(noticed()).then(Event::AnswerRefused).then(Event::LegConnected);
    assert_eq!(story.call.tried, [Rung::Destination]);
    assert_eq!(story.then(succeeded(1)).ended().0, Cause::ReachedPerson);
}

#[test]
fn a_conversation_whose_audio_the_pbx_stops_carrying_ends_as_the_pbxs_loss() {
    let talking = || {
        let bridge = Policy { has_destination: false, has_transfer: false, ..policy(Route::Bridge) };
        greeted(bridge).then(voice_ready()).then(played()).then(succeeded(1))
    };
    assert_eq!(talking().call.phase, conversing(1, Rung::BridgeCloned));
    let lost = talking().then(Event::AudioLost);
    assert_eq!(lost.ended(), (Cause::PbxLost, Some(Blame::Pbx), Told::Nothing));
}
