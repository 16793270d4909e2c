//! The agent on the caller's own leg as a person would tell it: made ready early, lost, opened again, and parked
//! while a person is called.

use std::sync::Arc;

use precall_call::{
    AgentLoss, Attempt, Blame, CallPart, Cause, Conversing, Effect, Event, GreetingEnd, HandoffFailure,
    LegSeen, NoVoice, Person, Phase, Policy, Route, Rung, Speaker, Told, Voice,
};

use crate::stories::{Story, start};
use crate::vocabulary::{NOTICE, PERSON, agent_id, policy, voice_ready};

pub fn bridge() -> Policy {
    policy(Route::Bridge)
}

pub fn greeted(policy: Policy) -> Story {
    let mut story =
        Story::of(policy).then(Event::LegConnected).then(Event::GreetingStarted { conversation: None });
    story.orders();
    story
}

pub fn played() -> Event {
    Event::GreetingEnded { end: GreetingEnd::Played }
}

pub fn ready(attempt: u8) -> Event {
    Event::HandoffSucceeded { attempt, conversation: Some(agent_id()) }
}

pub fn failed(attempt: u8, why: HandoffFailure) -> Event {
    Event::HandoffFailed { attempt, why }
}

pub fn lost(attempt: u8, why: AgentLoss) -> Event {
    Event::AgentLost { attempt, why }
}

fn with(number: u8, rung: Rung) -> Phase {
    Phase::Conversing(Conversing { attempt: Attempt { number, rung }, looked_up: false })
}

pub fn sales() -> Event {
    Event::PersonAsked { number: 1, person: Person::Named(Arc::from(PERSON)) }
}

fn connect(attempt: u8) -> Effect {
    Effect::ConnectAgent { attempt }
}

pub fn give_up(attempt: u8) -> Effect {
    Effect::CancelHandoff { attempt }
}

pub fn talking() -> Story {
    let mut story = greeted(bridge()).then(voice_ready()).then(ready(1)).then(played());
    assert_eq!(story.call.phase, with(1, Rung::BridgeCloned));
    story.orders();
    story
}

#[test]
fn an_agent_whose_voice_is_known_is_made_ready_while_the_greeting_is_heard_and_speaks_at_its_end() {
    let mut story = greeted(bridge()).then(voice_ready());
    assert_eq!(story.orders(), [start(1, Rung::BridgeCloned, Some("clone"))]);
    assert!(story.call.is_greeting());
    let mut story = story.then(ready(1));
    assert_eq!(story.orders(), [], "nobody talks into the greeting");
    let mut story = story.then(played());
    assert_eq!(story.orders(), [connect(1)], "not a bar of music between the two");
    assert_eq!(story.call.phase, with(1, Rung::BridgeCloned));
    assert!(!story.call.had_agent(), "the caller has not heard it yet");
    assert!(story.then(Event::AgentSpoke { attempt: 1 }).call.had_agent());
}

#[test]
fn only_the_running_attempt_is_wanted() {
    let story = greeted(bridge()).then(voice_ready());
    assert!(story.call.is_attempting(1) && !story.call.is_attempting(2), "made ready during the greeting");
    let story = story.then(failed(1, HandoffFailure::Refused));
    assert!(!story.call.is_attempting(1), "it failed");
    let story = story.then(played());
    assert!(story.call.is_attempting(2), "the next rung");
    assert!(!story.then(Event::LegGone).call.is_attempting(1));
}

#[test]
fn the_caller_hears_music_while_the_agent_is_not_ready_after_the_greeting() {
    let mut story = greeted(bridge()).then(voice_ready()).then(played());
    assert_eq!(story.orders(), [start(1, Rung::BridgeCloned, Some("clone")), Effect::PlayHold]);
    let mut story = story.then(ready(1));
    assert_eq!(story.orders(), [connect(1)]);
}

#[test]
fn no_agent_is_made_ready_before_the_notice_was_heard() {
    let noticed = Policy { notice: Some(Arc::from(NOTICE)), ..bridge() };
    let mut story = greeted(noticed).then(voice_ready());
    assert_eq!(story.orders(), []);
    let mut story = story.then(Event::NoticeEnded { version: Arc::from(NOTICE) });
    assert_eq!(story.orders(), [start(1, Rung::BridgeCloned, Some("clone"))]);
}

#[test]
fn a_voice_that_comes_on_hold_begins_the_handoff_then() {
    let mut story = greeted(bridge()).then(played()).then(voice_ready());
    let started = start(1, Rung::BridgeCloned, Some("clone"));
    assert_eq!(story.orders(), [Effect::PlayHold, started]);
    assert_eq!(story.then(ready(1)).orders().last(), Some(&connect(1)));
}

