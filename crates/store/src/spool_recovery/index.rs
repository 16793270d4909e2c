//! What waits in left-behind spools, without its content: which calls and jobs, how far their logs go, and which of
//! them share a row.
//!
//! Logs that share a row (two calls of one caller that use one cached voice, an early end and its call) must be written
//! in order. Logs that share none may be written in any order, and at the same time.
//!
//! Pure: no clock, no I/O, no actor.

use std::borrow::Cow;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashMap};
use std::hash::{Hash, Hasher};

use precall_call::{CallId, Route};
use serde::Deserialize;
use uuid::Uuid;

use super::call_rows::{CallRow, is_accepted, released, took};
use crate::events::raw::{RawBatch, RawEntry, RawRow, RowKind};
use crate::events::rows::Stream;
use crate::recovery::budget_use::Took;
use crate::recovery::recent_calls::StoredKey;

/// The log of a call or job, as far as it is in left-behind spools.
#[derive(Clone, Debug)]
pub struct Log {
    /// Calls or clone jobs.
    pub stream: Stream,
    /// The number of its first event there. 1: the whole log is there, unless it was written meanwhile.
    pub first: i64,
    /// The number of its last event there.
    pub last: i64,
    /// What the row of its last event says, if the call is over with that event. A job has none.
    over: Option<Box<CallRow>>,
    /// Whether its first event is there and says that the call was accepted.
    is_accepted: bool,
    node: u32,
    /// Its frames: the directory's place and the frame's.
    frames: BTreeSet<(usize, usize)>,
}

impl Log {
    /// Whether the call is over with the last event. A job says nothing.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.is_some()
    }
}

/// A call that is over and whose log waits in a left-behind spool.
#[derive(Clone, Debug)]
pub struct CallOver {
    /// How admission knows it.
    pub key: StoredKey,
    /// The caller's account.
    pub account: String,
    /// Whether it was accepted, and so used budgets.
    pub is_accepted: bool,
    /// Whether its caller was called back.
    pub is_callback: bool,
}

/// What waits in left-behind spools.
#[derive(Clone, Debug, Default)]
pub struct Index {
    logs: HashMap<Uuid, Log>,
    /// Rows that logs share, by their hashed key.
    shared: HashMap<u64, u32>,
    /// Frames with rows of no log.
    loose: BTreeSet<(usize, usize)>,
    /// A forest: each node's parent. Logs with the same root are linked.
    parents: Vec<u32>,
    /// What the conversations took whose reports wait. Several reports of one follow each other.
    conversations: Vec<Took>,
    entries: usize,
}

impl Index {
    /// The logs, by the id of the call or job.
    #[must_use]
    pub fn logs(&self) -> &HashMap<Uuid, Log> {
        &self.logs
    }

    /// Calls that are not over as far as these spools say.
    pub fn unfinished_calls(&self) -> impl Iterator<Item = Uuid> + '_ {
        let unfinished = |log: &Log| log.stream == Stream::Call && !log.is_over();
        self.logs.iter().filter(move |(_, log)| unfinished(log)).map(|(owner, _)| *owner)
    }

    /// Calls that are over with what waits. While they are not imported, the database does not know them.
    pub fn calls_over(&self) -> impl Iterator<Item = CallOver> + '_ {
        self.logs.iter().filter_map(|(owner, log)| {
            let row = log.over.as_ref()?;
            Some(CallOver {
                key: StoredKey {
                    call: CallId(owner.as_u128()),
                    pbx: row.pbx.clone(),
                    threecx_call_id: row.threecx_call_id.clone(),
                    caller: row.caller_id.clone(),
                    called: row.called_number.clone(),
                    first_seen: row.call_started_at.0,
                    live: false,
                },
                account: row.account_id.clone(),
                is_accepted: log.is_accepted,
                is_callback: row.route == Route::Callback.name(),
            })
        })
    }

    /// What the conversations took whose reports wait.
    #[must_use]
    pub fn conversations(&self) -> &[Took] {
        &self.conversations
    }

    /// Number of events and rows.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// Adds the batch of a frame.
    pub(super) fn add(&mut self, directory: usize, frame: usize, batch: &RawBatch) {
        self.entries = self.entries.saturating_add(batch.entries.len()).saturating_add(batch.rows.len());
        for entry in &batch.entries {
            let node = self.log(entry, (directory, frame));
            self.conversations.extend(entry.derived.iter().filter_map(took));
            for key in entry.derived.iter().filter_map(shared_key) {
                let other = self.shared_node(key);
                self.link(node, other);
            }
        }
        for row in &batch.rows {
            if let Some(key) = shared_key(row) {
                self.shared_node(key);
            }
            if matches!(row.kind, RowKind::EarlyEndKept | RowKind::ReportKept) {
                self.loose.insert((directory, frame));
            }
        }
    }

    fn log(&mut self, entry: &RawEntry, frame: (usize, usize)) -> u32 {
        let fresh = self.parents.len();
        let log = self.logs.entry(entry.owner).or_insert_with(|| Log {
            stream: entry.stream,
            first: entry.seq,
            last: entry.seq,
            over: None,
            is_accepted: false,
            node: u32::try_from(fresh).unwrap_or(u32::MAX),
            frames: BTreeSet::new(),
        });
        log.first = log.first.min(entry.seq);
        log.is_accepted = log.is_accepted || is_accepted(entry);
        if entry.seq >= log.last {
            log.last = entry.seq;
            log.over = entry.derived.iter().filter_map(released).next_back();
        }
        log.frames.insert(frame);
        let node = log.node;
        self.grow_to(node);
        node
    }

    fn shared_node(&mut self, key: u64) -> u32 {
        let fresh = u32::try_from(self.parents.len()).unwrap_or(u32::MAX);
        let node = *self.shared.entry(key).or_insert(fresh);
        self.grow_to(node);
        node
    }

    fn grow_to(&mut self, node: u32) {
        while u32::try_from(self.parents.len()).is_ok_and(|count| count <= node) {
            self.parents.push(node);
        }
    }

    fn link(&mut self, one: u32, other: u32) {
        let (one, other) = (self.shortened_root(one), self.shortened_root(other));
        self.set_parent(other.max(one), one.min(other));
    }

    fn root(&self, mut node: u32) -> u32 {
        while self.parent(node) != node {
            node = self.parent(node);
        }
        node
    }

    /// The root; the way to it is shorter afterwards.
    fn shortened_root(&mut self, mut node: u32) -> u32 {
        while self.parent(node) != node {
            self.set_parent(node, self.parent(self.parent(node)));
            node = self.parent(node);
        }
        node
    }

    fn parent(&self, node: u32) -> u32 {
        usize::try_from(node).ok().and_then(|place| self.parents.get(place)).copied().unwrap_or(node)
    }

    fn set_parent(&mut self, node: u32, parent: u32) {
        if let Some(held) = usize::try_from(node).ok().and_then(|place| self.parents.get_mut(place)) {
            *held = parent;
        }
    }

    /// The number of the group of linked logs that an entry is in. Entries of two groups may be written in any order.
    pub(super) fn group_of(&self, entry: &RawEntry) -> u32 {
        self.logs.get(&entry.owner).map_or(0, |log| self.root(log.node))
    }

    /// The same, for a row that belongs to no event.
    pub(super) fn group_of_row(&self, row: &RawRow) -> u32 {
        shared_key(row).and_then(|key| self.shared.get(&key)).map_or(0, |node| self.root(*node))
    }

    /// The groups of these logs and of all rows that wait for an event, and the frames they are in.
    pub(super) fn groups_of(&self, owners: impl Iterator<Item = Uuid>) -> Wanted {
        let wanted = owners.filter_map(|owner| self.logs.get(&owner));
        let groups: BTreeSet<u32> = wanted.map(|log| self.root(log.node)).collect();
        let linked = self.logs.values().filter(|log| groups.contains(&self.root(log.node)));
        let mut frames: BTreeSet<_> = linked.flat_map(|log| log.frames.iter().copied()).collect();
        frames.extend(self.loose.iter().copied());
        Wanted { groups, frames }
    }
}

