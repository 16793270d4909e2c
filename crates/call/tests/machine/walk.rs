//! Every reachable state and every event: breadth first, each new state once.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use precall_call::{
    Admission, At, Attempt, Call, Conversation, Conversing, Deadlines, Dial, EarlyAgent, Effect, Event,
    Grade, Greeting, HandingOff, Instants, Leg, NoVoice, Offer, ParkedAgent, Phase, ProofState, Purpose,
    Route, Rung, Voice, fold, open, step,
};

use crate::laws;
use crate::vocabulary::{events, moment, offers};

/// What tells two states apart: everything but clocks and counters that only grow. Of the due times it matters which
/// are armed and which comes first; their finer order is the properties' business.
fn shape(call: &Call) -> Call {
    let shape = live_shape(call);
    if !call.is_released() {
        return shape;
    }
    // Nothing leads out of here, whatever led in.
    Call {
        voice: Voice::Awaited,
        proof: ProofState::Unasked,
        tried: call.tried.last().copied().into_iter().collect(),
        person_asked: None,
        persons_asked: 0,
        told: 0,
        retry: None,
        retries: 0,
        agent_loss: None,
        agent_heard: None,
        unheard_ends: 0,
        handoff_asked: false,
        audio_lost: false,
        last_panic: None,
        instants: Instants { notice_ended: None, ..shape.instants },
        ..shape
    }
}

fn live_shape(call: &Call) -> Call {
    let first = call.deadlines.earliest();
    let on_call_back = call.policy.route == Route::Callback;
    let rank = |due: Option<At>| due.map(|_| At(i64::from(due != first)));
    Call {
        version: 0,
        at: At(0),
        generation: 0,
        deadlines: Deadlines {
            leg: rank(call.deadlines.leg),
            voice: rank(call.deadlines.voice),
            greeting: rank(call.deadlines.greeting),
            proof: rank(call.deadlines.proof),
            hold: rank(call.deadlines.hold),
            handoff: rank(call.deadlines.handoff),
            conversation: rank(call.deadlines.conversation),
        },
        instants: Instants {
            offered: At(0),
            leg_connected: None,
            greeting_started: None,
            sound_started: None,
            notice_ended: call.instants.notice_ended.map(|_| At(0)),
            greeting_ended: None,
            voice_decided: None,
            handoff_started: None,
            handed_off: None,
            agent_heard: None,
            leg_gone: call.instants.leg_gone.filter(|_| call.leg == Leg::Gone).map(|_| At(0)),
            released: None,
        },
        voice: voice_shape(&call.voice),
        conversations: conversation_shapes(call),
        tried: tried_shape(call),
        phase: phase_shape(call.phase),
        pbx_ended: call.pbx_ended && (on_call_back || matches!(call.leg, Leg::Absent | Leg::Ringing)),
        handoff_asked: call.handoff_asked && !call.policy.auto_transition,
        persons_asked: 0,
        told: 0,
        proof: proof_shape(call),
        wrong_pins: if call.awaits_pin() { call.wrong_pins } else { 0 },
        agent_loss: None,
        // What an earlier agent said decides what the next one is told, which is not a rule of the machine.
        agent_heard: call
            .agent_heard
            .filter(|heard| call.policy.free_retries && agent_on_leg(call.phase) == Some(*heard))
            .map(|_| 0),
        utterances: 0,
        resumed: 0,
        pbx_state: None,
        audio: None,
        panics: 0,
        last_panic: call.last_panic.map(|_| At(0)),
        ..call.clone()
    }
}

/// Why there is no clone decides nothing.
fn voice_shape(voice: &Voice) -> Voice {
    match voice {
        Voice::Fallback(_) => Voice::Fallback(NoVoice::NoMapping),
        Voice::Awaited | Voice::Cloned(_) => voice.clone(),
    }
}

/// Attempts are told apart by what they try; their numbers only grow.
fn phase_shape(phase: Phase) -> Phase {
    match phase {
        Phase::Greeting(greeting) => Phase::Greeting(Greeting {
            early: greeting.early.map(|early| EarlyAgent { attempt: unnumbered(early.attempt), ..early }),
            ..greeting
        }),
        Phase::HandingOff(handoff) => Phase::HandingOff(HandingOff {
            attempt: unnumbered(handoff.attempt),
            parked: handoff
                .parked
                .map(|parked| ParkedAgent { attempt: unnumbered(parked.attempt), until: At(0) }),
            ..handoff
        }),
        Phase::Conversing(with) => {
            Phase::Conversing(Conversing { attempt: unnumbered(with.attempt), ..with })
        }
        Phase::Offered | Phase::Holding | Phase::Released(_) => phase,
    }
}

