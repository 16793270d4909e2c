//! Calls: passes events to `step` and performs its effects, as the call's actor does.

use std::collections::VecDeque;

use precall_actors::caller_key::CallerKey;
use precall_actors::voices::terms::{MappedCaller, VoiceOrder, VoiceOutcome, VoiceRequest};
use precall_call::{
    At, CallId, CloneJobId, Effect, Event, GreetingEnd, HandoffFailure, Purpose, VoicePolicy,
};
use precall_store::voices::{Covered, Mapping};
use uuid::Uuid;

use crate::engine::Engine;
use crate::happening::{Happening, To};
use crate::provider::Fate;
use crate::sayings::{key_of, report, succeeded};
use crate::world::{MS, Planted, SECOND, World};

impl World {
    pub(crate) fn take(&mut self, to: To, engine: &mut Engine, id: CallId, event: &Event) {
        let Some(live) = engine.calls.get_mut(&id.0) else { return };
        let mut work = VecDeque::new();
        live.apply(id, event, At(self.now), &mut work);
        self.tell(|| format!("{to:?} {id} {event:?} -> {:?} {work:?}", engine.calls[&id.0].call.phase));
        self.proceed(to, engine, id, work);
    }

    pub(crate) fn proceed(&mut self, to: To, engine: &mut Engine, id: CallId, mut work: VecDeque<Effect>) {
        while let Some(effect) = work.pop_front() {
            let Some(live) = engine.calls.get_mut(&id.0) else { return };
            match effect {
                Effect::Intend(event) => live.apply(id, &event, At(self.now), &mut work),
                effect if effect.needs_durable_intent() && self.planted != Planted::DialledEarly => {
                    live.after_durable.push_back((live.call.version, effect));
                }
                effect => self.perform(to, engine, id, &effect),
            }
        }
        let next = engine.send(id);
        self.go_on(to, engine, next);
        self.acknowledge(engine, id);
        let Some(live) = engine.calls.get_mut(&id.0) else { return };
        if let Some(deadline) = live.call.deadline()
            && live.timer.is_none_or(|at| at > deadline.due)
        {
            live.timer = Some(deadline.due);
            let wait = (deadline.due.0 - self.now).max(MS);
            self.after(wait, Happening::Timer { to, call: id, due: deadline.due });
        }
        let live = &engine.calls[&id.0];
        if live.call.is_released() {
            engine.registry.released(id);
        }
        if live.is_settled() {
            engine.calls.remove(&id.0);
            engine.slots.unpin(id);
        }
    }

    pub(crate) fn timer(&mut self, to: To, engine: &mut Engine, id: CallId, due: At) {
        let Some(live) = engine.calls.get_mut(&id.0).filter(|live| live.timer == Some(due)) else { return };
        live.timer = None;
        let deadline = live.call.deadline().filter(|deadline| deadline.due.0 <= self.now);
        match deadline {
            Some(deadline) => {
                self.take(to, engine, id, &Event::DeadlinePassed { generation: deadline.generation });
            }
            None => self.proceed(to, engine, id, VecDeque::new()),
        }
    }

    pub(crate) fn perform(&mut self, to: To, engine: &mut Engine, id: CallId, effect: &Effect) {
        let live = engine.calls.get_mut(&id.0).unwrap();
        match effect {
            Effect::DialGreeting => self.dial(to, engine, id, effect, Purpose::Greeting, 0),
            Effect::StartHandoff { attempt, rung, .. } if rung.dials() => {
                self.dial(to, engine, id, effect, Purpose::Agent, *attempt);
            }
            Effect::StartHandoff { attempt, .. } => {
                live.parts += 1;
                let (purpose, attempt, fate) = (Purpose::Agent, *attempt, Fate::Refused);
                self.after(MS, Happening::Dialled { to, call: id, purpose, attempt, fate });
            }
            Effect::LookUp(purpose) => {
                live.parts += 1;
                let attempt = live.call.latest_attempt();
                let wait = self.random.between(50 * MS, 5 * SECOND);
                self.after(wait, Happening::LookedUp { to, call: id, purpose: *purpose, attempt });
            }
            Effect::AskForVoice { proof } => {
                let key = key_of(live.pbx);
                let job = CloneJobId(self.new_id());
                let due = At(self.now + 35 * SECOND);
                let request = VoiceRequest { call: id, policy: VoicePolicy::Number, proof: *proof, due };
                let orders = engine.rules.request(request, key, job);
                self.orders(to, engine, orders);
            }
            Effect::StopWaiting => {
                let orders = engine.rules.cancel(id);
                self.orders(to, engine, orders);
            }
            // The simulation watches no greeting, and the provider has a seat for every conversation.
            Effect::StopWatchingGreeting | Effect::ReleaseSeat => {}
            _ => panic!("a call without a leg orders {effect:?}"),
        }
    }

