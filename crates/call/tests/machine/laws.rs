//! The laws, each by its name. The walk and the properties hold every step they make against all of them.

use precall_call::{
    At, Attempt, Call, Conversing, Dial, Effect, Event, Fact, Grade, HandoffFailure, Leg, NoVoice, Phase,
    Proof, ProofState, ProofWay, Purpose, Request, Retry, Route, Rung, Step, Voice, facts, step,
};

use crate::supervision;

/// Holds one step against every law of a single step. One that changes nothing has no effects, and nothing else to
/// hold.
pub fn check(before: &Call, event: &Event, now: At, taken: &Step) {
    if taken.next == *before {
        return assert_eq!(taken.effects, [], "an effect without a change");
    }
    released_is_absorbing(before, taken);
    released_is_a_fact_once(before, event, taken);
    the_same_event_twice_changes_nothing(event, now, taken);
    every_change_is_one_version(before, taken);
    time_never_goes_back(before, taken);
    every_live_state_has_one_deadline(&taken.next);
    a_deadline_moves_the_call_on(&taken.next);
    a_stale_deadline_changes_nothing(before, event, now, taken);
    each_rung_is_tried_once_except_for_retries(&taken.next);
    a_free_attempt_needs_a_restart_or_an_unheard_end(before, event, taken);
    an_agent_that_ends_the_conversation_was_not_lost(before, event, taken);
    a_person_is_called_at_most_three_times(&taken.next);
    a_dial_needs_its_own_intent(event, taken);
    no_dial_while_one_may_have_been_executed(before, taken);
    reports_only_rise(before, taken);
    audio_only_on_a_live_leg(taken);
    nothing_is_waited_for_after_the_end(&taken.next);
    a_clone_rung_needs_a_clone(taken);
    no_agent_before_the_notice_was_heard(taken);
    nothing_starts_while_the_leg_is_away(taken);
    no_rung_that_needs_audio_is_tried_without_audio(taken);
    an_agent_is_connected_only_when_it_is_ready(before, event, taken);
    an_agent_the_call_goes_on_without_is_given_up(before, event, taken);
    no_agent_starts_with_a_withdrawn_voice(event, taken);
    no_other_voice_comes_after_the_fallback_voice_was_asked_for(before, event, taken);
    no_cloned_voice_without_the_proof_that_was_asked_for(event, taken);
    the_call_waits_for_proof_only_while_it_matters(&taken.next);
    a_seat_is_held_exactly_while_a_paid_conversation_may_be_live(before, taken);
    a_seat_is_taken_and_given_back_in_turn(before, taken);
    the_watch_for_the_greetings_end_ends_with_the_greeting(before, taken);
    a_conversation_counts_when_its_report_is_news(before, event, taken);
    supervision::nobody_listens_before_the_notice_was_heard(&taken.next);
    supervision::nobody_listens_to_a_caller_who_is_elsewhere(&taken.next);
    supervision::listening_ends_when_it_is_no_longer_allowed(before, taken);
    supervision::an_agent_is_told_only_while_it_talks_with_the_caller(before, event, taken);
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
    assert_eq!(again.next, taken.next, "{event:?} changed the call twice");
    assert_eq!(again.effects, [], "the same event had effects twice");
}

