//! Timed sequences at random: any events at any times, and the whole call must still be lawful.

use std::collections::VecDeque;

use precall_call::{At, Call, Effect, Event, Fact, facts, fold, open, step};
use proptest::prelude::*;

use crate::laws;
use crate::vocabulary::{SECOND, events, offers};

/// A call played as its actor plays it: intents are recorded in the same breath, deadlines fire when due.
struct Play {
    call: Call,
    log: Vec<(Event, At)>,
    world: World,
    released: usize,
}

/// What the orders of a call have made of the world.
#[derive(Default)]
struct World {
    has_seat: bool,
    watches_greeting: bool,
}

impl World {
    fn hears(&mut self, effect: &Effect) {
        match effect {
            Effect::DialGreeting => {
                self.has_seat = true;
                self.watches_greeting = true;
            }
            Effect::StopWatchingGreeting => self.watches_greeting = false,
            Effect::StartHandoff { rung, .. } => self.has_seat |= rung.leads_to_agent(),
            Effect::ReleaseSeat => {
                assert!(self.has_seat, "a seat is given back twice");
                self.has_seat = false;
            }
            _ => {}
        }
    }

    /// Whoever knows the state alone, as after a restart, knows the same of the world.
    fn agrees_with(&self, call: &Call) {
        assert_eq!(self.has_seat, call.holds_seat(), "the seat in {:?}", call.phase);
        assert_eq!(self.watches_greeting, call.watches_greeting(), "the watch in {:?}", call.phase);
    }
}

impl Play {
    fn new(offer: usize) -> Self {
        let offers = offers();
        let offer = offers[offer % offers.len()].clone();
        let first = open(&offer, At(0));
        let event = Event::Offered(offer);
        let released = count_released(&facts(None, &event, &first.next));
        let mut play =
            Self { call: first.next, log: vec![(event, At(0))], world: World::default(), released };
        play.perform(first.effects, At(0));
        play
    }

    fn take(&mut self, event: &Event, now: At) {
        let effects = self.step(event, now);
        self.perform(effects, now);
    }

    fn step(&mut self, event: &Event, now: At) -> Vec<Effect> {
        let taken = step(&self.call, event, now);
        laws::check(&self.call, event, now, &taken);
        self.released += count_released(&facts(Some(&self.call), event, &taken.next));
        if taken.next.version != self.call.version {
            self.log.push((event.clone(), now));
        }
        self.call = taken.next;
        taken.effects
    }

    fn perform(&mut self, effects: Vec<Effect>, now: At) {
        let mut work = VecDeque::from(effects);
        while let Some(effect) = work.pop_front() {
            match effect {
                Effect::Intend(intent) => work.extend(self.step(&intent, now)),
                other => self.world.hears(&other),
            }
        }
        self.world.agrees_with(&self.call);
    }

    fn fire_due(&mut self, now: At) {
        while let Some(deadline) = self.call.deadline().filter(|d| d.due <= now) {
            self.take(&Event::DeadlinePassed { generation: deadline.generation }, deadline.due);
        }
    }
}

fn count_released(facts: &[Fact]) -> usize {
    facts.iter().filter(|f| matches!(f, Fact::Released(_))).count()
}

/// More by `PROPTEST_CASES`, as the marathons want it.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(600)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_timed_sequence_is_lawful(
        offer in 0_usize..64,
        script in prop::collection::vec((0_usize..10_000, 0_i64..40), 0..60),
    ) {
        let mut play = Play::new(offer);
        let mut now = At(0);
        for (choice, seconds) in script {
            now = At(now.0 + seconds * SECOND);
            play.fire_due(now);
            let events = events(&play.call);
            let event = events[choice % events.len()].clone();
            play.take(&event, now);
        }
        prop_assert_eq!(fold(play.log.iter().map(|(e, at)| (e, *at))).unwrap(), play.call);
    }

    #[test]
    fn every_call_ends_by_itself_without_further_events(
        offer in 0_usize..64,
        script in prop::collection::vec((0_usize..10_000, 0_i64..20), 0..20),
    ) {
        let mut play = Play::new(offer);
        let mut now = At(0);
        for (choice, seconds) in script {
            now = At(now.0 + seconds * SECOND);
            play.fire_due(now);
            let events = events(&play.call);
            play.take(&events[choice % events.len()].clone(), now);
        }
        play.fire_due(At(now.0 + 3_600 * SECOND));
        prop_assert!(play.call.is_released());
        prop_assert_eq!(play.released, 1);
        prop_assert_eq!(fold(play.log.iter().map(|(e, at)| (e, *at))).unwrap(), play.call);
    }

    #[test]
    fn a_time_before_the_last_event_counts_as_its_time(back in 0_i64..1_000_000_000) {
        let play = Play::new(0);
        let taken = step(&play.call, &Event::PbxCallEnded { duration: None }, At(-back));
        prop_assert_eq!(taken.next.at, play.call.at);
    }
}
