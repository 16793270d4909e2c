//! The table of conversations: bounded, in order of creation. Pure.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::conversation::{Conversation, NewConversation, Status, size};

/// Most conversations that are kept; the oldest that are over go first.
const CAPACITY: usize = 10_000;
/// Most bytes of client data that are kept, all conversations together.
const BYTES_KEPT: usize = 128 * 1024 * 1024;

/// Too many conversations are live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crowded;

/// The table.
#[derive(Debug, Default)]
pub(super) struct Conversations {
    begun: u64,
    bytes: usize,
    by_number: BTreeMap<u64, Conversation>,
    numbers: HashMap<String, u64>,
}

impl Conversations {
    /// Begins one.
    pub fn begin(&mut self, about: NewConversation, now: Timestamp) -> Result<&Conversation, Crowded> {
        self.begun = self.begun.saturating_add(1);
        let conversation = Conversation::new(self.begun, about, now);
        while self.by_number.len() >= CAPACITY || self.bytes.saturating_add(conversation.size) > BYTES_KEPT {
            let over = self.by_number.values().find(|old| old.status.is_final()).map(|old| old.id.clone());
            let Some(over) = over else { return Err(Crowded) };
            self.delete(&over);
        }
        self.bytes = self.bytes.saturating_add(conversation.size);
        self.numbers.insert(conversation.id.clone(), conversation.number);
        Ok(self.by_number.entry(conversation.number).or_insert(conversation))
    }

    pub fn get(&self, id: &str) -> Option<&Conversation> {
        self.by_number.get(self.numbers.get(id)?)
    }

    pub fn get_mut(&mut self, id: &str) -> Option<&mut Conversation> {
        self.by_number.get_mut(self.numbers.get(id)?)
    }

    /// What the client of a socket said the conversation shall be like, which comes after its beginning.
    pub fn tell(&mut self, id: &str, data: &Map<String, Value>) {
        let Some(conversation) = self.numbers.get(id).and_then(|number| self.by_number.get_mut(number))
        else {
            return;
        };
        if conversation.about.client_data == *data {
            return;
        }
        self.bytes = self.bytes.saturating_sub(conversation.size);
        conversation.about.client_data = data.clone();
        conversation.size = size(data);
        self.bytes = self.bytes.saturating_add(conversation.size);
    }

    /// Forgets one; false when it was not there.
    pub fn delete(&mut self, id: &str) -> bool {
        let removed = self.numbers.remove(id).and_then(|number| self.by_number.remove(&number));
        if let Some(conversation) = &removed {
            self.bytes = self.bytes.saturating_sub(conversation.size);
        }
        removed.is_some()
    }

    /// All of them, in order of creation.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &Conversation> {
        self.by_number.values()
    }

    /// The live conversations.
    pub(crate) fn live_mut(&mut self) -> impl Iterator<Item = &mut Conversation> {
        self.by_number.values_mut().filter(|conversation| is_live(conversation))
    }

    /// Whether this number is in a call.
    pub(crate) fn line_is_busy(&self, number: &str) -> bool {
        self.by_number.values().any(|conversation| {
            is_live(conversation)
                && conversation.about.holds_line
                && conversation.about.external_number == number
        })
    }
}

fn is_live(conversation: &Conversation) -> bool {
    matches!(conversation.status, Status::Initiated | Status::InProgress)
}
