//! Attempts that cost nothing: after a restart of precall, and after an agent that hung up before the caller heard it.

use precall_call::{AgentLoss, Blame, Cause, Effect, Event, LegSeen, Policy, Rung, Told};

use crate::bridge::{bridge, give_up, greeted, lost, played, ready, sales, talking};
use crate::stories::start;
use crate::vocabulary::voice_ready;

fn restart(generation: u64) -> Event {
    Event::Resumed { generation, leg: LegSeen::Present }
}

#[test]
fn every_restart_brings_the_agent_back_in_the_cloned_voice() {
    let mut story = talking();
    for generation in 1..=20 {
        let attempt = u8::try_from(generation).unwrap() + 1;
        story = story.then(restart(generation));
        assert_eq!(story.orders().last(), Some(&start(attempt, Rung::BridgeCloned, Some("clone"))));
        // The same start tells it once.
        story = story.then(restart(generation));
        assert_eq!(story.orders(), []);
        // Some of them come while the session is opened again, and others in mid-conversation.
        if generation % 3 > 0 {
            story = story.then(ready(attempt));
        }
        story.orders();
    }
    assert_eq!(story.call.retries, 0);
    let mut story = story.then(ready(21)).then(lost(21, AgentLoss::Lost));
    let again = start(22, Rung::BridgeCloned, Some("clone"));
    assert_eq!(story.orders().last(), Some(&again), "what is lost later is still called again");
}

#[test]
fn a_leg_that_is_seen_again_long_after_the_restart_gets_its_agent_back() {
    let mut story = talking();
    for generation in 1..=4 {
        story = story.then(Event::Resumed { generation, leg: LegSeen::None });
        assert_eq!(story.orders().last(), None, "nobody knows yet whether the leg is there");
        let attempt = u8::try_from(generation).unwrap() + 1;
        story = story.then(Event::LegConnected);
        assert_eq!(story.orders().last(), Some(&start(attempt, Rung::BridgeCloned, Some("clone"))));
        story = story.then(ready(attempt));
        story.orders();
    }
}

#[test]
fn restarts_while_the_agent_is_made_ready_or_a_person_is_called_cost_no_rung() {
    let mut story = greeted(bridge()).then(voice_ready());
    for generation in 1..=4 {
        story = story.then(restart(generation));
        assert_eq!(story.call.tried.last(), Some(&Rung::BridgeCloned));
    }
    // The last rung but the apology: a person who was being called is called again, and the caller is not sent away.
    for rung in [Rung::Transfer, Rung::Destination] {
        let without_bridge = Policy { has_bridge: false, has_transfer: rung == Rung::Transfer, ..bridge() };
        let mut story = greeted(without_bridge).then(voice_ready()).then(played());
        for generation in 1..=4 {
            assert_eq!(story.call.tried.last(), Some(&rung));
            story = story.then(restart(generation));
        }
        let after = story.call.latest_attempt();
        let reached = story.then(Event::HandoffSucceeded { attempt: after, conversation: None });
        assert_eq!(reached.call.tried.len(), 5);
    }
    // A caller whom an agent was to come back to, while a person was called.
    let mut story = talking().then(sales()).then(restart(1));
    assert_eq!(story.orders().last(), Some(&start(3, Rung::BridgeCloned, Some("clone"))));
}

#[test]
fn losses_between_restarts_still_count() {
    let mut story = talking();
    for (generation, attempt) in [(1, 1), (2, 3)] {
        story = story.then(lost(attempt, AgentLoss::OverrideRefused)).then(ready(attempt + 1));
        story = story.then(restart(generation)).then(ready(attempt + 2));
    }
    assert_eq!((story.call.retries, story.call.tried.last()), (2, Some(&Rung::BridgeCloned)));
    story.orders();
    let mut story = story.then(lost(5, AgentLoss::OverrideRefused));
    assert_eq!(story.orders().last(), Some(&start(6, Rung::BridgeFallback, Some("fallback"))));
}

fn ended(attempt: u8) -> Event {
    Event::AgentEnded { attempt }
}

