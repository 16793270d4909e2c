//! One process: the real rules, in the order in which the actors ask them.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use precall_actors::admission::call_registry::CallRegistry;
use precall_actors::caller_key::CallerKey;
use precall_actors::durability::batcher::Unit;
use precall_actors::durability::write_path::{DrainMark, WritePath, WriteStep};
use precall_actors::voices::rules::VoiceRules;
use precall_actors::voices::slot_rules::SlotRules;
use precall_actors::voices::terms::VoiceLimits;
use precall_call::{At, Call, CallId, Effect, Event, Policy, Proof, Route, VoiceId, VoiceWait, step};
use precall_store::events::event_json;
use precall_store::events::rows::{Batch, Entry, Stream};
use precall_store::spool::Spool;
use precall_store::voices::ConsentRule;
use uuid::Uuid;

use crate::disk::Disk;

/// Bytes that may wait in a spool.
pub const SPOOL_MAX: u64 = 1 << 30;

/// Who hears that a unit is durable.
#[derive(Clone, Debug)]
pub enum Ack {
    Call(CallId, u64),
    /// Who posted a webhook that belongs to no event.
    Post(usize),
}

/// A call in memory.
pub struct Live {
    pub call: Call,
    pub pbx: u64,
    pub unsent: Vec<Entry>,
    pub after_durable: VecDeque<(u64, Effect)>,
    pub durable: u64,
    /// Posts that are acknowledged when this version is durable.
    pub waiting: Vec<(u64, usize)>,
    pub timer: Option<At>,
    /// Things that will come back.
    pub parts: u32,
    /// How often a dial waited until somebody had looked.
    pub looks: u32,
}

impl Live {
    pub fn new(call: Call, pbx: u64, durable: u64) -> Self {
        let (unsent, after_durable, waiting) = (Vec::new(), VecDeque::new(), Vec::new());
        Self { call, pbx, unsent, after_durable, durable, waiting, timer: None, parts: 0, looks: 0 }
    }

    /// An event as the call's actor takes it; its effects come behind those that are not done yet.
    pub fn apply(&mut self, id: CallId, event: &Event, now: At, work: &mut VecDeque<Effect>) {
        let taken = step(&self.call, event, now);
        if taken.next.version == self.call.version {
            return;
        }
        self.call = taken.next;
        self.record(id, event);
        work.extend(taken.effects);
    }

    pub fn record(&mut self, id: CallId, event: &Event) {
        let pii = matches!(event, Event::Offered(_)).then(|| serde_json::json!({ "pbx": self.pbx }));
        self.unsent.push(Entry {
            stream: Stream::Call,
            owner: Uuid::from_u128(id.0),
            seq: i64::try_from(self.call.version).unwrap(),
            at: self.call.at,
            event: event_json::encode(event),
            pii,
            derived: Vec::new(),
        });
    }

    pub fn is_settled(&self) -> bool {
        self.call.is_released()
            && self.durable >= self.call.version
            && self.parts == 0
            && self.after_durable.is_empty()
            && self.waiting.is_empty()
    }
}

/// See the file.
pub struct Engine {
    /// Counts the starts of processes; what was meant for an earlier one is nobody's.
    pub epoch: u64,
    /// The number it acts with; none while it stands by.
    pub generation: Option<u64>,
    pub stands_by: bool,
    /// When it was last sure to act.
    pub looked: At,
    pub registry: CallRegistry,
    pub calls: BTreeMap<u128, Live>,
    pub rules: VoiceRules,
    pub slots: SlotRules,
    /// Jobs that have sent nothing yet.
    pub preparing: BTreeMap<u128, CallerKey>,
    pub write_path: WritePath<Ack>,
    pub spool: Spool<Disk>,
    /// Since when the spool is being emptied.
    pub draining: Option<DrainMark>,
    /// The operation that is waited for: answers to earlier ones come too late.
    pub operation: u64,
}

impl Engine {
    pub fn new(epoch: u64, disk: Disk) -> Self {
        let limits = VoiceLimits {
            concurrency: 3,
            capacity: std::num::NonZeroUsize::new(20).unwrap(),
            ttl: Duration::from_secs(600),
            consent: ConsentRule::Required,
        };
        Self {
            epoch,
            generation: None,
            stands_by: false,
            looked: At(0),
            registry: CallRegistry::default(),
            calls: BTreeMap::new(),
            rules: VoiceRules::new(limits),
            slots: SlotRules::default(),
            preparing: BTreeMap::new(),
            write_path: WritePath::default(),
            spool: Spool::open(disk, SPOOL_MAX).unwrap(),
            draining: None,
            operation: 0,
        }
    }

    /// What the call has to say to persistence; what is to be done about it, if nothing is being done.
    pub fn send(&mut self, id: CallId) -> Option<WriteStep> {
        let live = self.calls.get_mut(&id.0)?;
        let entries = std::mem::take(&mut live.unsent);
        let ack = Ack::Call(id, live.call.version);
        if entries.is_empty() {
            return None;
        }
        self.write_path.append(Unit { batch: Batch { entries, rows: Vec::new() }, ack })
    }
}

/// What all calls of the simulation may do.
pub fn policy() -> Arc<Policy> {
    Arc::new(Policy {
        route: Route::Callback,
        line: precall_call::LineId::new("default"),
        fallback_voice: Some(VoiceId::new("fallback")),
        voice_wait: VoiceWait::Hold,
        auto_transition: true,
        has_bridge: false,
        has_transfer: false,
        has_destination: false,
        persons: [].into(),
        ends_with_pbx_call: true,
        notice: None,
        skip_key: None,
        person_key: None,
        proof: Proof::None,
        pin_wait: Duration::from_secs(10),
        clone_max_wait: Duration::from_secs(35),
        ring_max: Duration::from_secs(45),
        greeting_max: Duration::from_secs(15),
        handoff_max: Duration::from_secs(60),
        conversation_max: Duration::from_secs(120),
        leg_max: Duration::from_secs(180),
        report_grace: Duration::from_secs(30),
    })
}

/// A batch that is on its way into the database.
#[derive(Clone)]
pub struct InFlight {
    pub batch: Rc<Batch>,
    pub generation: u64,
}
