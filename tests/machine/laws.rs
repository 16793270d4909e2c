//! The laws, each by its name. The walk and the properties hold every step they make against all of them.

use precall_call::{
    At, Call, Dial, Effect, Event, Fact, Grade, Leg, Phase, Purpose, Rung, Step, facts, step,
};

/// Holds one step against every law of a single step.
pub fn check(before: &Call, event: &Event, now: At, taken: &Step) {
    released_is_absorbing(before, taken);
    released_is_a_fact_once(before, event, taken);
    the_same_event_twice_changes_nothing(event, now, taken);
    no_change_no_effect_no_version(before, taken);
    time_never_goes_back(before, taken);
    every_live_state_has_one_deadline(&taken.next);
    a_deadline_moves_the_call_on(&taken.next);
    a_stale_deadline_changes_nothing(before, event, now, taken);
    each_rung_at_most_once(&taken.next);
    a_dial_needs_its_own_intent(event, taken);
    no_dial_while_one_may_have_been_executed(before, taken);
    reports_only_rise(before, taken);
    audio_only_on_a_live_leg(taken);
    nothing_is_waited_for_after_the_end(&taken.next);
    a_clone_rung_needs_a_clone(taken);
    no_agent_before_the_notice_was_heard(taken);
    nothing_is_begun_while_the_leg_is_away(taken);
    what_cannot_be_heard_is_not_tried(taken);
}

fn released_is_absorbing(before: &Call, taken: &Step) {
    if before.is_released() {
        assert_eq!(before.phase, taken.next.phase, "a released call changed its phase");
        assert_eq!(taken.effects, [], "a released call had an effect");
    }
}

fn released_is_a_fact_once(before: &Call, event: &Event, taken: &Step) {
    let released = facts(Some(before), event, &taken.next)
        .into_iter()
        .filter(|fact| matches!(fact, Fact::Released(_)))
        .count();
    let expected = usize::from(!before.is_released() && taken.next.is_released());
    assert_eq!(released, expected, "released facts");
}

fn the_same_event_twice_changes_nothing(event: &Event, now: At, taken: &Step) {
    let again = step(&taken.next, event, now);
    assert_eq!(again.next, taken.next, "the same event changed the call twice");
    assert_eq!(again.effects, [], "the same event had effects twice");
}

fn no_change_no_effect_no_version(before: &Call, taken: &Step) {
    if taken.next.version == before.version {
        assert_eq!(taken.next, *before, "a change without a version");
        assert_eq!(taken.effects, [], "an effect without a change");
    } else {
        assert_eq!(taken.next.version, before.version + 1, "versions have a gap");
    }
}

fn time_never_goes_back(before: &Call, taken: &Step) {
    assert!(taken.next.at >= before.at, "time went back");
}

fn every_live_state_has_one_deadline(call: &Call) {
    assert_eq!(call.deadline().is_some(), !call.is_released(), "deadline and liveness disagree in {call:?}");
}

fn a_deadline_moves_the_call_on(call: &Call) {
    let Some(deadline) = call.deadline() else { return };
    let due = deadline.due.max(call.at);
    let moved = step(call, &Event::DeadlinePassed { generation: deadline.generation }, due).next;
    assert_ne!(moved.version, call.version, "a deadline passed and nothing happened");
    let next = moved.deadline();
    assert!(
        next.is_none_or(|n| n.generation != deadline.generation && n.due > due),
        "the deadline did not move on: {next:?}"
    );
}

fn a_stale_deadline_changes_nothing(before: &Call, event: &Event, now: At, taken: &Step) {
    let Event::DeadlinePassed { generation } = event else { return };
    let due = before.deadline().is_some_and(|d| d.generation == *generation && d.due <= now.max(before.at));
    if !due {
        assert_eq!(taken.next, *before, "a stale deadline changed the call");
    }
}