/// The attempt whose agent is on the caller's leg, or is made ready for it.
fn agent_on_leg(phase: Phase) -> Option<u8> {
    match phase {
        Phase::Greeting(greeting) => greeting.early.map(|early| early.attempt.number),
        Phase::Conversing(with) if with.attempt.rung.bridges() => Some(with.attempt.number),
        Phase::Offered
        | Phase::Holding
        | Phase::HandingOff(_)
        | Phase::Conversing(_)
        | Phase::Released(_) => None,
    }
}

fn unnumbered(attempt: Attempt) -> Attempt {
    Attempt { number: 0, ..attempt }
}

/// What was proved decides nothing once somebody is being brought in, or the voice is there.
fn proof_shape(call: &Call) -> ProofState {
    let open = matches!(call.phase, Phase::Offered | Phase::Greeting(_) | Phase::Holding);
    match (&call.voice, call.proof) {
        // Nobody asks for a voice any more that is decided, so that what was given is shown to nobody.
        (Voice::Fallback(_), ProofState::Given | ProofState::Shown) if open && !call.awaits_voice => {
            ProofState::Unasked
        }
        (Voice::Awaited | Voice::Fallback(_), proof) if open => proof,
        (_, proof) if call.voice == Voice::Awaited && proof == ProofState::Denied => proof,
        (..) => ProofState::Unasked,
    }
}

/// Which rungs were tried decides, not their order; those that may be tried again are counted elsewhere.
fn tried_shape(call: &Call) -> Vec<Rung> {
    let mut tried: Vec<Rung> = call.tried.iter().copied().filter(|rung| *rung != Rung::Person).collect();
    tried.sort_unstable();
    tried.dedup();
    tried
}

/// Of several attempts on a live leg the latest decides what comes next, and of that only whether it may have been
/// executed and whether it surely was.
fn conversation_shapes(call: &Call) -> Vec<Conversation> {
    let mut shapes = call.conversations.iter().map(|c| conversation_shape(call, c));
    if call.policy.route == Route::Callback {
        return shapes.map(|c| Conversation { ordinal: 0, ..c }).collect();
    }
    let dial = |dial| if dial == Dial::Refused { dial } else { Dial::Started };
    let grade = |grade| if grade == Grade::Completed { grade } else { Grade::Initiated };
    let latest = shapes.next_back().map(|c| Conversation { dial: dial(c.dial), grade: grade(c.grade), ..c });
    latest.map(|c| Conversation { ordinal: 0, ..c }).into_iter().collect()
}

/// A greeting that is over decides nothing any more, and a duration never does.
fn conversation_shape(call: &Call, conversation: &Conversation) -> Conversation {
    let greeting_is_over = !matches!(call.phase, Phase::Offered | Phase::Greeting(_));
    let (dial, grade, id) = if greeting_is_over && conversation.purpose == Purpose::Greeting {
        (Dial::Started, Grade::Initiated, None)
    } else {
        (conversation.dial, conversation.grade, conversation.id.clone())
    };
    Conversation {
        dial,
        grade,
        id,
        duration: None,
        has_words: false,
        has_analysis: false,
        ..conversation.clone()
    }
}

fn reach(call: Call, seen: &mut HashSet<u64>, frontier: &mut Vec<Call>) {
    let mut hasher = DefaultHasher::new();
    shape(&call).hash(&mut hasher);
    if seen.insert(hasher.finish()) {
        frontier.push(call);
    }
}

/// Walks from one offer; names of the phases that were reached, states, steps.
fn walk(offer: &Offer) -> (HashSet<&'static str>, usize, usize) {
    let (mut seen, mut frontier) = (HashSet::new(), Vec::new());
    let (mut phases, mut states, mut steps) = (HashSet::new(), 0, 0);
    let first = open(offer, At(0));
    for effect in &first.effects {
        if let Effect::Intend(intent) = effect {
            reach(step(&first.next, intent, At(0)).next, &mut seen, &mut frontier);
        }
    }
    reach(first.next, &mut seen, &mut frontier);
    while let Some(call) = frontier.pop() {
        states += 1;
        phases.insert(call.phase.name());
        for event in events(&call) {
            steps += 1;
            let now = moment(&call, &event);
            let taken = step(&call, &event, now);
            laws::check(&call, &event, now, &taken);
            // Intents that nobody ordered are answered lawfully, and not followed: they cannot happen.
            let followed = !matches!(event, Event::HandoffStarted { .. } | Event::GreetingDialled);
            if followed && taken.next != call {
                reach(taken.next.clone(), &mut seen, &mut frontier);
                for effect in taken.effects {
                    if let Effect::Intend(intent) = effect {
                        reach(step(&taken.next, &intent, now).next, &mut seen, &mut frontier);
                    }
                }
            }
        }
    }
    (phases, states, steps)
}

