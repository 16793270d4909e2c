//! Input from outside: webhooks that are repeated until they are acknowledged, and reports.

use std::collections::VecDeque;
use std::collections::btree_map::Entry;

use precall_actors::admission::call_registry::SightingMatch;
use precall_actors::durability::batcher::Unit;
use precall_call::{Admission, At, CallId, Event, Grade, Offer, open};
use precall_store::events::rows::{Batch, KeptEnd, RowWrite, Time};
use uuid::Uuid;

use crate::engine::{Ack, Engine, Live, policy};
use crate::happening::{Happening, Kind, Post, To};
use crate::sayings::{report, sighting};
use crate::world::{MINUTE, SECOND, SLOTS, World};

impl World {
    pub(crate) fn arrival(&mut self) {
        self.next_pbx += 1;
        let pbx = self.next_pbx;
        let ends_first = self.random.per_mille(50);
        self.will_post(pbx, Kind::Incoming, if ends_first { SECOND } else { 0 });
        if self.random.per_mille(250) {
            let later = self.random.between(0, 3 * SECOND);
            self.will_post(pbx, Kind::Incoming, later);
        }
        if ends_first {
            self.will_post(pbx, Kind::Ended, 0);
        } else if self.random.per_mille(400) {
            let later = self.random.between(0, MINUTE);
            self.will_post(pbx, Kind::Ended, later);
        }
    }

    pub(crate) fn will_post(&mut self, pbx: u64, kind: Kind, wait: i64) {
        let post = self.posts.len();
        self.posts.push(Post { pbx, kind, tries: 0, is_acknowledged: false });
        self.after(wait, Happening::Post(post));
    }

    pub(crate) fn post(&mut self, post: usize) {
        if self.posts[post].is_acknowledged || self.posts[post].tries > 40 {
            return;
        }
        self.posts[post].tries += 1;
        // A sender without an answer repeats the webhook.
        self.after(3 * SECOND, Happening::Post(post));
        // It goes to any process. One that does not lead, or is not sure of it, refuses it.
        let first = usize::from(self.random.per_mille(500));
        let acting = [first, SLOTS - 1 - first].into_iter().find_map(|slot| {
            let engine = self.engines[slot].as_ref().filter(|_| self.paused[slot] <= self.now)?;
            let to = To { slot, epoch: engine.epoch };
            (engine.generation.is_some() && self.is_sure(to, engine)).then_some(to)
        });
        let Some(to) = acting else { return };
        let Some(mut engine) = self.engine(to) else { return };
        match self.posts[post].kind {
            Kind::Incoming => self.incoming(to, &mut engine, post),
            Kind::Ended => self.pbx_ended(to, &mut engine, post),
            Kind::Reported(conversation) => self.reported(to, &mut engine, post, conversation),
        }
        self.put_back(to, engine);
    }

    pub(crate) fn incoming(&mut self, to: To, engine: &mut Engine, post: usize) {
        let pbx = self.posts[post].pbx;
        let sighting = sighting(pbx);
        let ended_before = match engine.registry.find(&sighting, At(self.now)) {
            SightingMatch::Call(id) => return self.duplicate(engine, id, post),
            SightingMatch::EndedBefore => true,
            SightingMatch::New => false,
        };
        if !self.may_act(to, engine) {
            return;
        }
        let id = CallId(self.new_id());
        engine.registry.admit(id, sighting, At(self.now));
        let admission = if ended_before { Admission::EndedBefore } else { Admission::Accepted };
        let offer = Offer { policy: policy(), admission };
        let begun = open(&offer, At(self.now));
        let mut live = Live::new(begun.next, pbx, 0);
        live.record(id, &Event::Offered(offer));
        live.waiting.push((1, post));
        engine.calls.insert(id.0, live);
        self.proceed(to, engine, id, begun.effects.into());
    }

