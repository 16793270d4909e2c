//! Commands of a leg's owner to its audio: sent from any thread, run by the leg's shard within a tick.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix::Recipient;

use crate::bridge::agent_order::AgentOrder;
use crate::leg_events::LegReport;
use crate::playlist::Playlist;
use crate::tap::TapWriter;

/// One command. The `u8` is the number of the handoff attempt that the agent belongs to.
#[derive(Debug)]
pub(crate) enum LegCommand {
    Play(Playlist),
    ChangeOwner(Recipient<LegReport>, Playlist),
    PrepareAgent(Box<AgentOrder>),
    ConnectAgent(u8),
    ResumeAgent(u8),
    SendToAgent(u8, String),
    ReleaseAgent(u8),
    Listen(TapWriter),
}

/// Commands of one leg in order, until its shard takes them. Of two `Play` in a row only the later one is kept.
#[derive(Debug, Default)]
pub(crate) struct CommandQueue {
    queue: Mutex<Queue>,
    is_owner_gone: AtomicBool,
    #[cfg(test)]
    panics: AtomicBool,
}

#[derive(Debug, Default)]
struct Queue {
    commands: Vec<LegCommand>,
    is_closed: bool,
}

impl CommandQueue {
    /// Returns whether the command will be run: not after the end of the leg's audio.
    pub(crate) fn push(&self, command: LegCommand) -> bool {
        let mut queue = self.lock();
        if queue.is_closed {
            return false;
        }
        if let (LegCommand::Play(_), Some(LegCommand::Play(_))) = (&command, queue.commands.last()) {
            queue.commands.pop();
        }
        queue.commands.push(command);
        true
    }

    /// Takes all commands that were pushed since the last call.
    pub(crate) fn take_all(&self) -> Vec<LegCommand> {
        std::mem::take(&mut self.lock().commands)
    }

    /// The leg's audio has ended: takes what was pushed and not run, and accepts nothing more.
    pub(crate) fn close(&self) -> Vec<LegCommand> {
        let mut queue = self.lock();
        queue.is_closed = true;
        std::mem::take(&mut queue.commands)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The owner dropped its handle: the audio must end.
    pub(crate) fn mark_owner_gone(&self) {
        self.is_owner_gone.store(true, Ordering::Release);
    }

    /// Whether the owner dropped its handle.
    pub(crate) fn is_owner_gone(&self) -> bool {
        self.is_owner_gone.load(Ordering::Acquire)
    }

    /// Makes the leg panic in its next tick.
    #[cfg(test)]
    pub(crate) fn request_panic(&self) {
        self.panics.store(true, Ordering::Release);
    }

    #[cfg(test)]
    pub(crate) fn takes_panic(&self) -> bool {
        self.panics.swap(false, Ordering::AcqRel)
    }
}
