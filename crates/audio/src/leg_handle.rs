//! The owner's handle on one leg's audio.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::bridge::agent_order::AgentOrder;
use super::shard::Door;
use crate::playlist::Scene;

/// A leg's audio goes on for as long as this lives: dropping it stops the audio at once, by whatever way its owner ends.
#[must_use = "dropping it stops the audio"]
#[derive(Debug)]
pub struct LegAudio {
    desk: Arc<Desk>,
    door: Arc<Door>,
}

impl LegAudio {
    pub(super) fn new(desk: Arc<Desk>, door: Arc<Door>) -> Self {
        Self { desk, door }
    }

    /// Puts another scene in place of what is left of the present one, from the next piece on. What has been written
    /// already is heard: that is the lead, 60 to 120 ms. Of two calls in quick succession the later one wins.
    /// An agent who speaks on the leg is put on hold by it.
    pub fn play(&self, scene: Scene) {
        self.wish(Wish::Play(scene));
    }

    /// Makes an agent ready, which hears nothing and is not heard until it is connected. The present one is let go.
    pub fn bring(&self, order: AgentOrder) {
        self.wish(Wish::Bring(Box::new(order)));
    }

    /// Caller and agent hear each other from now on.
    pub fn connect(&self, attempt: u8) {
        self.wish(Wish::Connect(attempt));
    }

    /// The same, for an agent that was on hold.
    pub fn go_on(&self, attempt: u8) {
        self.wish(Wish::GoOn(attempt));
    }

    /// Sends the agent a message that the caller does not hear.
    pub fn write(&self, attempt: u8, word: String) {
        self.wish(Wish::Write(attempt, word));
    }

    /// Closes the session of this attempt, if it is the present one.
    pub fn let_go(&self, attempt: u8) {
        self.wish(Wish::LetGo(attempt));
    }

    fn wish(&self, wish: Wish) {
        let mut wishes = self.desk.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Wish::Play(_), Some(Wish::Play(_))) = (&wish, wishes.last()) {
            wishes.pop();
        }
        wishes.push(wish);
        drop(wishes);
        self.door.ring();
    }

    /// Panics in the leg's next tick.
    #[cfg(test)]
    pub(super) fn panic_soon(&self) {
        self.desk.panics.store(true, Ordering::Release);
    }
}

impl Drop for LegAudio {
    fn drop(&mut self) {
        self.desk.dropped.store(true, Ordering::Release);
        self.door.ring();
    }
}

/// One thing that the owner wants.
#[derive(Debug)]
pub(super) enum Wish {
    Play(Scene),
    Bring(Box<AgentOrder>),
    Connect(u8),
    GoOn(u8),
    Write(u8, String),
    LetGo(u8),
}

/// What the owner wants, in order, until the shard looks: within a tick. A scene replaces one that was not begun.
#[derive(Debug, Default)]
pub(super) struct Desk {
    wishes: Mutex<Vec<Wish>>,
    dropped: AtomicBool,
    #[cfg(test)]
    panics: AtomicBool,
}

impl Desk {
    /// What was asked for since the last look.
    pub(super) fn take_wishes(&self) -> Vec<Wish> {
        std::mem::take(&mut *self.wishes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the owner let go.
    pub(super) fn is_dropped(&self) -> bool {
        self.dropped.load(Ordering::Acquire)
    }

    #[cfg(test)]
    pub(super) fn takes_panic(&self) -> bool {
        self.panics.swap(false, Ordering::AcqRel)
    }
}