    /// Acknowledges a repeated webhook when the original is durable; only then the call's actor stops.
    pub(crate) fn duplicate(&mut self, engine: &mut Engine, id: CallId, post: usize) {
        match engine.calls.get_mut(&id.0) {
            Some(live) => {
                live.waiting.push((live.call.version, post));
                self.acknowledge(engine, id);
            }
            None => self.posts[post].is_acknowledged = true,
        }
    }

    pub(crate) fn pbx_ended(&mut self, to: To, engine: &mut Engine, post: usize) {
        let pbx = self.posts[post].pbx;
        match engine.registry.find_for_notice(&sighting(pbx), At(self.now)) {
            Some(id) => self.deliver(to, engine, id, &Event::PbxCallEnded { duration: None }, post),
            None => {
                engine.registry.ended_early("default", &pbx.to_string(), At(self.now));
                let end = KeptEnd {
                    pbx: "default".to_owned(),
                    threecx_call_id: pbx.to_string(),
                    ended_at: Time(At(self.now)),
                };
                let batch = Batch { entries: Vec::new(), rows: vec![RowWrite::EarlyEndKept(end)] };
                let next = engine.write_path.append(Unit { batch, ack: Ack::Post(post) });
                self.go_on(to, engine, next);
            }
        }
    }

    pub(crate) fn deliver(&mut self, to: To, engine: &mut Engine, id: CallId, event: &Event, post: usize) {
        if let Entry::Vacant(place) = engine.calls.entry(id.0) {
            // A released call is read back, which needs the database.
            let owner = Uuid::from_u128(id.0);
            let logged = self.database.logs.get(&owner).filter(|_| self.reaches(to.slot));
            let Some(logged) = logged else { return };
            let (call, pbx) = (logged.call.clone(), logged.pbx);
            // Its last events may still be in the spool; then the database's state is too old.
            let durable = self.durable.get(&owner).copied().unwrap_or(0);
            if u64::try_from(durable).unwrap() > call.version {
                return;
            }
            let version = call.version;
            place.insert(Live::new(call, pbx, version));
        }
        let Some(live) = engine.calls.get_mut(&id.0) else { return };
        let mut work = VecDeque::new();
        live.apply(id, event, At(self.now), &mut work);
        live.waiting.push((live.call.version, post));
        self.proceed(to, engine, id, work);
    }

    pub(crate) fn conversation_over(&mut self, number: usize) {
        self.provider.conversations[number].is_over = true;
        let (pbx, times) = (0, self.random.between(1, 10));
        let reports = match times {
            1 => 0,
            2 => 2,
            _ => 1,
        };
        for _ in 0..reports {
            let late = if self.random.per_mille(150) { 90 * SECOND } else { 3 * SECOND };
            let wait = self.random.between(0, late);
            self.will_post(pbx, Kind::Reported(number), wait);
        }
    }

    pub(crate) fn reported(&mut self, to: To, engine: &mut Engine, post: usize, number: usize) {
        let conversation = self.provider.conversations[number].clone();
        if engine.registry.knows(conversation.call) {
            let event = Event::Reported(report(conversation.id, conversation.purpose));
            self.deliver(to, engine, conversation.call, &event, post);
            self.provider.conversations[number].was_reported |= self.posts[post].is_acknowledged;
        }
    }

    /// Collects reports that arrived by no webhook.
    pub(crate) fn collect(&mut self, to: To, engine: &mut Engine) {
        for number in 0..self.provider.conversations.len() {
            let conversation = self.provider.conversations[number].clone();
            let live = engine.calls.get(&conversation.call.0);
            let is_due = live.is_some_and(|live| {
                let known = live.call.conversation(conversation.purpose);
                known.is_some_and(|known| known.id.is_some() && known.grade != Grade::Completed)
            });
            if conversation.is_over && is_due && self.random.per_mille(300) {
                let event = Event::Reported(report(conversation.id, conversation.purpose));
                self.take(to, engine, conversation.call, &event);
            }
        }
        self.after(15 * SECOND, Happening::Collect { to });
    }
}
