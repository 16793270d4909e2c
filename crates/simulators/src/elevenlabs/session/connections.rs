//! The connections of the conversations. Nothing waits for one: messages to a slow client stay in its session.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use actix_ws::{CloseCode, CloseReason, Message};
use futures_util::Sink;
use tokio::sync::oneshot;

use super::outgoing::Outgoing;

/// One connection. Dropping it drops the connection.
struct Connection {
    socket: actix_ws::Session,
    /// Dropping it ends the task that reads.
    _reading: oneshot::Sender<()>,
}

impl Connection {
    /// Whether a message can be given to it now.
    fn is_ready(&mut self) -> bool {
        // No waker is needed: the next tick asks again.
        let mut context = Context::from_waker(Waker::noop());
        matches!(Pin::new(&mut self.socket).poll_ready(&mut context), Poll::Ready(Ok(())))
    }

    fn give(&mut self, message: Message) {
        // It is ready; a connection that is gone meanwhile is noticed by the task that reads.
        let _gone = Pin::new(&mut self.socket).start_send(message);
    }
}

/// The connections of this thread, by the number of the conversation.
#[derive(Default)]
pub(in crate::elevenlabs) struct Connections(RefCell<HashMap<u64, Connection>>);

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connections({})", self.0.borrow().len())
    }
}

impl Connections {
    /// A connection is there. The receiver hears of its end.
    pub(super) fn open(&self, number: u64, socket: actix_ws::Session) -> oneshot::Receiver<()> {
        let (reading, over) = oneshot::channel();
        self.0.borrow_mut().insert(number, Connection { socket, _reading: reading });
        over
    }

    /// A connection is dropped.
    pub(super) fn close(&self, number: u64) {
        // Taken out first: dropping it wakes others.
        let connection = self.0.borrow_mut().remove(&number);
        drop(connection);
    }

    pub(super) fn is_ready(&self, number: u64) -> bool {
        self.0.borrow_mut().get_mut(&number).is_some_and(Connection::is_ready)
    }

    /// Gives something to a connection that is ready.
    pub(super) fn give(&self, number: u64, outgoing: Outgoing) {
        let message = match outgoing {
            Outgoing::Text(text) => Message::Text(text.into()),
            Outgoing::Pong(payload) => Message::Pong(payload),
            Outgoing::Close { code, reason } => {
                let description = (!reason.is_empty()).then_some(reason);
                Message::Close(Some(CloseReason { code: CloseCode::from(code), description }))
            }
            Outgoing::Drop => return self.close(number),
        };
        if let Some(connection) = self.0.borrow_mut().get_mut(&number) {
            connection.give(message);
        }
    }

    pub(super) fn numbers(&self) -> Vec<u64> {
        self.0.borrow().keys().copied().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }
}