/// Every law, in every reachable state, for every event. One test a route and policy, so that they run beside each
/// other.
///
/// `at_least` is a little below the number of states that there are: a walk that loses states must not pass in silence.
fn every_law_holds(route: Route, variant: usize, at_least: usize) {
    let mut of_route =
        offers().into_iter().filter(|o| o.policy.route == route && o.admission == Admission::Accepted);
    let offer = of_route.nth(variant).unwrap();
    let (phases, states, steps) = walk(&offer);
    println!("{}, policy {variant}: walked {states} states, {steps} steps", route.name());
    assert_eq!(phases.len(), 6, "a phase was never reached: {phases:?}");
    assert!(states >= at_least, "the walk is too short: {states} states, at least {at_least} are expected");
}

macro_rules! walks {
    ($($name:ident: $route:ident $variant:literal at_least $states:literal),+ $(,)?) => {
        $(#[test]
        fn $name() {
            every_law_holds(Route::$route, $variant, $states);
        })+
    };
}

walks! {
    every_law_holds_on_route_callback: Callback 0 at_least 19_000,
    every_law_holds_on_route_callback_that_starts_without_the_voice: Callback 1 at_least 19_000,
    every_law_holds_on_route_callback_that_waits_for_an_operator: Callback 2 at_least 34_000,
    every_law_holds_on_route_callback_that_outlives_the_pbx_call: Callback 3 at_least 10_000,
    every_law_holds_on_route_callback_that_asks_for_proof: Callback 4 at_least 10_000,
    every_law_holds_on_route_callback_that_asks_for_proof_and_waits_for_an_operator: Callback 5 at_least 35_000,
    every_law_holds_on_route_bridge: Bridge 0 at_least 340_000,
    every_law_holds_on_route_bridge_that_starts_without_the_voice: Bridge 1 at_least 34_000,
    every_law_holds_on_route_bridge_that_waits_for_an_operator: Bridge 2 at_least 300_000,
    every_law_holds_on_route_bridge_without_anything_to_fall_back_to: Bridge 3 at_least 59_000,
    every_law_holds_on_route_bridge_that_asks_for_proof: Bridge 4 at_least 98_000,
    every_law_holds_on_route_bridge_that_asks_for_proof_and_waits_for_an_operator: Bridge 5 at_least 43_000,
    every_law_holds_on_route_bridge_with_free_retries: Bridge 6 at_least 300_000,
    every_law_holds_on_route_transfer: Transfer 0 at_least 170_000,
    every_law_holds_on_route_transfer_that_starts_without_the_voice: Transfer 1 at_least 34_000,
    every_law_holds_on_route_transfer_that_waits_for_an_operator: Transfer 2 at_least 160_000,
    every_law_holds_on_route_transfer_without_anything_to_fall_back_to: Transfer 3 at_least 59_000,
    every_law_holds_on_route_transfer_that_asks_for_proof: Transfer 4 at_least 98_000,
    every_law_holds_on_route_transfer_that_asks_for_proof_and_waits_for_an_operator: Transfer 5 at_least 43_000,
    every_law_holds_on_route_transfer_with_free_retries: Transfer 6 at_least 210_000,
}

#[test]
fn a_call_that_is_not_admitted_is_released_for_good() {
    for offer in offers().into_iter().filter(|offer| offer.admission != Admission::Accepted) {
        let (phases, ..) = walk(&offer);
        assert_eq!(phases, HashSet::from(["released"]));
    }
}

#[test]
fn a_recorded_intent_leaves_the_phase_offered() {
    for offer in offers() {
        let first = open(&offer, At(0));
        for effect in &first.effects {
            if let Effect::Intend(intent) = effect {
                let next = step(&first.next, intent, At(0)).next;
                assert_ne!(next.phase, Phase::Offered);
            }
        }
    }
}

#[test]
fn a_log_that_step_would_not_have_written_is_refused() {
    let offer = offers().remove(0);
    let at = At(5);
    assert!(fold([]).is_err());
    assert!(fold([(&Event::LegGone, at)]).is_err());
    let offered = Event::Offered(offer);
    assert!(fold([(&offered, at), (&offered, at)]).is_err());
    assert!(fold([(&offered, at), (&Event::LegConnected, at)]).is_ok());
}
