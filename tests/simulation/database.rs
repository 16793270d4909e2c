//! The database as the store uses it: atomic transactions, a lock, a generation. It replays every log as it grows.

use std::collections::{BTreeMap, BTreeSet};

use precall_actors::durability::lease::Company;
use precall_call::{At, Call, CallId, Event, open, step};
use precall_store::events::event_json;
use precall_store::events::rows::{Batch, RowWrite};
use precall_store::leader::engine_lock::Holder;
use precall_store::leader::lease::{LastLeader, LeaseRow, Renewal};
use precall_store::leader::standby_seat::Sight;
use serde_json::Value;
use uuid::Uuid;

use crate::world::SECOND;

/// Why a transaction was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Away,
    Superseded,
}

/// A call and its event log.
pub struct Logged {
    pub events: Vec<Value>,
    pub call: Call,
    pub pbx: u64,
}

/// The simulated database.
#[derive(Default)]
pub struct Database {
    pub is_up: bool,
    /// The process whose session holds the lock.
    pub lock: Option<u64>,
    pub generation: u64,
    pub lease: Option<LeaseRow>,
    /// When each waiting process last looked.
    pub seats: BTreeMap<u64, i64>,
    /// The spools that the acting start has taken over, with the generation for which that holds.
    pub adopted: BTreeMap<usize, u64>,
    pub logs: BTreeMap<Uuid, Logged>,
    pub early_ends: BTreeSet<u64>,
    /// Calls that were written late from their first event: only their dead process knew them.
    pub late: BTreeSet<Uuid>,
    /// Events that conflict with an event of the same key, or were written late.
    pub quarantined: Vec<(Uuid, i64, &'static str)>,
    pub committed: u64,
}

impl Database {
    /// The database stops; all sessions end.
    pub fn go_away(&mut self) {
        self.is_up = false;
        self.lock = None;
    }

    /// What a waiting process sees.
    pub fn sight(&self) -> Sight {
        let last = self.lease.map_or(LastLeader::Never, LastLeader::Leased);
        let held = |epoch| Holder {
            process: Some(i32::try_from(epoch).unwrap()),
            application: None,
            address: String::new(),
            since: None,
        };
        Sight { last, holder: self.lock.map(held) }
    }

    /// As the statement of a renewal. Says whether a standby is there, if it was written.
    pub fn renew(&mut self, epoch: u64, generation: u64, renewal: Renewal, now: i64) -> Option<Company> {
        let holds_lock = self.lock == Some(epoch);
        let row = self.lease.as_mut().filter(|row| {
            holds_lock && row.generation == generation && row.beat < renewal.beat && !row.released
        })?;
        (row.beat, row.lease) = (renewal.beat, renewal.lease);
        let has_standby = self.seats.values().any(|looked| now - looked < 2 * SECOND);
        Some(if has_standby { Company::Standby } else { Company::Alone })
    }

    pub fn write(&mut self, batch: &Batch, generation: u64) -> Result<(), Refusal> {
        if !self.is_up {
            return Err(Refusal::Away);
        }
        if generation != self.generation {
            return Err(Refusal::Superseded);
        }
        for entry in &batch.entries {
            self.append(entry.owner, entry.seq, &entry.event, entry.at, entry.pii.as_ref());
        }
        self.keep(batch);
        Ok(())
    }

    /// Writes the spool of a process that is not the leader any more: complete logs are added, the rest is quarantined.
    pub fn write_late(&mut self, batch: &Batch, own: &mut BTreeSet<Uuid>) {
        let firsts = batch.entries.iter().filter(|entry| entry.seq == 1).map(|entry| entry.owner);
        own.extend(firsts.filter(|owner| !self.logs.contains_key(owner)));
        for entry in &batch.entries {
            if own.contains(&entry.owner) {
                self.late.insert(entry.owner);
                self.append(entry.owner, entry.seq, &entry.event, entry.at, entry.pii.as_ref());
            } else if self.event(entry.owner, entry.seq) != Some(&entry.event) {
                self.quarantined.push((entry.owner, entry.seq, "late"));
            }
        }
        self.keep(batch);
    }

    fn keep(&mut self, batch: &Batch) {
        for row in &batch.rows {
            if let RowWrite::EarlyEndKept(end) = row {
                self.early_ends.insert(end.threecx_call_id.parse().unwrap());
            }
        }
    }

    pub fn event(&self, owner: Uuid, seq: i64) -> Option<&Value> {
        let index = usize::try_from(seq).ok()?.checked_sub(1)?;
        self.logs.get(&owner)?.events.get(index)
    }

    fn append(&mut self, owner: Uuid, seq: i64, event: &Value, at: At, pii: Option<&Value>) {
        if let Some(there) = self.event(owner, seq) {
            if there != event {
                self.quarantined.push((owner, seq, "another event has this key"));
            }
            return;
        }
        let decoded = event_json::decode(event).expect("a written event can be decoded");
        self.committed += 1;
        let Some(logged) = self.logs.get_mut(&owner) else {
            assert_eq!(seq, 1, "the log of {owner} begins with event {seq}");
            let Event::Offered(offer) = &decoded else { panic!("the first event is {event}") };
            let pbx = pii.and_then(|pii| pii["pbx"].as_u64()).expect("an offer has the PBX's id");
            self.early_ends.remove(&pbx);
            let call = open(offer, at).next;
            self.logs.insert(owner, Logged { events: vec![event.clone()], call, pbx });
            return;
        };
        assert_eq!(usize::try_from(seq).unwrap(), logged.events.len() + 1, "the log of {owner} has a gap");
        let next = step(&logged.call, &decoded, at).next;
        assert_ne!(next.version, logged.call.version, "event {seq} of {owner} changes nothing: {event}");
        logged.call = next;
        logged.events.push(event.clone());
    }

    /// Calls that are not released.
    pub fn live(&self) -> Vec<(CallId, u64, Call)> {
        let live = self.logs.iter().filter(|(_, logged)| !logged.call.is_released());
        live.map(|(id, logged)| (CallId(id.as_u128()), logged.pbx, logged.call.clone())).collect()
    }
}