    pub(crate) fn dial(
        &mut self,
        to: To,
        engine: &mut Engine,
        id: CallId,
        effect: &Effect,
        purpose: Purpose,
        attempt: u8,
    ) {
        // A process that has not checked its leadership recently checks it first, and stops if it fails.
        if !self.may_act(to, engine) {
            let live = engine.calls.get_mut(&id.0).unwrap();
            let gives_up = live.looks >= 80;
            live.looks = if gives_up { 0 } else { live.looks + 1 };
            if gives_up {
                live.parts += 1;
                let fate = Fate::Refused;
                return self.after(MS, Happening::Dialled { to, call: id, purpose, attempt, fate });
            }
            let effect = effect.clone();
            return self.after(100 * MS, Happening::Perform { to, call: id, effect });
        }
        let live = engine.calls.get_mut(&id.0).unwrap();
        live.parts += 1;
        let pbx = live.pbx;
        let owner = Uuid::from_u128(id.0);
        let intent = self.durable.get(&owner).copied().unwrap_or(0);
        let intended = live.call.conversations.iter().any(|c| c.purpose == purpose);
        assert!(intended && intent >= 2, "a dial of {id} without a durable intent");
        // An earlier process may have dialled and stopped before recording it: look up before dialling.
        if live.call.resumed > 0
            && let Some(found) = self.provider.find(id, purpose)
        {
            let id_found = found.id.clone();
            let event = succeeded(purpose, attempt, Some(id_found));
            live.parts -= 1;
            return self.take(to, engine, id, &event);
        }
        let fate = match self.random.between(1, 100) {
            1..=6 => Fate::Refused,
            7..=11 => Fate::Lost,
            12..=16 => Fate::ExecutedSilently,
            _ => Fate::Executed,
        };
        if matches!(fate, Fate::Executed | Fate::ExecutedSilently) {
            self.tell(|| format!("{to:?} {id} dials {purpose:?} {attempt} {fate:?}"));
            let conversation = self.provider.dialled(id, pbx, purpose);
            let length = self.random.between(SECOND, 30 * SECOND);
            self.after(length, Happening::Over { conversation });
        }
        let wait = match fate {
            Fate::Executed | Fate::Refused => self.random.between(20 * MS, 800 * MS),
            Fate::Lost | Fate::ExecutedSilently => self.random.between(5 * SECOND, 20 * SECOND),
        };
        self.after(wait, Happening::Dialled { to, call: id, purpose, attempt, fate });
    }

    pub(crate) fn dialled(
        &mut self,
        to: To,
        engine: &mut Engine,
        id: CallId,
        purpose: Purpose,
        attempt: u8,
        fate: Fate,
    ) {
        let found = self.provider.find(id, purpose).map(|found| found.id.clone());
        let event = match (fate, purpose) {
            (Fate::Refused, Purpose::Greeting) => Event::GreetingEnded { end: GreetingEnd::Refused },
            (Fate::Refused, Purpose::Agent) => Event::HandoffFailed { attempt, why: HandoffFailure::Refused },
            (Fate::Lost, Purpose::Greeting) => Event::GreetingEnded { end: GreetingEnd::Failed },
            (Fate::Lost, Purpose::Agent) => Event::HandoffFailed { attempt, why: HandoffFailure::Unknown },
            (Fate::Executed | Fate::ExecutedSilently, purpose) => succeeded(purpose, attempt, found),
        };
        if matches!(fate, Fate::Lost | Fate::ExecutedSilently) && purpose == Purpose::Greeting {
            self.take(to, engine, id, &Event::GreetingEnded { end: GreetingEnd::Unknown });
        }
        if let Some(live) = engine.calls.get_mut(&id.0) {
            live.parts -= 1;
        }
        self.take(to, engine, id, &event);
    }