#[test]
fn an_agent_that_hangs_up_unheard_is_called_once_more_and_then_a_person_comes() {
    let mut story = talking().then(ended(1));
    let again = start(2, Rung::BridgeCloned, Some("clone"));
    assert_eq!(story.orders(), [give_up(1), Effect::PlayHold, again]);
    let mut story = story.then(ready(2)).then(ended(2));
    assert_eq!(story.orders().last(), Some(&start(3, Rung::Destination, Some("fallback"))));
    assert_eq!(story.call.retries, 0, "nothing was lost");
    let person = story.then(Event::HandoffSucceeded { attempt: 3, conversation: None });
    assert_eq!(person.ended(), (Cause::AgentEnded, Some(Blame::Provider), Told::Person));
    assert!(!person.call.had_agent());
}

#[test]
fn the_same_while_the_greeting_plays() {
    let mut story = greeted(bridge()).then(voice_ready()).then(ready(1)).then(ended(1));
    assert_eq!(story.orders().last(), Some(&start(2, Rung::BridgeCloned, Some("clone"))));
    let mut story = story.then(ready(2)).then(ended(2));
    assert_eq!(story.orders(), [Effect::ReleaseSeat], "the greeting goes on");
    assert!(story.call.is_greeting());
    let mut story = story.then(played());
    assert_eq!(story.orders().last(), Some(&start(3, Rung::Destination, Some("fallback"))));
}

#[test]
fn without_a_person_the_ladder_goes_on_and_the_cause_is_true() {
    let alone = Policy { has_transfer: false, has_destination: false, ..bridge() };
    let story = greeted(alone).then(voice_ready()).then(played()).then(ready(1));
    let mut story = story.then(ended(1)).then(ready(2)).then(ended(2));
    assert_eq!(story.orders().last(), Some(&start(3, Rung::BridgeFallback, Some("fallback"))));
    let story = story.then(ready(3)).then(ended(3));
    let apology = story.then(Event::HandoffSucceeded { attempt: 4, conversation: None });
    assert_eq!(apology.ended(), (Cause::AgentEnded, Some(Blame::Provider), Told::Apology));
}

#[test]
fn an_agent_that_spoke_may_hang_up_and_one_that_follows_it_may_not_do_so_unheard() {
    let story = talking().then(ended(1)).then(ready(2)).then(Event::AgentSpoke { attempt: 2 });
    assert_eq!(story.call.unheard_ends, 0);
    assert_eq!(story.then(ended(2)).ended(), (Cause::AgentEnded, None, Told::Goodbye));
    let lost_later = talking().then(Event::AgentSpoke { attempt: 1 }).then(lost(1, AgentLoss::Lost));
    let mut story = lost_later.then(ready(2)).then(ended(2));
    assert_eq!(story.orders().last(), Some(&start(3, Rung::BridgeCloned, Some("clone"))));
}

#[test]
fn a_call_of_an_earlier_version_keeps_its_rules() {
    let earlier = || {
        let policy = Policy { free_retries: false, ..bridge() };
        greeted(policy).then(voice_ready()).then(played()).then(ready(1))
    };
    assert_eq!(earlier().then(ended(1)).ended(), (Cause::AgentEnded, None, Told::Goodbye));
    let mut story = earlier();
    for (generation, rung) in [(1, Rung::BridgeCloned), (2, Rung::BridgeCloned), (3, Rung::BridgeFallback)] {
        story = story.then(restart(generation));
        assert_eq!(story.call.tried.last(), Some(&rung));
        story = story.then(ready(u8::try_from(generation).unwrap() + 1));
    }
    assert_eq!(story.call.retries, 2);
    // A second agent that was heard changed nothing then, and a log that lacks the event is still whole.
    let spoke = |attempt| Event::AgentSpoke { attempt };
    let story = earlier().then(spoke(1)).then(lost(1, AgentLoss::Lost)).then(ready(2));
    let version = story.call.version;
    assert_eq!(story.then(spoke(2)).call.version, version);
}
