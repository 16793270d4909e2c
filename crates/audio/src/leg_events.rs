//! What a leg's audio tells its owner.

use std::time::Duration;

use precall_call::{At, Silence};

use crate::bridge::agent_event::AgentNews;
use crate::playlist::Mark;

/// One thing that happened to a leg's audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegReport {
    /// When it happened, taken where it happened.
    pub at: At,
    /// What.
    pub what: LegNews,
}

impl actix::Message for LegReport {
    type Result = ();
}

/// What can happen. `Closed` is always the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegNews {
    /// The first bytes of the audio were handed to the socket. Comes again when the PBX refused the request that carried
    /// them ("not ready yet") and another one carries them anew: the last one counts.
    FirstFrame,
    /// The same for the first bytes that are not silence.
    FirstSound,
    /// The cue with this mark was written to its last byte, and the time to play it out has passed.
    Heard(Mark),
    /// The stream to the caller was cut. It is being opened again, and nothing more of the scene is taken meanwhile.
    Cut,
    /// The stream to the caller is open again: its first bytes were handed to the socket at this time. Told half a second
    /// later, when the PBX has not refused it after all.
    Reopened {
        /// How long the caller had nothing to hear; zero when what was written ahead bridged it.
        gap: Duration,
    },
    /// The stream from the caller ended: perhaps the leg is gone. The PBX knows.
    StreamsEnded,
    /// The audio cannot go on.
    Failed(StreamFailure),
    /// Something happened in a session with an agent.
    Agent {
        /// The attempt that the session is for.
        attempt: u8,
        /// What.
        what: AgentNews,
    },
    /// Nothing is written any more.
    Closed(LegAudioStats),
}

/// Why a leg's audio could not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamFailure {
    /// The PBX had no media for this leg (404, 424) in the time given after Connected.
    #[error("the PBX had no media for the leg in time")]
    NotReady,
    /// 403: the leg is not ours to speak on.
    #[error("the PBX does not let us speak on this leg")]
    Forbidden,
    /// 401 with a token that was fresh, or there was none in time.
    #[error("the PBX takes no access token of ours")]
    Unauthorized,
    /// The PBX answered with something else than audio, to the last try.
    #[error("the PBX refused the stream with status {0}")]
    Refused(u16),
    /// There was no connection, to the last try.
    #[error("the PBX cannot be reached")]
    Unreachable,
    /// A stream was cut and could not be opened again in time.
    #[error("the stream was cut and could not be opened again")]
    CutForGood,
    /// More legs than a shard may hold.
    #[error("there is no room for another leg")]
    NoRoom,
    /// We failed.
    #[error("serving the leg panicked")]
    Panicked,
}

/// A leg's audio in figures. Gaps are as the caller heard them by our clock: what was written ahead had run out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LegAudioStats {
    /// Pieces written. One piece is one chunk of the request's body.
    pub pieces: u64,
    /// Bytes of audio written, silence included.
    pub bytes: u64,
    /// The longest time without anything to hear, from the first byte on.
    pub longest_gap: Duration,
    /// Gaps longer than 40 ms.
    pub gaps_over_40ms: u32,
    /// Pieces written with so little time left that a further delay of two ticks would have been heard.
    pub late_pieces: u32,
    /// POST requests that carried audio and were not refused.
    pub posts_opened: u32,
    /// POST requests that were refused before they counted as open.
    pub posts_refused: u32,
    /// Times the stream to the caller was opened again after a cut.
    pub reopened: u32,
    /// Bytes of the caller's audio that came.
    pub caller_bytes: u64,
    /// What is only known where agents were on the leg.
    pub agents: AgentFigures,
}

/// How the conversations on a leg went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AgentFigures {
    /// Silence while an agent owed the caller a word.
    pub agents_turn: Silence,
    /// Silence while it was the caller's turn.
    pub callers_turn: Silence,
    /// The caller's audio that was too old to be sent.
    pub dropped_to_agent: Duration,
    /// An agent's audio that there was no room for.
    pub dropped_to_caller: Duration,
}

impl AgentFigures {
    /// Those of one agent and of the next.
    #[must_use]
    pub fn and(self, next: Self) -> Self {
        Self {
            agents_turn: self.agents_turn.and(next.agents_turn),
            callers_turn: self.callers_turn.and(next.callers_turn),
            dropped_to_agent: self.dropped_to_agent.saturating_add(next.dropped_to_agent),
            dropped_to_caller: self.dropped_to_caller.saturating_add(next.dropped_to_caller),
        }
    }
}