fn every_change_is_one_version(before: &Call, taken: &Step) {
    assert_eq!(taken.next.version, before.version + 1, "versions have a gap");
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

fn each_rung_is_tried_once_except_for_retries(call: &Call) {
    let ladder: Vec<Rung> = call.tried.iter().copied().filter(|rung| *rung != Rung::Person).collect();
    let again = ladder.iter().enumerate().filter(|(i, rung)| ladder[..*i].contains(rung));
    let mut times = 0_usize;
    for (_, rung) in again {
        assert!(rung.bridges() || rung.dials() || call.resumed > 0, "{rung:?} was tried twice");
        times += 1;
    }
    // A telephone that may have rung is not dialled again.
    let may_have_rung = |c: &&precall_call::Conversation| {
        c.purpose == precall_call::Purpose::Agent && c.dial != precall_call::Dial::Refused
    };
    if ladder.iter().any(|rung| rung.dials()) {
        assert!(call.conversations.iter().filter(may_have_rung).count() <= 1, "the agent was dialled twice");
    }
    let counted = usize::from(call.retries);
    assert!(counted <= 2, "a rung is tried on and on after losses");
    // The tests number restarts from 1. An agent that is heard gives the next one its free attempt again.
    let (restarts, heard) = (call.resumed, u64::from(call.instants.agent_heard.is_some()));
    let lost_again = u64::from(call.retries);
    let free = u64::try_from(times.checked_sub(counted).expect("a retry that counts was not made")).unwrap();
    let most = if call.policy.free_retries { restarts + 1 + heard * (restarts + lost_again) } else { 0 };
    assert!(free <= most, "{free} free attempts, {most} were allowed");
}

/// Within one life of the process nothing grants a free attempt without end: each grant needs a restart, or an agent
/// that ended unheard after one that was heard.
fn a_free_attempt_needs_a_restart_or_an_unheard_end(before: &Call, event: &Event, taken: &Step) {
    let is_free = |call: &Call| matches!(call.retry, Some(Retry::Free(_)));
    if is_free(&taken.next) && before.retry != taken.next.retry {
        let may = match event {
            Event::Resumed { generation, .. } => *generation > before.resumed,
            Event::AgentEnded { .. } => before.unheard_ends == 0 && taken.next.unheard_ends == 1,
            _ => false,
        };
        assert!(may && taken.next.policy.free_retries, "a free attempt by {event:?}");
    }
}

/// Nor a loss: it closed its session normally.
fn an_agent_that_ends_the_conversation_was_not_lost(before: &Call, event: &Event, taken: &Step) {
    if let (Event::AgentEnded { .. }, true) = (event, before.policy.free_retries) {
        let is_new = taken.next.agent_loss != before.agent_loss && taken.next.agent_loss.is_some();
        assert!(!is_new, "a normal end counts as a loss");
        let release = taken.next.release().filter(|_| !before.is_released());
        let good = release.is_some_and(|release| release.blame.is_none());
        assert!(!good || before.agent_heard.is_some(), "a goodbye that nobody heard");
    }
}

fn a_person_is_called_at_most_three_times(call: &Call) {
    assert!(call.tried.iter().filter(|rung| **rung == Rung::Person).count() <= 3);
}

/// Two-phase: the agent's session first, then the switch; and the agent who waits is the one who goes on.
fn an_agent_is_connected_only_when_it_is_ready(before: &Call, event: &Event, taken: &Step) {
    for effect in &taken.effects {
        match effect {
            Effect::ConnectAgent { attempt } => {
                let made_ready = before.early().is_some_and(|e| e.ready && e.attempt.number == *attempt);
                let is_now = matches!(event, Event::HandoffSucceeded { attempt: a, .. } if a == attempt);
                assert!(made_ready || is_now, "an agent that is not ready was connected");
                assert!(taken.next.agent_talked, "nobody noted that the agent spoke");
            }
            Effect::ReturnToAgent { attempt, why } => {
                let waited = before.parked().is_some_and(|parked| parked.attempt.number == *attempt);
                let refused = *why == HandoffFailure::Refused && taken.next.phase == before.phase;
                assert!(waited || refused, "a return to an agent who was not there");
            }
            _ => continue,
        }
        assert!(matches!(taken.next.phase, Phase::Conversing(with) if with.attempt.rung.bridges()));
        assert!(taken.next.leg == Leg::Connected && taken.next.notice_given());
    }
}

/// The session of an agent on the bridge that the call goes on without is closed: by order, or with the leg's audio.
fn an_agent_the_call_goes_on_without_is_given_up(before: &Call, event: &Event, taken: &Step) {
    let (Phase::Conversing(Conversing { attempt: with, .. }), Leg::Connected) = (before.phase, before.leg)
    else {
        return;
    };
    let stays = matches!(taken.next.phase, Phase::Conversing(now) if now.attempt == with)
        || taken.next.parked().is_some_and(|parked| parked.attempt == with)
        || taken.next.leg != Leg::Connected;
    let took_leave = matches!(event, Event::Resumed { .. } | Event::Panicked { .. });
    if !with.rung.bridges() || stays || took_leave {
        return;
    }
    let given_up = taken.effects.iter().any(|effect| {
        matches!(effect, Effect::CancelHandoff { attempt } if *attempt == with.number)
            || *effect == Effect::StopAudio
    });
    assert!(given_up, "an agent was left talking: {event:?}");
}

/// Who speaks with it on a line that is not ours goes on; nobody else does, and nobody begins to.
fn no_agent_starts_with_a_withdrawn_voice(event: &Event, taken: &Step) {
    no_agent_starts_with_a_withdrawn_voice_when(matches!(event, Event::VoiceWithdrawn { .. }), taken);
}

fn no_agent_starts_with_a_withdrawn_voice_when(it_was_withdrawn: bool, taken: &Step) {
    let call = &taken.next;
    if !it_was_withdrawn || call.is_released() {
        return;
    }
    assert!(matches!(call.voice, Voice::Fallback(_)), "the voice is still the caller's: {:?}", call.voice);
    let speaks = |attempt: Attempt| attempt.rung == Rung::BridgeCloned;
    let on_the_way = call.early().is_some_and(|early| speaks(early.attempt));
    let waits = call.parked().is_some_and(|parked| speaks(parked.attempt));
    let talks = match call.phase {
        Phase::HandingOff(handoff) => speaks(handoff.attempt),
        Phase::Conversing(with) => speaks(with.attempt),
        _ => false,
    };
    assert!(!on_the_way && !waits && !talks, "somebody on the bridge has it still");
    let lets_go = taken.effects.contains(&Effect::LetVoiceGo);
    let elsewhere = matches!(call.phase, Phase::HandingOff(handoff) if handoff.attempt.rung.takes_clone());
    assert!(lets_go || elsewhere, "it is kept for nobody");
}

/// Only another request of the operator changes that.
fn no_other_voice_comes_after_the_fallback_voice_was_asked_for(before: &Call, event: &Event, taken: &Step) {
    let call = &taken.next;
    let is_asked = matches!(event, Event::OperatorAsked { request: Request::FallbackVoice, .. });
    if is_asked {
        let had_clone = matches!(before.voice, Voice::Cloned(_));
        assert_eq!(call.voice, Voice::Fallback(NoVoice::OperatorAsked));
        assert!(!call.awaits_voice && !matches!(call.proof, ProofState::Awaited(_)), "it waits for a voice");
        return no_agent_starts_with_a_withdrawn_voice_when(had_clone, taken);
    }
    let was_asked = before.voice == Voice::Fallback(NoVoice::OperatorAsked) && !before.awaits_voice;
    assert!(!was_asked || !matches!(call.voice, Voice::Cloned(_)), "a late voice was taken: {event:?}");
}

fn a_dial_needs_its_own_intent(event: &Event, taken: &Step) {
    for effect in &taken.effects {
        match effect {
            Effect::DialGreeting => assert_eq!(*event, Event::GreetingDialled),
            Effect::StartHandoff { attempt, rung, .. } => {
                assert_eq!(*event, Event::HandoffStarted { attempt: *attempt, rung: *rung });
                assert!(taken.next.still_wants(effect), "an order that nobody wants");
                assert!(*rung != Rung::Apology, "a handoff that calls nobody");
            }
            Effect::PlayApology { attempt } => {
                assert_eq!(*event, Event::HandoffStarted { attempt: *attempt, rung: Rung::Apology });
                assert!(taken.next.still_wants(effect), "an apology that nobody wants");
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
        let audio = matches!(
            effect,
            Effect::PlayGreeting | Effect::PlayHold | Effect::PlayApology { .. } | Effect::DropLeg
        );
        assert!(!audio || taken.next.policy.on_live_leg(), "audio without a leg");
        assert!(*effect != Effect::DropLeg || taken.next.leg != Leg::Absent, "a drop without a leg");
    }
}

fn nothing_is_waited_for_after_the_end(call: &Call) {
    assert!(!(call.is_released() && call.awaits_voice), "a released call waits for a voice");
    if let Phase::HandingOff(_) | Phase::Conversing(_) = call.phase {
        assert!(
            call.deadlines.voice.is_none() && call.deadlines.greeting.is_none(),
            "an old due time is armed"
        );
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

fn nothing_starts_while_the_leg_is_away(taken: &Step) {
    if !taken.next.policy.on_live_leg() || taken.next.leg == Leg::Connected {
        return;
    }
    for effect in &taken.effects {
        let begun = matches!(
            effect,
            Effect::StartHandoff { .. }
                | Effect::PlayApology { .. }
                | Effect::Intend(_)
                | Effect::PlayGreeting
                | Effect::PlayHold
                | Effect::ConnectAgent { .. }
                | Effect::ReturnToAgent { .. }
        );
        // A leg that rings can be routed to a person, and to nobody else.
        let routes_ringing_leg = taken.next.leg == Leg::Ringing
            && matches!(
                effect,
                Effect::StartHandoff { rung: Rung::Destination, .. }
                    | Effect::Intend(Event::HandoffStarted { rung: Rung::Destination, .. })
            );
        assert!(!begun || routes_ringing_leg, "{effect:?} without a leg: {:?}", taken.next.phase);
    }
}

fn no_rung_that_needs_audio_is_tried_without_audio(taken: &Step) {
    for effect in &taken.effects {
        let needs_audio = match effect {
            Effect::StartHandoff { rung, .. } => rung.needs_audio(),
            Effect::PlayApology { .. } => true,
            _ => false,
        };
        assert!(!taken.next.audio_lost || !needs_audio, "{effect:?} without audio");
    }
}

/// Neither by what the call believes, nor by an order; and who keeps the voices is never told of a proof that was not
/// given.
fn no_cloned_voice_without_the_proof_that_was_asked_for(event: &Event, taken: &Step) {
    let call = &taken.next;
    let lacks_proof = matches!(call.proof, ProofState::Awaited(_) | ProofState::Denied);
    assert!(!lacks_proof || !matches!(call.voice, Voice::Cloned(_)), "a voice without its proof: {event:?}");
    for effect in &taken.effects {
        match effect {
            Effect::StartHandoff { voice: Some(voice), .. } => {
                assert!(!lacks_proof || voice.as_str() != "clone", "an agent in a voice without its proof");
            }
            Effect::AskForVoice { proof } => {
                assert_eq!(
                    *proof == Proof::Given,
                    call.proof == ProofState::Shown,
                    "a proof that nobody gave"
                );
                assert!(!lacks_proof, "a voice was asked for whose proof is missing");
            }
            _ => {}
        }
    }
}

fn the_call_waits_for_proof_only_while_it_matters(call: &Call) {
    let ProofState::Awaited(way) = call.proof else {
        return assert!(call.deadlines.proof.is_none(), "a PIN is due that nobody asked for");
    };
    assert!(matches!(call.phase, Phase::Offered | Phase::Greeting(_) | Phase::Holding));
    assert!(call.policy.on_live_leg() && call.voice == Voice::Awaited && !call.awaits_voice);
    assert!(
        call.deadlines.voice.is_none() && call.deadlines.hold.is_none(),
        "a clone is due that nobody makes"
    );
    assert!(way != ProofWay::Leg || call.leg != Leg::Connected, "a leg that proves nothing is waited for");
    assert!(call.wrong_pins < 3, "more PINs than may be tried");
}

/// Whether a conversation that the account pays for is open, or is being opened: an agent's, or a greeting by
/// telephone.
fn may_be_paid_for(call: &Call) -> bool {
    let in_this_phase = match call.phase {
        Phase::Greeting(_) => call.policy.route == Route::Callback,
        Phase::HandingOff(handoff) => handoff.attempt.rung.leads_to_agent(),
        Phase::Conversing(with) => with.attempt.rung.leads_to_agent(),
        Phase::Offered | Phase::Holding | Phase::Released(_) => false,
    };
    in_this_phase || call.early().is_some() || call.parked().is_some()
}

/// Nor is it given back between two attempts: another call could take it.
fn a_seat_is_held_exactly_while_a_paid_conversation_may_be_live(before: &Call, taken: &Step) {
    let opens_next = taken.effects.iter().any(|effect| {
        matches!(effect, Effect::Intend(Event::HandoffStarted { rung, .. }) if rung.leads_to_agent())
    });
    let expected = may_be_paid_for(&taken.next) || (before.holds_seat() && opens_next);
    assert_eq!(taken.next.holds_seat(), expected, "the seat in {:?}", taken.next.phase);
}

/// With one order each, and never two of a kind in a row.
fn a_seat_is_taken_and_given_back_in_turn(before: &Call, taken: &Step) {
    let takes_one = |effect: &&Effect| match effect {
        Effect::DialGreeting => true,
        Effect::StartHandoff { rung, .. } => rung.leads_to_agent(),
        _ => false,
    };
    let takes = taken.effects.iter().filter(takes_one).count();
    let releases = taken.effects.iter().filter(|effect| **effect == Effect::ReleaseSeat).count();
    assert!(takes == 0 || taken.next.holds_seat(), "a conversation is opened without a seat");
    match (before.holds_seat(), taken.next.holds_seat()) {
        (false, true) => assert_eq!((takes, releases), (1, 0), "a seat that no order takes"),
        (true, false) => assert_eq!((takes, releases), (0, 1), "a seat is given back by one order"),
        (true, true) | (false, false) => {
            assert_eq!(releases, 0, "a seat is given back that is kept or was not held")
        }
    }
    if releases == 1 {
        let last_user =
            taken.effects.iter().rposition(|effect| matches!(effect, Effect::CancelHandoff { .. }));
        let release = taken.effects.iter().position(|effect| *effect == Effect::ReleaseSeat);
        assert!(last_user < release, "a seat is given back while its user still runs");
    }
}

/// Once, and in no other step: what the watch would see moves nothing any more.
fn the_watch_for_the_greetings_end_ends_with_the_greeting(before: &Call, taken: &Step) {
    let by_telephone = before.policy.route == Route::Callback;
    let ended = before.is_greeting() && !taken.next.is_greeting();
    let stops = taken.effects.iter().filter(|effect| **effect == Effect::StopWatchingGreeting).count();
    assert_eq!(stops, usize::from(by_telephone && ended), "the watch in {:?}", taken.next.phase);
}

/// Once a report, after the end as before it; and never a conversation of another call. What comes again changes
/// nothing, and `the_same_event_twice_changes_nothing` holds that it never comes so far.
fn a_conversation_counts_when_its_report_is_news(before: &Call, event: &Event, taken: &Step) {
    let counted: Vec<_> = facts(Some(before), event, &taken.next)
        .into_iter()
        .filter_map(|fact| match fact {
            Fact::ConversationReported { conversation, duration } => Some((conversation, duration)),
            _ => None,
        })
        .collect();
    let expected: Vec<_> = match event {
        // The result of a voicemail test is no report of the end.
        Event::Reported(report) if report.grade != Grade::Initiated => {
            let ours =
                taken.next.conversations.iter().filter(|c| c.id.as_ref() == Some(&report.conversation));
            ours.map(|_| (report.conversation.clone(), report.duration)).collect()
        }
        _ => Vec::new(),
    };
    assert_eq!(counted, expected, "what counts of {event:?}");
}