/// Groups of logs that are written before all others.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    groups: BTreeSet<u32>,
    /// The frames that hold something of them: the directory's place and the frame's.
    pub(super) frames: BTreeSet<(usize, usize)>,
}

impl Wanted {
    /// What is wanted of a batch.
    pub(super) fn of(&self, batch: RawBatch, index: &Index) -> RawBatch {
        let RawBatch { mut entries, mut rows } = batch;
        entries.retain(|entry| self.groups.contains(&index.group_of(entry)));
        rows.retain(|row| matches!(row.kind, RowKind::EarlyEndKept | RowKind::ReportKept));
        RawBatch { entries, rows }
    }
}

/// The key of a row that entries of several logs write.
fn shared_key(row: &RawRow) -> Option<u64> {
    #[derive(Deserialize)]
    struct Cached<'a> {
        #[serde(borrow)]
        account_id: Cow<'a, str>,
        #[serde(borrow)]
        caller_id: Cow<'a, str>,
    }
    #[derive(Deserialize)]
    struct End<'a> {
        #[serde(borrow)]
        pbx: Cow<'a, str>,
        #[serde(borrow)]
        threecx_call_id: Cow<'a, str>,
    }
    #[derive(Deserialize)]
    struct Report<'a> {
        #[serde(borrow)]
        conversation_id: Cow<'a, str>,
    }
    #[derive(Deserialize)]
    struct Webhook<'a> {
        #[serde(borrow)]
        kind: Cow<'a, str>,
        #[serde(borrow)]
        provider_id: Cow<'a, str>,
    }
    let json = row.json.get();
    let key = match row.kind {
        RowKind::CacheFilled | RowKind::CacheUsed | RowKind::CacheDropped => {
            let Cached { account_id, caller_id } = serde_json::from_str(json).ok()?;
            ("cache", account_id.into_owned(), caller_id.into_owned())
        }
        RowKind::EarlyEndAbsorbed | RowKind::EarlyEndKept => {
            let End { pbx, threecx_call_id } = serde_json::from_str(json).ok()?;
            ("end", pbx.into_owned(), threecx_call_id.into_owned())
        }
        RowKind::ReportMatched | RowKind::ReportKept => {
            let Report { conversation_id } = serde_json::from_str(json).ok()?;
            ("report", String::new(), conversation_id.into_owned())
        }
        RowKind::WebhookKept => {
            let Webhook { kind, provider_id } = serde_json::from_str(json).ok()?;
            ("webhook", kind.into_owned(), provider_id.into_owned())
        }
        RowKind::CallLog
        | RowKind::Conversation
        | RowKind::CloneReady
        | RowKind::CloneFailed
        | RowKind::CloneTransfer
        | RowKind::CloneLog
        | RowKind::ConversationNamed
        | RowKind::TranscriptOfLines => return None,
    };
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests;
