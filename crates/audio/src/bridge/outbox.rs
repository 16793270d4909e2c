//! Messages that wait to be sent to the agent. Bounded: audio that is too old is dropped, control messages only beyond
//! 64.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Most audio that waits: older audio is useless in a conversation.
const AUDIO_MAX: Duration = Duration::from_secs(2);
/// Most control messages that wait. A socket that takes nothing for three seconds is closed, so only an agent that asks
/// without reading gets here. Its oldest message is then dropped.
const CONTROL_MAX: usize = 64;

/// One message to the agent.
pub(crate) enum OutgoingMessage {
    /// A piece of the caller's audio, and its length.
    Audio(Utf8Bytes, Duration),
    /// Any other message: a pong, a tool result, context.
    Control(Utf8Bytes),
}

/// The queue from a session to its socket.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: RefCell<VecDeque<OutgoingMessage>>,
    changed: Notify,
    end: Notify,
    is_over: Cell<bool>,
    dropped: Cell<Duration>,
}

impl Outbox {
    /// Appends a message. When there are too many of its kind, the oldest of that kind is dropped.
    pub(crate) fn push(&self, message: OutgoingMessage) {
        let mut waiting = self.waiting.borrow_mut();
        waiting.push_back(message);
        let (mut audio, mut control) = (Duration::ZERO, 0_usize);
        for message in waiting.iter() {
            match message {
                OutgoingMessage::Audio(_, span) => audio += *span,
                OutgoingMessage::Control(_) => control += 1,
            }
        }
        if audio > AUDIO_MAX
            && let Some(oldest) =
                waiting.iter().position(|message| matches!(message, OutgoingMessage::Audio(..)))
            && let Some(OutgoingMessage::Audio(_, span)) = waiting.remove(oldest)
        {
            self.dropped.set(self.dropped.get().saturating_add(span));
        }
        if control > CONTROL_MAX
            && let Some(oldest) =
                waiting.iter().position(|message| matches!(message, OutgoingMessage::Control(_)))
        {
            waiting.remove(oldest);
        }
        drop(waiting);
        self.changed.notify_one();
    }

    /// Ends the queue: the socket must close.
    pub(crate) fn end(&self) {
        self.is_over.set(true);
        self.changed.notify_one();
        self.end.notify_one();
    }

    /// Waits for [`Self::end`].
    pub(crate) async fn ended(&self) {
        if !self.is_over.get() {
            self.end.notified().await;
        }
    }

    /// Waits for the next message; none after [`Self::end`].
    pub(crate) async fn next(&self) -> Option<Utf8Bytes> {
        loop {
            if self.is_over.get() {
                return None;
            }
            let message = self.waiting.borrow_mut().pop_front();
            match message {
                Some(OutgoingMessage::Audio(text, _) | OutgoingMessage::Control(text)) => return Some(text),
                None => self.changed.notified().await,
            }
        }
    }

    /// Length of the audio dropped because it was too old.
    pub(crate) fn dropped(&self) -> Duration {
        self.dropped.get()
    }
}

#[cfg(test)]
mod tests;
