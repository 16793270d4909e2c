//! What a session with an agent is opened with.

use std::time::Duration;

use precall_providers::elevenlabs::AgentUrl;

use crate::bridge::turn_taking::Opening;
use crate::playlist::Mark;

/// An order to make an agent ready on a leg.
#[derive(Clone, Debug)]
pub struct AgentOrder {
    /// The attempt that it is for: what is told of the session carries it.
    pub attempt: u8,
    /// Where its WebSocket is.
    pub url: AgentUrl,
    /// The first message: voice, variables, first words (`conversation_initiation_client_data`).
    pub initiation: String,
    /// Told right after it, where there is something to be told: what was said before the agent was lost.
    pub context: Option<String>,
    /// A conversation begins when no more than this is left before that mark is heard, or at once where it is not ahead: an agent
    /// that begins long before it is heard grows impatient with a caller who cannot answer.
    pub begins: (Mark, Duration),
    /// Who speaks first.
    pub opening: Opening,
    /// After so long without a word that is owed, music.
    pub fill_after: Duration,
    /// After so long, no more waiting.
    pub give_up_after: Duration,
    /// Length of a piece of the caller's audio.
    pub piece: Duration,
}