fn each_rung_at_most_once(call: &Call) {
    for (i, rung) in call.tried.iter().enumerate() {
        assert!(!call.tried[..i].contains(rung), "{rung:?} was tried twice");
    }
}

fn a_dial_needs_its_own_intent(event: &Event, taken: &Step) {
    for effect in &taken.effects {
        match effect {
            Effect::DialGreeting => assert_eq!(*event, Event::GreetingDialled),
            Effect::StartHandoff { attempt, rung, .. } => {
                assert_eq!(*event, Event::HandoffStarted { attempt: *attempt, rung: *rung });
            }
            _ => continue,
        }
        assert!(effect.needs_durable_intent());
    }
}

/// At most one dial that may have been executed, for each purpose.
fn no_dial_while_one_may_have_been_executed(before: &Call, taken: &Step) {
    let risky = |call: &Call, purpose| {
        call.conversations.iter().any(|c| c.purpose == purpose && c.dial != Dial::Refused)
    };
    for effect in &taken.effects {
        match effect {
            Effect::DialGreeting => assert!(!risky(before, Purpose::Greeting), "a second greeting dial"),
            Effect::StartHandoff { rung, .. } if rung.dials() => {
                assert!(!risky(before, Purpose::Agent), "a second agent dial");
            }
            _ => {}
        }
    }
}

fn reports_only_rise(before: &Call, taken: &Step) {
    for (old, new) in before.conversations.iter().zip(&taken.next.conversations) {
        assert!(new.grade >= old.grade, "a report fell");
        assert!(old.id.is_none() || old.id == new.id, "a conversation changed its id");
        assert!(old.duration.is_none() || old.duration == new.duration, "a duration was overwritten");
        assert!(new.grade == Grade::Initiated || new.dial != Dial::Intended, "a report without a dial");
    }
}

fn audio_only_on_a_live_leg(taken: &Step) {
    for effect in &taken.effects {
        let audio = matches!(effect, Effect::PlayGreeting | Effect::PlayHold | Effect::DropLeg);
        assert!(!audio || taken.next.policy.on_live_leg(), "audio without a leg");
        assert!(*effect != Effect::DropLeg || taken.next.leg != Leg::Absent, "a drop without a leg");
    }
}

fn nothing_is_waited_for_after_the_end(call: &Call) {
    assert!(!(call.is_released() && call.waiting), "a released call waits for a voice");
    if let Phase::HandingOff(_) | Phase::Conversing(_) = call.phase {
        assert!(call.dues.voice.is_none() && call.dues.greeting.is_none(), "an old due time is armed");
    }
}

fn a_clone_rung_needs_a_clone(taken: &Step) {
    for effect in &taken.effects {
        if let Effect::StartHandoff { rung: Rung::BridgeCloned | Rung::CallbackCloned, voice, .. } = effect {
            assert_eq!(voice.as_ref().map(|v| v.as_str()), Some("clone"));
        }
    }
}

/// Nor does a word of the caller leave for the provider before.
fn no_agent_before_the_notice_was_heard(taken: &Step) {
    for effect in &taken.effects {
        if let Effect::StartHandoff { rung, .. } = effect {
            assert!(!rung.leads_to_agent() || taken.next.notice_given(), "an agent before the notice");
        }
    }
}

fn nothing_is_begun_while_the_leg_is_away(taken: &Step) {
    if !taken.next.policy.on_live_leg() || taken.next.leg == Leg::Connected {
        return;
    }
    for effect in &taken.effects {
        let begun = matches!(
            effect,
            Effect::StartHandoff { .. } | Effect::Intend(_) | Effect::PlayGreeting | Effect::PlayHold
        );
        assert!(!begun, "{effect:?} without a leg");
    }
}

fn what_cannot_be_heard_is_not_tried(taken: &Step) {
    for effect in &taken.effects {
        if let Effect::StartHandoff { rung, .. } = effect {
            assert!(!taken.next.audio_lost || !rung.needs_audio(), "{rung:?} without audio");
        }
    }
}
