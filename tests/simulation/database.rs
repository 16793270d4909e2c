//! The database as the store uses it: transactions that happen at one moment, a lock, a generation. It plays every log
//! back as it grows.

use std::collections::{BTreeMap, BTreeSet};

use precall_call::{At, Call, CallId, Event, open, step};
use precall_store::events::event_json;
use precall_store::events::rows::{Batch, RowWrite};
use serde_json::Value;
use uuid::Uuid;

/// Why a transaction was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Away,
    Superseded,
}

/// A call as its log has it.
pub struct Logged {
    pub events: Vec<Value>,
    pub call: Call,
    pub pbx: u64,
}

/// See the file.
#[derive(Default)]
pub struct Database {
    pub is_up: bool,
    pub came_at: i64,
    /// Which start holds the lock.
    pub lock: Option<u64>,
    pub generation: u64,
    pub logs: BTreeMap<Uuid, Logged>,
    pub early_ends: BTreeSet<u64>,
    /// Calls that were written late, from their beginning: nobody but their dead engine knew of them.
    pub late: BTreeSet<Uuid>,
    /// What met another event under its key, or was written late.
    pub quarantined: Vec<(Uuid, i64, &'static str)>,
    pub committed: u64,
}

impl Database {
    /// It is gone, and so are all sessions.
    pub fn go_away(&mut self) {
        self.is_up = false;
        self.lock = None;
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

    /// What a start left behind that no longer acts: whole logs enter, the rest goes apart.
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
                self.quarantined.push((owner, seq, "another event stands under its key"));
            }
            return;
        }
        let decoded = event_json::decode(event).expect("what was written can be read");
        self.committed += 1;
        let Some(logged) = self.logs.get_mut(&owner) else {
            assert_eq!(seq, 1, "the log of {owner} begins with event {seq}");
            let Event::Offered(offer) = &decoded else { panic!("it begins with {event}") };
            let pbx = pii.and_then(|pii| pii["pbx"].as_u64()).expect("an offer says whose it is");
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

    /// Calls that are not over.
    pub fn live(&self) -> Vec<(CallId, u64, Call)> {
        let live = self.logs.iter().filter(|(_, logged)| !logged.call.is_released());
        live.map(|(id, logged)| (CallId(id.as_u128()), logged.pbx, logged.call.clone())).collect()
    }
}
