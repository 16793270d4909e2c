//! Events and the WebSocket connections that receive them (facts page, section 1.4). Pure but for the channels.

use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Events that may wait for a connection; one that is so slow is closed.
const MOST_WAITING: usize = 10_000;
/// Most connections at once.
const MOST_CONNECTIONS: usize = 256;

/// The close code of an end without a close frame (RFC 6455, section 7.1.5).
pub(super) const ABNORMAL: u16 = 1006;

/// What happened, as `event_type` numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Upsert,
    Remove,
    Dtmf,
    PromptPlaybackFinished,
    Response,
    /// A number that the documentation once uses for something else.
    Unknown,
}

impl Kind {
    fn number(self) -> u8 {
        match self {
            Self::Upsert => 0,
            Self::Remove => 1,
            Self::Dtmf => 2,
            Self::PromptPlaybackFinished => 3,
            Self::Response => 4,
            Self::Unknown => 5,
        }
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    pub kind: Kind,
    pub entity: String,
    pub attached_data: Value,
}

impl Event {
    /// An event that carries nothing but its entity, as nearly all do.
    pub fn bare(kind: Kind, entity: String) -> Self {
        Self { kind, entity, attached_data: Value::Null }
    }

    fn text(&self, sequence: u64) -> String {
        let event = json!({
            "event_type": self.kind.number(),
            "entity": self.entity,
            "attached_data": self.attached_data,
        });
        json!({"sequence": sequence, "event": event}).to_string()
    }
}

/// What a connection is told to do.
#[derive(Debug)]
pub(super) enum Told {
    Say(String),
    /// Close with this code and reason; 1006 drops the connection.
    Close(u16, String),
    /// Stay open, but neither read nor answer.
    Stall,
}

#[derive(Debug)]
struct Connection {
    number: u64,
    sequence: u64,
    told: mpsc::Sender<Told>,
}

impl Connection {
    /// Whether it took the event.
    fn say(&mut self, event: &Event) -> bool {
        self.sequence = self.sequence.saturating_add(1);
        self.told.try_send(Told::Say(event.text(self.sequence))).is_ok()
    }
}

/// The open connections.
#[derive(Debug, Default)]
pub(super) struct Hub {
    connections: Vec<Connection>,
    opened: u64,
}

impl Hub {
    /// A connection opens; None when there are too many.
    pub fn open(&mut self) -> Option<(u64, mpsc::Receiver<Told>)> {
        if self.connections.len() >= MOST_CONNECTIONS {
            return None;
        }
        self.opened = self.opened.saturating_add(1);
        let (told, orders) = mpsc::channel(MOST_WAITING);
        self.connections.push(Connection { number: self.opened, sequence: 0, told });
        Some((self.opened, orders))
    }

    /// A connection is gone.
    pub fn gone(&mut self, number: u64) {
        self.connections.retain(|connection| connection.number != number);
    }

    /// Sends an event to all connections.
    pub fn tell(&mut self, event: &Event) {
        // One that is too slow loses its channel, which closes it.
        self.connections.retain_mut(|connection| connection.say(event));
    }

    /// Sends to one connection.
    pub(crate) fn tell_one(&mut self, number: u64, event: &Event) {
        self.connections.retain_mut(|one| one.number != number || one.say(event));
    }

    /// Closes every connection.
    pub(crate) fn close_all(&mut self, code: u16, reason: &str) {
        for connection in self.connections.drain(..) {
            let _full = connection.told.try_send(Told::Close(code, reason.to_owned()));
        }
    }

    /// Lets every connection fall silent.
    pub(crate) fn stall_all(&mut self) {
        for connection in &self.connections {
            let _full = connection.told.try_send(Told::Stall);
        }
    }

    /// How many are open.
    pub(crate) fn open_now(&self) -> usize {
        self.connections.len()
    }

    /// How many were ever opened.
    pub fn opened(&self) -> u64 {
        self.opened
    }
}