#[test]
fn a_refused_voice_leads_to_the_next_rung_while_the_greeting_still_plays() {
    let mut story = greeted(bridge()).then(voice_ready()).then(failed(1, HandoffFailure::Refused));
    assert_eq!(story.orders().last(), Some(&start(2, Rung::BridgeFallback, Some("fallback"))));
    let mut story = story.then(ready(2)).then(played());
    assert_eq!(story.orders().last(), Some(&connect(2)));
}

#[test]
fn a_late_clone_replaces_an_early_agent_in_the_fallback_voice() {
    let story = greeted(bridge()).then(Event::VoiceMissing { why: NoVoice::CloneFailed, job: None });
    let mut story = story.then(ready(1));
    story.orders();
    let mut story = story.then(voice_ready());
    assert_eq!(story.orders(), [give_up(1), start(2, Rung::BridgeCloned, Some("clone"))]);
}

#[test]
fn keys_during_the_greeting_bring_the_ready_agent_or_a_person() {
    let ready_early = || greeted(bridge()).then(voice_ready()).then(ready(1));
    let mut skipped = ready_early().then(Event::DtmfReceived { key: '1' });
    assert_eq!(skipped.orders().last(), Some(&connect(1)));
    let mut person = ready_early().then(Event::DtmfReceived { key: '0' });
    let orders = person.orders();
    assert!(orders.contains(&give_up(1)));
    assert_eq!(orders.last(), Some(&start(2, Rung::Destination, Some("fallback"))));
}

#[test]
fn the_call_ends_when_agent_caller_or_deadline_ends_it() {
    let ended = talking().then(Event::AgentSpoke { attempt: 1 }).then(Event::AgentEnded { attempt: 1 });
    assert_eq!(ended.ended(), (Cause::AgentEnded, None, Told::Goodbye));
    assert_eq!(ended.orders, [Effect::StopAudio, Effect::DropLeg, Effect::ReleaseSeat]);
    let hung_up = talking().then(Event::AgentSpoke { attempt: 1 }).then(Event::LegGone);
    assert_eq!(hung_up.orders, [Effect::StopAudio], "the agent's socket closes with the audio, at once");
    let hung_up = hung_up.at_the_deadline();
    assert_eq!(hung_up.ended(), (Cause::CallerHungUp, Some(Blame::Caller), Told::Nothing));
    assert!(hung_up.call.had_agent());
    assert_eq!(talking().at_the_deadline().ended().0, Cause::MaxDuration);
}

#[test]
fn a_lost_agent_is_called_again_once_and_then_the_ladder_goes_on() {
    let mut story = talking().then(lost(1, AgentLoss::Lost));
    let again = start(2, Rung::BridgeCloned, Some("clone"));
    assert_eq!(story.orders(), [give_up(1), Effect::PlayHold, again]);
    let mut story = story.then(ready(2));
    assert_eq!(story.orders(), [connect(2)]);
    let mut story = story.then(lost(1, AgentLoss::Lost));
    assert_eq!(story.orders(), [], "that was the one before");
    let mut story = story.then(lost(2, AgentLoss::Lost));
    assert_eq!(story.orders().last(), Some(&start(3, Rung::BridgeFallback, Some("fallback"))));
    let story = story.then(failed(3, HandoffFailure::Unknown)).then(failed(4, HandoffFailure::NoAnswer));
    let story = story.then(Event::HandoffSucceeded { attempt: 5, conversation: None });
    assert_eq!(story.ended(), (Cause::AgentLost, Some(Blame::Provider), Told::Person));
}

#[test]
fn an_agent_that_is_refused_is_not_called_again() {
    let why = AgentLoss::Refused;
    let mut story = talking().then(lost(1, why));
    assert_eq!(story.orders().last(), Some(&start(2, Rung::BridgeFallback, Some("fallback"))));
    let alone = Policy { has_transfer: false, has_destination: false, ..bridge() };
    let mut story = greeted(alone).then(voice_ready()).then(played()).then(ready(1)).then(lost(1, why));
    story = story.then(failed(2, HandoffFailure::Unknown));
    let apology = story.then(Event::HandoffSucceeded { attempt: 3, conversation: None });
    assert_eq!(apology.ended(), (Cause::AgentLost, Some(Blame::Provider), Told::Apology));
}

#[test]
fn an_agent_that_never_speaks_is_called_once_more_and_then_the_next_rung_and_a_person_follow() {
    let silent = AgentLoss::Stalled;
    let mut story = talking().then(lost(1, silent));
    let orders = story.orders();
    assert!(orders.contains(&Effect::PlayHold), "the caller hears music meanwhile");
    assert_eq!(orders.last(), Some(&start(2, Rung::BridgeCloned, Some("clone"))), "the second attempt");
    let mut story = story.then(ready(2)).then(lost(2, silent));
    assert_eq!(story.orders().last(), Some(&start(3, Rung::BridgeFallback, Some("fallback"))));
    let mut story = story.then(ready(3)).then(lost(3, silent));
    assert_eq!(story.orders().last(), Some(&start(4, Rung::Transfer, Some("clone"))));
    let story = story.then(failed(4, HandoffFailure::NoAnswer));
    assert_eq!(story.call.tried.last(), Some(&Rung::Destination));
    let person = story.then(Event::HandoffSucceeded { attempt: 5, conversation: None });
    assert_eq!(person.ended(), (Cause::AgentStalled, Some(Blame::Provider), Told::Person));
}

