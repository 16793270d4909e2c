//! What waits to be sent to the agent. Bounded: audio that is too old goes first, words never do before it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Audio that waits at most: older audio is of no use to anybody who talks.
const LONGEST: Duration = Duration::from_secs(2);
/// Words that wait at most. A socket that takes none for three seconds is given up, so that only an agent which asks without
/// listening comes here; its oldest question stays unanswered.
const MOST_WORDS: usize = 64;

/// One message.
pub(crate) enum Letter {
    /// A piece of the caller's audio, and its length.
    Audio(Utf8Bytes, Duration),
    /// Anything else.
    Word(Utf8Bytes),
}

/// The way from a talk to its socket.
#[derive(Default)]
pub(crate) struct Letterbox {
    waiting: RefCell<VecDeque<Letter>>,
    bell: Notify,
    end: Notify,
    is_over: Cell<bool>,
    dropped: Cell<Duration>,
}

impl Letterbox {
    /// Puts a letter in; the oldest of its kind makes room.
    pub(crate) fn put(&self, letter: Letter) {
        let mut waiting = self.waiting.borrow_mut();
        waiting.push_back(letter);
        let (mut audio, mut words) = (Duration::ZERO, 0_usize);
        for letter in waiting.iter() {
            match letter {
                Letter::Audio(_, span) => audio += *span,
                Letter::Word(_) => words += 1,
            }
        }
        if audio > LONGEST
            && let Some(oldest) = waiting.iter().position(|letter| matches!(letter, Letter::Audio(..)))
            && let Some(Letter::Audio(_, span)) = waiting.remove(oldest)
        {
            self.dropped.set(self.dropped.get().saturating_add(span));
        }
        if words > MOST_WORDS
            && let Some(oldest) = waiting.iter().position(|letter| matches!(letter, Letter::Word(_)))
        {
            waiting.remove(oldest);
        }
        drop(waiting);
        self.bell.notify_one();
    }

    /// Nothing follows: the socket is to be closed.
    pub(crate) fn end(&self) {
        self.is_over.set(true);
        self.bell.notify_one();
        self.end.notify_one();
    }

    /// Waits until nothing follows.
    pub(crate) async fn ended(&self) {
        if !self.is_over.get() {
            self.end.notified().await;
        }
    }

    /// Waits for the next letter; none when nothing follows.
    pub(crate) async fn next(&self) -> Option<Utf8Bytes> {
        loop {
            if self.is_over.get() {
                return None;
            }
            let letter = self.waiting.borrow_mut().pop_front();
            match letter {
                Some(Letter::Audio(text, _) | Letter::Word(text)) => return Some(text),
                None => self.bell.notified().await,
            }
        }
    }

    /// Audio that was dropped because it was too old.
    pub(crate) fn dropped(&self) -> Duration {
        self.dropped.get()
    }
}

#[cfg(test)]
mod tests;
