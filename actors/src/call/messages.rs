//! What a call's actor hears, and what it tells the supervisor that started it.

use actix::{Message, Recipient};
use precall_audio::bridge::agent_order::AgentOrder;
use precall_base::clock;
use precall_call::{At, CallId, CallPart, ConversationId, Event};
use precall_store::events::rows::RowWrite;
use tokio::sync::oneshot;

use crate::call::projection::Payload;

/// Something happened to the call.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Happened {
    /// What.
    pub event: Event,
    /// When, as whoever saw it measured.
    pub at: At,
    /// What came with it.
    pub payload: Payload,
    /// Rows beside those that follow from the event.
    pub derived: Vec<RowWrite>,
    /// Hears when it is durable, or that there was nothing to keep.
    pub done: Option<oneshot::Sender<()>>,
    /// Whether the supervisor sent it, which counts what it sent.
    pub sender: Sender,
}

/// Who sent an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The supervisor: from outside.
    Supervisor,
    /// A part of the call itself.
    Part,
}

impl Happened {
    /// An event of one of the call's own parts.
    #[must_use]
    pub fn part(event: Event) -> Self {
        let at = clock::now();
        Self { event, at, payload: Payload::None, derived: Vec::new(), done: None, sender: Sender::Part }
    }

    /// An event from outside; whoever waits for it hears when it is durable.
    #[must_use]
    pub fn outside(event: Event, payload: Payload, done: Option<oneshot::Sender<()>>) -> Self {
        let at = clock::now();
        Self { event, at, payload, derived: Vec::new(), done, sender: Sender::Supervisor }
    }
}

/// A part of the call is over.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct PartDown {
    /// Which.
    pub part: CallPart,
    /// Whether it panicked.
    pub panicked: bool,
}

/// Nothing is left to do and nobody sends any more.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Stop;

/// A handoff has found out how the agent is reached. The call hands the order to the player of its leg.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct AgentOrdered(pub AgentOrder);

/// A call's actor has nothing left to do.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct CallSettled {
    /// Which call.
    pub call: CallId,
    /// How many of the supervisor's messages it has dealt with.
    pub handled: u64,
}

/// A call's actor is gone.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct CallDown {
    /// Which call.
    pub call: CallId,
}

/// A call's conversation got its name.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct ConversationKnown {
    /// Which call.
    pub call: CallId,
    /// Its conversation.
    pub conversation: ConversationId,
}

/// Where a part of a call reports to.
#[derive(Clone)]
pub struct PartParent {
    /// Hears what happened.
    pub happened: Recipient<Happened>,
    /// Hears when the part is gone.
    pub down: Recipient<PartDown>,
}

/// Where a call's actor reports to.
#[derive(Clone)]
pub struct CallParent {
    /// Hears when the call is over and written.
    pub settled: Recipient<CallSettled>,
    /// Hears when the actor is gone.
    pub down: Recipient<CallDown>,
    /// Hears of new conversations, for reports that came before them.
    pub conversations: Recipient<ConversationKnown>,
}
