//! How batches become durable, as in the persistence actor.

use std::collections::VecDeque;

use precall_actors::durability::write_path::WriteStep;
use precall_call::{At, CallId};
use precall_store::events::rows::Batch;
use precall_store::spool::batch;
use precall_store::spool::batch::to_frame;
use uuid::Uuid;

use crate::database::Refusal;
use crate::engine::{Ack, Engine, InFlight};
use crate::happening::{Happening, Operation, To};
use crate::world::{DIRECT_WITHIN, DRAIN_WITHIN, MS, Planted, SECOND, World};

impl World {
    pub(crate) fn go_on(&mut self, to: To, engine: &mut Engine, next: Option<WriteStep>) {
        let Some(next) = next else { return };
        engine.operation += 1;
        let operation = engine.operation;
        let generation = engine.generation.unwrap();
        match next {
            WriteStep::Write(batch) => {
                let work = InFlight { batch: (*batch).clone().into(), generation };
                self.execute(to, Operation::Write(operation), work, DIRECT_WITHIN);
            }
            WriteStep::Spool(batch) => {
                let frame = to_frame(&batch, generation).unwrap();
                let came = engine.spool.append(&frame).map_err(|_| engine.spool.frames());
                let wait = self.random.between(MS, 20 * MS);
                self.after(wait, Happening::Spooled { to, operation, came });
            }
        }
    }

    pub(crate) fn execute(&mut self, to: To, operation: Operation, work: InFlight, within: i64) {
        let mut wait = self.random.between(200, 3 * MS);
        if self.random.per_mille(20) {
            wait = self.random.between(MS, 15 * SECOND);
        }
        let is_answered = !self.random.per_mille(15);
        self.after(wait, Happening::Execute { to, operation, work, is_answered });
        self.after(within, Happening::Overdue { to, operation });
    }

    pub(crate) fn answered(
        &mut self,
        to: To,
        engine: &mut Engine,
        operation: Operation,
        came: Result<(), Refusal>,
    ) -> bool {
        if came == Err(Refusal::Superseded) {
            return false;
        }
        match operation {
            Operation::Write(number) if number == engine.operation => {
                if matches!(engine.write_path.in_hand(), Some(WriteStep::Write(_))) {
                    if came.is_ok() {
                        self.done(to, engine);
                    } else {
                        let next = engine.write_path.outcome_unknown();
                        self.go_on(to, engine, next);
                        self.start_draining(to, engine);
                    }
                }
            }
            Operation::Drain(frames, backoff) if engine.draining.is_some() => {
                if came.is_ok() {
                    // An answer to an earlier attempt may arrive after that of a later one; both say the same.
                    if engine.spool.frames() >= frames {
                        engine.spool.take_out(frames).unwrap();
                    }
                    self.drain(to, engine, 50 * MS);
                } else {
                    let backoff = (backoff * 2).min(2 * SECOND);
                    self.after(backoff, Happening::Drain { to, backoff });
                }
            }
            Operation::Write(_) | Operation::Drain(..) => {}
        }
        true
    }

    pub(crate) fn start_draining(&mut self, to: To, engine: &mut Engine) {
        if engine.write_path.is_spooling() && engine.draining.is_none() {
            engine.draining = Some(engine.write_path.begin_drain());
            self.after(MS, Happening::Drain { to, backoff: 50 * MS });
        }
    }

    pub(crate) fn drain(&mut self, to: To, engine: &mut Engine, backoff: i64) {
        if engine.draining.is_none() {
            return;
        }
        match batch::peek(&mut engine.spool, 0).unwrap() {
            Some(together) => {
                let work = InFlight { batch: together.batch.into(), generation: together.generation };
                // One attempt at a time: an unanswered one times out before the next one.
                let operation = Operation::Drain(together.frames, backoff);
                let came = if self.random.per_mille(20) {
                    self.execute_unanswered(to.slot, work);
                    Err(Refusal::Away)
                } else {
                    self.write(to.slot, &work)
                };
                let wait = if came.is_ok() { self.random.between(500, 5 * MS) } else { DRAIN_WITHIN / 10 };
                self.after(wait, Happening::Answered { to, operation, came });
            }
            None => {
                let wait = self.random.between(50, 5 * MS);
                self.after(wait, Happening::Emptied { to });
            }
        }
    }

    pub(crate) fn emptied(&mut self, to: To, engine: &mut Engine) {
        let Some(mark) = engine.draining.take() else { return };
        if !engine.write_path.drained(mark)
            && !matches!(engine.write_path.in_hand(), Some(WriteStep::Spool(_)))
        {
            self.start_draining(to, engine);
        }
    }

    pub(crate) fn execute_unanswered(&mut self, slot: usize, work: InFlight) {
        let to = To { slot, epoch: 0 };
        let operation = Operation::Write(0);
        self.after(MS, Happening::Execute { to, operation, work, is_answered: false });
    }

    pub(crate) fn done(&mut self, to: To, engine: &mut Engine) {
        let (acks, next) = engine.write_path.done();
        self.go_on(to, engine, next);
        self.start_draining(to, engine);
        for ack in acks {
            match ack {
                Ack::Call(id, version) => self.call_durable(to, engine, id, version),
                Ack::Post(post) => {
                    self.promised_ends.insert(self.posts[post].pbx);
                    self.posts[post].is_acknowledged = true;
                }
            }
        }
    }

    pub(crate) fn call_durable(&mut self, to: To, engine: &mut Engine, id: CallId, version: u64) {
        let Some(live) = engine.calls.get_mut(&id.0) else { return };
        live.durable = live.durable.max(version);
        self.acknowledge(engine, id);
        let mut work = VecDeque::new();
        while let Some(live) = engine.calls.get_mut(&id.0)
            && let Some((_, effect)) =
                live.after_durable.front().filter(|(version, _)| *version <= live.durable)
        {
            let effect = effect.clone();
            live.after_durable.pop_front();
            if live.call.still_wants(&effect) {
                self.perform(to, engine, id, &effect);
            } else if let Some(event) = effect.event_if_not_performed() {
                live.apply(id, &event, At(self.now), &mut work);
            }
        }
        self.proceed(to, engine, id, work);
    }

    pub(crate) fn acknowledge(&mut self, engine: &mut Engine, id: CallId) {
        // A standby does not know what is only in the spool.
        let is_known = !engine.lease.may_be_followed() || !engine.write_path.is_spooling();
        let Some(live) = engine.calls.get_mut(&id.0) else { return };
        let durable = if self.planted == Planted::AcknowledgedEarly { u64::MAX } else { live.durable };
        let owner = Uuid::from_u128(id.0);
        for (version, post) in std::mem::take(&mut live.waiting) {
            if version > durable {
                live.waiting.push((version, post));
                continue;
            }
            if !is_known {
                continue;
            }
            let seq = i64::try_from(version).unwrap();
            let kept = self.durable.get(&owner).copied().unwrap_or(0);
            assert!(kept >= seq, "event {seq} of call {id} is acknowledged, but only {kept} are durable");
            self.promised.insert((owner, seq));
            // An answer that is lost is asked for again, perhaps at the other process.
            self.posts[post].is_acknowledged = !self.random.per_mille(50);
        }
    }

    pub(crate) fn now_durable(&mut self, batch: &Batch) {
        for entry in &batch.entries {
            let last = self.durable.entry(entry.owner).or_default();
            *last = (*last).max(entry.seq);
        }
    }
}
