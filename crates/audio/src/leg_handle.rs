//! The owner's handle on one leg's audio.

use std::sync::Arc;

use actix::Recipient;

use crate::bridge::agent_order::AgentOrder;
use crate::leg_commands::{CommandQueue, LegCommand};
use crate::leg_events::LegReport;
use crate::playlist::Playlist;
use crate::shard_handle::ShardHandle;
use crate::tap::TapWriter;

/// Controls one leg's audio. Dropping the handle stops the audio at once.
#[must_use = "dropping it stops the audio"]
#[derive(Debug)]
pub struct LegHandle {
    commands: Arc<CommandQueue>,
    shard: Arc<ShardHandle>,
}

impl LegHandle {
    pub(crate) fn new(commands: Arc<CommandQueue>, shard: Arc<ShardHandle>) -> Self {
        Self { commands, shard }
    }

    /// Replaces the rest of the present playlist, from the next piece on. The caller still hears what is written
    /// already: the lead, 60 to 120 ms. Of two calls in quick succession the later one wins. An agent on the leg is put
    /// on hold.
    pub fn play(&self, playlist: Playlist) {
        self.send(LegCommand::Play(playlist));
    }

    /// Plays the playlist and reports to another owner from now on, on the same streams. Returns false if the leg's
    /// audio has ended: then the new owner hears nothing of it.
    #[must_use = "false means that no audio reaches the leg"]
    pub fn change_owner(&self, reports: Recipient<LegReport>, playlist: Playlist) -> bool {
        let is_taken = self.commands.push(LegCommand::ChangeOwner(reports, playlist));
        self.shard.wake();
        is_taken
    }

    /// Opens a session with an agent. Until [`Self::connect_agent`] the agent hears silence and the caller does not
    /// hear it. The present agent is released.
    pub fn prepare_agent(&self, order: AgentOrder) {
        self.send(LegCommand::PrepareAgent(Box::new(order)));
    }

    /// Connects caller and agent: they hear each other from now on.
    pub fn connect_agent(&self, attempt: u8) {
        self.send(LegCommand::ConnectAgent(attempt));
    }

    /// Connects caller and agent again after hold.
    pub fn resume_agent(&self, attempt: u8) {
        self.send(LegCommand::ResumeAgent(attempt));
    }

    /// Sends the agent a message, one JSON text, that the caller does not hear.
    pub fn send_to_agent(&self, attempt: u8, message: String) {
        self.send(LegCommand::SendToAgent(attempt, message));
    }

    /// Closes the session of this attempt, if it is the present one.
    pub fn release_agent(&self, attempt: u8) {
        self.send(LegCommand::ReleaseAgent(attempt));
    }

    /// Copies the leg's audio into this tap until the audio ends or the listener is gone. The shard refuses it while
    /// the caller has not heard what must be heard first ([`Playlist::private_until`]).
    pub fn listen(&self, tap: TapWriter) {
        self.send(LegCommand::Listen(tap));
    }

    fn send(&self, command: LegCommand) {
        // A leg whose audio has ended has told its owner.
        let _is_run = self.commands.push(command);
        self.shard.wake();
    }

    /// Panics in the leg's next tick.
    #[cfg(test)]
    pub(crate) fn panic_soon(&self) {
        self.commands.request_panic();
    }
}

impl Drop for LegHandle {
    fn drop(&mut self) {
        self.commands.mark_owner_gone();
        self.shard.wake();
    }
}
