//! What the rules cost: nanoseconds per `step` over whole calls, and the fold of a whole log. Baselines beside them: a
//! copy of the state, which `step` cannot do without, and a match over the event that does nothing.
#![allow(clippy::unwrap_used)] // A bench that cannot go on should stop.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use precall_call::{
    Admission, At, Call, ConversationId, Effect, Event, GreetingEnd, Offer, Policy, Route, VoiceId,
    VoiceSource, fold, open, step,
};
use precall_test_support::{call_policy, reported};

const SECOND: i64 = 1_000_000;

/// The log of a call, and its state before each event except the first.
struct Played {
    log: Vec<(Event, At)>,
    steps: Vec<(Call, Event, At)>,
}

impl Played {
    /// Plays these events, one a second. Intents of the rules enter the log where the rules order them.
    fn of(policy: Policy, happens: Vec<Event>) -> Self {
        let offer = Offer { policy: Arc::new(policy), admission: Admission::Accepted };
        let mut now = At(1_764_425_485 * SECOND);
        let mut played = Self { log: vec![(Event::Offered(offer.clone()), now)], steps: Vec::new() };
        let begun = open(&offer, now);
        let mut call = played.intend(begun.next, &begun.effects, now);
        for event in happens {
            now = At(now.0 + SECOND);
            let (next, effects) = played.take(call, event, now);
            call = played.intend(next, &effects, now);
        }
        // A leg that is gone may come back for a moment. The deadline after that ends the call.
        if !call.is_released() {
            let deadline = call.deadline().unwrap();
            let passed = Event::DeadlinePassed { generation: deadline.generation };
            let (next, effects) = played.take(call, passed, deadline.due);
            call = played.intend(next, &effects, deadline.due);
        }
        assert!(call.is_released(), "the call does not end: {:?}", call.phase);
        assert_eq!(fold(played.log.iter().map(|(event, at)| (event, *at))).unwrap(), call);
        played
    }

    fn take(&mut self, call: Call, event: Event, now: At) -> (Call, Vec<Effect>) {
        let taken = step(&call, &event, now);
        assert!(taken.next.version > call.version, "this changes nothing: {event:?}");
        self.log.push((event.clone(), now));
        self.steps.push((call, event, now));
        (taken.next, taken.effects)
    }

    fn intend(&mut self, mut call: Call, effects: &[Effect], now: At) -> Call {
        for effect in effects {
            if let Effect::Intend(intent) = effect {
                let (next, more) = self.take(call, intent.clone(), now);
                call = self.intend(next, &more, now);
            }
        }
        call
    }
}

fn voice_ready() -> Event {
    Event::VoiceReady {
        voice: VoiceId::new("a voice of twenty ch"),
        job: None,
        source: VoiceSource::Clone,
        took: Duration::from_secs(7),
    }
}

fn callback() -> Played {
    let (greeting, agent) = (ConversationId::new("conv_greeting"), ConversationId::new("conv_agent"));
    Played::of(
        call_policy(Route::Callback),
        vec![
            Event::GreetingStarted { conversation: Some(greeting.clone()) },
            voice_ready(),
            reported(&greeting),
            Event::HandoffSucceeded { attempt: 1, conversation: Some(agent.clone()) },
            Event::PbxCallEnded { duration: Some(Duration::from_secs(12)) },
            reported(&agent),
        ],
    )
}

fn bridge() -> Played {
    let agent = ConversationId::new("conv_agent");
    Played::of(
        call_policy(Route::Bridge),
        vec![
            Event::LegConnected,
            Event::GreetingStarted { conversation: None },
            voice_ready(),
            Event::GreetingEnded { end: GreetingEnd::Played },
            Event::HandoffSucceeded { attempt: 1, conversation: Some(agent) },
            Event::PbxStateChanged { state: Arc::from("talking") },
            Event::LegGone,
        ],
    )
}

/// A match over the event that does no work: a baseline.
fn nothing(event: &Event) -> u32 {
    match event {
        Event::Offered(_) => 1,
        Event::LegRinging
        | Event::AnswerRefused
        | Event::LegRoutedAway
        | Event::LegConnected
        | Event::LegGone => 2,
        Event::SoundStarted | Event::NoticeEnded { .. } | Event::AudioLost | Event::AudioEnded(_) => 10,
        Event::PbxStateChanged { .. } | Event::PbxCallEnded { .. } => 3,
        Event::DtmfReceived { .. } => 4,
        Event::GreetingDialled
        | Event::GreetingRuns
        | Event::GreetingStarted { .. }
        | Event::GreetingEnded { .. } => 5,
        Event::VoiceReady { .. } | Event::VoiceMissing { .. } | Event::VoiceWithdrawn { .. } => 6,
        Event::ProofAsked { .. } | Event::ProofGiven { .. } | Event::PinRefused { .. } => 13,
        Event::HandoffStarted { .. } | Event::HandoffSucceeded { .. } | Event::HandoffFailed { .. } => 7,
        Event::AgentSpoke { .. } | Event::AgentEnded { .. } | Event::AgentLost { .. } => 11,
        Event::PersonAsked { .. } | Event::Utterance { .. } | Event::AgentTold { .. } => 12,
        Event::Reported(_) | Event::OperatorAsked { .. } | Event::TransferAsked { .. } => 8,
        Event::DeadlinePassed { .. } | Event::Panicked { .. } | Event::Resumed { .. } => 9,
    }
}

fn machine(criterion: &mut Criterion) {
    for (name, played) in [("callback", callback()), ("bridge", bridge())] {
        let mut group = criterion.benchmark_group(name);
        let mut turn = played.steps.iter().cycle();
        group.bench_function("step", |bencher| {
            bencher
                .iter(|| turn.next().map(|(call, event, at)| step(black_box(call), black_box(event), *at)));
        });
        let mut turn = played.steps.iter().cycle();
        group.bench_function("baseline: a copy of the state", |bencher| {
            bencher.iter(|| turn.next().map(|(call, _, _)| black_box(call).clone()));
        });
        let mut turn = played.steps.iter().cycle();
        group.bench_function("baseline: a match that does nothing", |bencher| {
            bencher.iter(|| turn.next().map(|(_, event, _)| nothing(black_box(event))));
        });
        group.bench_function(format!("fold of its {} events", played.log.len()), |bencher| {
            bencher.iter(|| fold(black_box(&played.log).iter().map(|(event, at)| (event, *at))));
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(60).measurement_time(Duration::from_secs(3));
    targets = machine
}
criterion_main!(benches);
