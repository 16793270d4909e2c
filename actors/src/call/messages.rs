//! Messages to a call's actor, and its messages to the call supervisor.

use std::sync::Arc;

use actix::{Message, Recipient};
use precall_audio::bridge::agent_order::AgentOrder;
use precall_base::clock;
use precall_call::{At, CallId, CallPart, ConversationId, Event};
use precall_providers::threecx::address::LegAddress;
use precall_store::events::rows::{RowWrite, WebhookRow};
use tokio::sync::oneshot;

use crate::call::projection::Payload;
use crate::call::transcript_tail::TranscriptTail;

/// An event for the call's actor.
#[derive(Message)]
#[rtype(result = "()")]
pub struct CallEvent {
    /// The event.
    pub event: Event,
    /// When it happened, measured by the sender.
    pub at: At,
    /// Data that belongs to the event but that no rule depends on.
    pub payload: Payload,
    /// Rows to write in addition to those derived from the event.
    pub derived: Vec<RowWrite>,
    /// The webhook that brought it, stored in the same transaction if the event is recorded.
    pub webhook: Option<Arc<WebhookRow>>,
    /// Notified when the event is durable, or when it changed nothing.
    pub done: Option<Done>,
    /// Who sent it. The supervisor counts its own messages.
    pub sender: Sender,
}

/// Notified when an event is durable.
pub type Done = oneshot::Sender<Noted>;

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// It is in the call's log.
    Recorded,
    /// The call stays as it was. All that happened before is durable.
    ChangedNothing,
}

/// The sender of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The call supervisor: the event comes from outside the call.
    Supervisor,
    /// Another actor of the same call.
    Part,
}

impl CallEvent {
    /// An event from another actor of the same call, at the current time.
    #[must_use]
    pub fn part(event: Event) -> Self {
        let at = clock::now();
        Self {
            event,
            at,
            payload: Payload::None,
            derived: Vec::new(),
            webhook: None,
            done: None,
            sender: Sender::Part,
        }
    }

    /// An event from another actor of the same call, at the current time, with the words that explain it.
    #[must_use]
    pub fn explained(event: Event, words: impl ToString) -> Self {
        Self { payload: Payload::Detail(words.to_string()), ..Self::part(event) }
    }

    /// An event from the supervisor, at the current time. `done` is notified when it is durable.
    #[must_use]
    pub fn outside(event: Event, payload: Payload, done: Option<Done>) -> Self {
        let at = clock::now();
        Self { event, at, payload, derived: Vec::new(), webhook: None, done, sender: Sender::Supervisor }
    }
}

/// A part of the call has stopped.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct PartDown {
    /// The part.
    pub part: CallPart,
    /// Whether it panicked.
    pub panicked: bool,
}

/// Stops the call's actor: nothing is left to do, and the supervisor sends no more messages.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Stop;

/// A handoff has the address of its agent. The call passes the order to the leg's player.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct AgentOrdered {
    /// The order, without what was said before.
    pub order: AgentOrder,
    /// What the database knows of the conversation so far; empty where this is its first session.
    pub earlier: TranscriptTail,
}

/// A call's actor has nothing left to do.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct CallSettled {
    /// Which call.
    pub call: CallId,
    /// How many of the supervisor's messages it has handled.
    pub handled: u64,
    /// Legs of which it heard when it was over already. Nobody has done anything with them.
    pub late_legs: Vec<LegAddress>,
}

/// A call's actor has stopped.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct CallDown {
    /// Which call.
    pub call: CallId,
}

/// The id of a call's conversation is known.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct ConversationKnown {
    /// Which call.
    pub call: CallId,
    /// The conversation's id.
    pub conversation: ConversationId,
}

/// The recipients of a part's messages.
#[derive(Clone)]
pub struct PartParent {
    /// Receives events.
    pub events: Recipient<CallEvent>,
    /// Notified when the part has stopped.
    pub down: Recipient<PartDown>,
}

/// The recipients of a call actor's messages.
#[derive(Clone)]
pub struct CallParent {
    /// Notified when the call is over and written.
    pub settled: Recipient<CallSettled>,
    /// Notified when the actor has stopped.
    pub down: Recipient<CallDown>,
    /// Receives new conversation ids, for reports that arrived before them.
    pub conversations: Recipient<ConversationKnown>,
}
