//! Whether a conversation is at a pause: then another process can go on with it, and the caller hears no cut.

use std::time::{Duration, Instant};

use super::AgentSession;
use crate::bridge::session_stage::Stage;

/// The agent has ended its turn when none of its audio was written for this long: the provider may stop for a moment
/// between two sentences.
const AGENT_PAUSE: Duration = Duration::from_millis(500);
/// After the caller's last word the provider has this time to say that it was heard. Then it is the agent's turn.
const CALLER_PAUSE: Duration = Duration::from_millis(1_500);

/// Who was last heard, and when.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pause {
    /// A piece of the agent's words was taken, and not silence, but is not written yet.
    takes_words: bool,
    agent_written: Option<Instant>,
    caller_spoke: Option<Instant>,
}

impl Pause {
    /// The next piece that is written has words of the agent.
    pub(super) fn takes_words(&mut self) {
        self.takes_words = true;
    }

    /// A piece was written into the leg.
    pub(super) fn written(&mut self, at: Instant) {
        if std::mem::take(&mut self.takes_words) {
            self.agent_written = Some(at);
        }
    }

    /// The caller's speech arrived.
    pub(super) fn caller_spoke(&mut self, at: Instant) {
        self.caller_spoke = Some(at);
    }

    fn has_begun(&self, now: Instant) -> bool {
        let is_past =
            |at: Option<Instant>, pause| at.is_none_or(|at| now.saturating_duration_since(at) >= pause);
        is_past(self.agent_written, AGENT_PAUSE) && is_past(self.caller_spoke, CALLER_PAUSE)
    }
}

impl AgentSession {
    /// Whether caller or agent is in the middle of something, or the agent owes an answer.
    pub(crate) fn is_in_turn(&self, now: Instant) -> bool {
        match self.stage {
            Stage::Opening | Stage::Ready | Stage::OnHold | Stage::Closed => false,
            // The agent says goodbye.
            Stage::Leaving { .. } => true,
            Stage::Connected => {
                !self.audio.is_empty()
                    || self.expect_after_audio
                    || self.turn.agent_must_speak()
                    || !self.pause.has_begun(now)
            }
        }
    }
}
