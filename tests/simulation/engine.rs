//! One process: the real rules, in the order in which the actors apply them.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use precall_actors::admission::call_registry::CallRegistry;
use precall_actors::caller_key::CallerKey;
use precall_actors::durability::batcher::Unit;
use precall_actors::durability::lease::{Lease, Patience};
use precall_actors::durability::write_path::{DrainMark, WritePath, WriteStep};
use precall_actors::voices::rules::VoiceRules;
use precall_actors::voices::slot_rules::SlotRules;
use precall_actors::voices::terms::VoiceLimits;
use precall_call::{At, Call, CallId, Effect, Event, Policy, Route, step};
use precall_store::events::event_json;
use precall_store::events::rows::{Batch, Entry, Stream};
use precall_store::spool::Spool;
use precall_store::voices::ConsentRule;
use precall_test_support::call_policy;
use uuid::Uuid;

use crate::disk::Disk;

/// Limit of a spool, in bytes.
pub const SPOOL_MAX: u64 = 1 << 30;

/// The lease of a leader without a standby.
pub const ALONE: Duration = Duration::from_secs(300);

/// Who is notified when a unit is durable.
#[derive(Clone, Debug)]
pub enum Ack {
    Call(CallId, u64),
    /// The sender of a webhook that belongs to no event.
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
    /// Parts of the call that will still report.
    pub parts: u32,
    /// How often a dial has waited for a leadership check.
    pub looks: u32,
}

impl Live {
    pub fn new(call: Call, pbx: u64, durable: u64) -> Self {
        let (unsent, after_durable, waiting) = (Vec::new(), VecDeque::new(), Vec::new());
        Self { call, pbx, unsent, after_durable, durable, waiting, timer: None, parts: 0, looks: 0 }
    }

    /// Applies an event as the call's actor does; its effects are queued behind the pending ones.
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

/// One simulated process.
pub struct Engine {
    /// Counts process starts. Messages for an earlier process are dropped.
    pub epoch: u64,
    /// The generation as leader; `None` on standby.
    pub generation: Option<u64>,
    pub lease: Lease,
    pub patience: Patience,
    pub registry: CallRegistry,
    pub calls: BTreeMap<u128, Live>,
    pub rules: VoiceRules,
    pub slots: SlotRules,
    /// Jobs that have not uploaded yet.
    pub preparing: BTreeMap<u128, CallerKey>,
    pub write_path: WritePath<Ack>,
    pub spool: Spool<Disk>,
    /// Since when the spool is being drained.
    pub draining: Option<DrainMark>,
    /// The current operation: answers to earlier ones are ignored.
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
            lease: Lease::new(ALONE),
            patience: Patience::default(),
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

    /// Sends the call's unsent events to the write path; returns the next operation if the path is idle.
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

/// The policy of all calls in the simulation.
pub fn policy() -> Arc<Policy> {
    Arc::new(Policy {
        has_bridge: false,
        has_transfer: false,
        has_destination: false,
        skip_key: None,
        person_key: None,
        handoff_max: Duration::from_secs(60),
        conversation_max: Duration::from_secs(120),
        leg_max: Duration::from_secs(180),
        list_max: None,
        ..call_policy(Route::Callback)
    })
}

/// A batch on its way to the database.
#[derive(Clone)]
pub struct InFlight {
    pub batch: Rc<Batch>,
    pub generation: u64,
}
