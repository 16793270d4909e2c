//! The stage of an agent's session.

use std::time::Instant;

use crate::bridge::socket_state::Opening;

/// State of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The provider has sent nothing yet.
    Opening,
    /// The agent is ready: its audio waits, and it does not hear the caller.
    Ready,
    /// Caller and agent hear each other.
    Connected,
    /// A person is being called: the caller hears music, the agent silence.
    OnHold,
    /// The agent ended the conversation; the rest of its audio is played.
    Leaving {
        /// When the caller will have heard its last word; none while audio is left.
        heard_at: Option<Instant>,
    },
    /// The session is over.
    Closed,
}

impl Stage {
    /// How far the provider is with opening the session. `queued`: it lets the caller wait for a free conversation.
    pub(crate) fn opening(self, queued: bool) -> Opening {
        match self {
            Self::Opening if queued => Opening::Queued,
            Self::Opening => Opening::Awaited,
            Self::Ready | Self::Connected | Self::OnHold | Self::Leaving { .. } | Self::Closed => {
                Opening::Done
            }
        }
    }
}