#[test]
fn a_session_that_goes_on_with_a_conversation_is_known_as_one() {
    let story = talking();
    assert!(!story.call.continues_conversation(), "nobody has said a word yet");
    let stranger = talking().then(Event::AgentSpoke { attempt: 7 });
    assert!(!stranger.call.continues_conversation(), "that agent is not on the leg");
    let story = story.then(Event::AgentSpoke { attempt: 1 });
    assert!(story.call.continues_conversation() && story.call.instants.agent_heard.is_some());
    let story = story.then(lost(1, AgentLoss::Lost)).then(ready(2));
    assert!(story.call.continues_conversation());
    let heard = Event::Utterance { number: 1, by: Speaker::Agent, corrects: None };
    assert!(talking().then(heard).call.continues_conversation(), "an older log has no first word");
}

#[test]
fn all_sessions_of_a_call_together_last_no_longer_than_one_conversation() {
    let due = talking().call.deadlines.conversation;
    let again = talking().then(lost(1, AgentLoss::Lost)).then(ready(2));
    assert_eq!(again.call.deadlines.conversation, due);
}

#[test]
fn a_refused_override_is_left_out_of_the_next_attempt_on_the_same_rung() {
    // While the greeting plays.
    let story = greeted(bridge()).then(voice_ready()).then(failed(1, HandoffFailure::OverrideRefused));
    assert_eq!(story.call.tried, [Rung::BridgeCloned, Rung::BridgeCloned]);
    // After it.
    let story = greeted(bridge()).then(voice_ready()).then(played());
    let story = story.then(failed(1, HandoffFailure::OverrideRefused));
    assert_eq!(story.call.tried, [Rung::BridgeCloned, Rung::BridgeCloned]);
    // In a session that was open already.
    let mut story = talking().then(lost(1, AgentLoss::OverrideRefused));
    assert_eq!(story.orders().last(), Some(&start(2, Rung::BridgeCloned, Some("clone"))));
    // A provider that refuses whatever is sent does not hold the caller for ever.
    let mut story = greeted(bridge()).then(voice_ready()).then(played());
    for attempt in 1..=4 {
        story = story.then(failed(attempt, HandoffFailure::OverrideRefused));
    }
    assert_eq!(story.call.tried.last(), Some(&Rung::Transfer));
}

#[test]
fn an_agent_whose_voice_cannot_be_set_speaks_with_its_own() {
    for while_greeting in [true, false] {
        let story = greeted(bridge()).then(voice_ready());
        let story = if while_greeting { story } else { story.then(played()) };
        let mut story = story.then(failed(1, HandoffFailure::VoiceRefused));
        assert_eq!(story.call.voice, Voice::Fallback(NoVoice::OverrideRefused));
        assert_eq!(story.orders().last(), Some(&start(2, Rung::BridgeFallback, Some("fallback"))));
        assert!(!story.call.tried.contains(&Rung::Transfer), "the agent itself is there to be had");
    }
}

#[test]
fn a_person_is_called_while_the_agent_waits_and_takes_the_call() {
    let mut story = talking().then(sales());
    let person = Some(Person::Named(Arc::from(PERSON)));
    let call = Effect::StartHandoff { attempt: 2, rung: Rung::Person, voice: None, person };
    assert_eq!(story.orders(), [Effect::PlayHold, call]);
    let reached = story.then(Event::HandoffSucceeded { attempt: 2, conversation: None });
    assert_eq!(reached.ended(), (Cause::Completed, None, Told::Person));
}

#[test]
fn a_person_who_is_not_reached_leaves_the_caller_with_the_agent() {
    let due = talking().call.deadlines.conversation;
    let mut story = talking().then(sales());
    story.orders();
    let mut story = story.then(failed(2, HandoffFailure::Busy));
    assert_eq!(story.orders(), [Effect::ReturnToAgent { attempt: 1, why: HandoffFailure::Busy }]);
    assert_eq!(story.call.phase, with(1, Rung::BridgeCloned));
    assert_eq!(story.call.deadlines.conversation, due, "the longest conversation is not longer for it");
    // The key does the same, with the person it stands for.
    let mut story = story.then(Event::DtmfReceived { key: '0' });
    let call =
        Effect::StartHandoff { attempt: 3, rung: Rung::Person, voice: None, person: Some(Person::Fallback) };
    assert_eq!(story.orders(), [Effect::PlayHold, call]);
    let mut story = story.at_the_deadline();
    assert_eq!(
        story.orders(),
        [give_up(3), Effect::ReturnToAgent { attempt: 1, why: HandoffFailure::Unknown }]
    );
}