    pub(crate) fn looked_up(
        &mut self,
        to: To,
        engine: &mut Engine,
        id: CallId,
        purpose: Purpose,
        attempt: u8,
    ) {
        if let Some(live) = engine.calls.get_mut(&id.0) {
            live.parts -= 1;
        }
        if self.random.per_mille(100) {
            // The provider could not be reached: the call's deadline handles this case.
            return self.proceed_if_there(to, engine, id);
        }
        let event = match (self.provider.find(id, purpose), purpose) {
            (Some(found), _) => succeeded(purpose, attempt, Some(found.id.clone())),
            (None, Purpose::Greeting) => Event::GreetingEnded { end: GreetingEnd::Failed },
            (None, Purpose::Agent) => Event::HandoffFailed { attempt, why: HandoffFailure::Unknown },
        };
        self.take(to, engine, id, &event);
        let over = self.provider.find(id, purpose).filter(|found| found.is_over);
        if let Some(report) = over.map(|found| report(found.id.clone(), purpose)) {
            self.take(to, engine, id, &Event::Reported(report));
        }
    }

    pub(crate) fn proceed_if_there(&mut self, to: To, engine: &mut Engine, id: CallId) {
        if engine.calls.contains_key(&id.0) {
            self.proceed(to, engine, id, VecDeque::new());
        }
    }

    pub(crate) fn orders(&mut self, to: To, engine: &mut Engine, orders: Vec<VoiceOrder>) {
        for order in orders {
            match order {
                VoiceOrder::ReadMapping { key, job } => {
                    let wait = self.random.between(MS, 10 * MS);
                    self.after(wait, Happening::Mapped { to, key, job });
                }
                VoiceOrder::RequestAgain(request, key) => {
                    let job = CloneJobId(self.new_id());
                    let orders = engine.rules.request(request, key, job);
                    self.orders(to, engine, orders);
                }
                VoiceOrder::StartJob { job, key, .. } => {
                    let running =
                        self.provider.cloning.entry(format!("{} {}", to.epoch, key.caller)).or_default();
                    *running += 1;
                    assert_eq!(*running, 1, "two clones of {} at once", key.caller);
                    assert!(engine.rules.running() <= 3, "too many clones at once");
                    engine.preparing.insert(job.0, key.clone());
                    let slot = engine.slots.request(job);
                    self.slot(to, engine, &key, job, slot);
                }
                VoiceOrder::StopJob(job, _) => {
                    if let Some(key) = engine.preparing.remove(&job.0) {
                        self.provider.cloning.remove(&format!("{} {}", to.epoch, key.caller));
                        engine.slots.release(job);
                    }
                }
                VoiceOrder::Answer(id, outcome) => {
                    let event = match outcome {
                        VoiceOutcome::Ready { voice, job, source } => {
                            engine.slots.pin(id, &voice, At(self.now));
                            let took = std::time::Duration::from_millis(5);
                            Event::VoiceReady { voice, job, source, took }
                        }
                        VoiceOutcome::Missing(why) => Event::VoiceMissing { why, job: None },
                        VoiceOutcome::NeedsProof(way) => Event::ProofAsked { way },
                    };
                    self.take(to, engine, id, &event);
                }
            }
        }
    }

    pub(crate) fn mapped(&mut self, to: To, engine: &mut Engine, key: &CallerKey, job: CloneJobId) {
        let number: u64 = key.caller.parse().unwrap();
        let covered = vec![Covered { sample_sha256: key.caller.clone(), consent: 1 }];
        let consented = if number.is_multiple_of(5) { Vec::new() } else { covered };
        let mapping = || Mapping {
            sample: key.caller.clone(),
            policy: None,
            has_pin: false,
            consented: consented.clone(),
        };
        let known = self
            .reaches(to.slot)
            .then(|| MappedCaller { mapping: (!number.is_multiple_of(4)).then(mapping), mark: None });
        let orders = engine.rules.mapping_read(job, known, At(self.now));
        self.orders(to, engine, orders);
    }
}