#[test]
fn a_person_who_is_not_configured_is_not_called() {
    let nobody = Event::PersonAsked { number: 1, person: Person::Named(Arc::from("+15551234567")) };
    let mut story = talking().then(nobody);
    assert_eq!(story.orders(), [Effect::ReturnToAgent { attempt: 1, why: HandoffFailure::Refused }]);
    assert_eq!(story.call.phase, with(1, Rung::BridgeCloned));
}

#[test]
fn the_caller_does_not_return_to_an_agent_that_left_while_a_person_was_called() {
    let ended = (Event::AgentEnded { attempt: 1 }, start(3, Rung::BridgeFallback, Some("fallback")));
    let lost = (lost(1, AgentLoss::Lost), start(3, Rung::BridgeCloned, Some("clone")));
    for (gone, next) in [ended, lost] {
        let mut story = talking().then(sales()).then(gone);
        story.orders();
        assert!(matches!(story.call.phase, Phase::HandingOff(_)), "the person may still come");
        let mut story = story.then(failed(2, HandoffFailure::NoAnswer));
        assert_eq!(story.orders().last(), Some(&next));
    }
}

#[test]
fn a_leg_that_moves_and_a_restart_and_a_panic_open_the_same_bridge_again() {
    let again = start(2, Rung::BridgeCloned, Some("clone"));
    let moved = talking().then(Event::LegGone).then(Event::LegConnected);
    assert_eq!(moved.orders.last(), Some(&again));
    let restarted = talking().then(Event::Resumed { generation: 1, leg: LegSeen::Present });
    assert_eq!(restarted.orders.last(), Some(&again));
    let panicked = talking().then(Event::Panicked { part: CallPart::Greeting, ordinal: 1 });
    assert_eq!(panicked.orders, [Effect::PlayHold, again]);
}

#[test]
fn utterances_are_counted_and_change_nothing_else() {
    let line = |number| Event::Utterance { number, by: Speaker::Caller, corrects: None };
    let story = talking().then(line(1)).then(line(1)).then(line(3)).then(line(2));
    assert_eq!(story.call.utterances, 2);
    assert_eq!(story.call.phase, with(1, Rung::BridgeCloned));
}

fn withdrawn() -> Event {
    Event::VoiceWithdrawn { why: NoVoice::NoConsent }
}

#[test]
fn a_voice_that_is_withdrawn_in_mid_conversation_gives_way_to_the_fallback_voice() {
    let mut story = talking().then(withdrawn());
    let again = start(2, Rung::BridgeFallback, Some("fallback"));
    assert_eq!(story.orders(), [give_up(1), Effect::LetVoiceGo, Effect::PlayHold, again]);
    assert_eq!(story.call.voice, Voice::Fallback(NoVoice::NoConsent));
    let mut story = story.then(ready(2));
    assert_eq!(story.orders(), [connect(2)]);
    assert_eq!(story.call.phase, with(2, Rung::BridgeFallback));
}

#[test]
fn a_voice_that_is_withdrawn_while_its_agent_is_made_ready_is_never_heard() {
    let mut story = greeted(bridge()).then(voice_ready()).then(ready(1));
    story.orders();
    let mut story = story.then(withdrawn());
    let other = start(2, Rung::BridgeFallback, Some("fallback"));
    assert_eq!(story.orders(), [give_up(1), Effect::LetVoiceGo, other]);
    let mut story = story.then(ready(2)).then(played());
    assert_eq!(story.orders(), [connect(2)]);
}

#[test]
fn the_caller_does_not_return_to_a_parked_agent_with_a_withdrawn_voice() {
    let mut story = talking().then(sales());
    story.orders();
    let mut story = story.then(withdrawn());
    assert_eq!(story.orders(), [give_up(1), Effect::LetVoiceGo, Effect::ReleaseSeat]);
    let mut story = story.then(failed(2, HandoffFailure::NoAnswer));
    assert_eq!(story.orders().last(), Some(&start(3, Rung::BridgeFallback, Some("fallback"))));
}

#[test]
fn a_transferred_conversation_goes_on_in_a_withdrawn_voice() {
    let transferred = Policy { has_bridge: false, ..policy(Route::Transfer) };
    let story = greeted(transferred).then(voice_ready()).then(played());
    let mut story = story.then(Event::HandoffSucceeded { attempt: 1, conversation: None });
    story.orders();
    let mut story = story.then(withdrawn());
    assert_eq!(story.orders(), []);
    assert!(matches!(story.call.voice, Voice::Cloned(_)));
}
