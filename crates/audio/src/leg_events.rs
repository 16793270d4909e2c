//! What a leg's audio reports to its owner.

use std::time::Duration;

use precall_call::{At, Silence};

use crate::bridge::agent_event::AgentEvent;
use crate::playlist::Mark;

/// One event of a leg's audio, with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegReport {
    /// When it happened, measured where it happened.
    pub at: At,
    /// The event.
    pub what: LegAudioEvent,
}

impl actix::Message for LegReport {
    type Result = ();
}

/// An event of a leg's audio. `Closed` is always the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegAudioEvent {
    /// The first bytes of audio were handed to the socket. Reported again when the PBX refused the request that carried
    /// them ("not ready yet") and another request carried them anew: the last report counts.
    FirstFrame,
    /// The same for the first bytes that are not silence.
    FirstSound,
    /// The item with this mark was written to its last byte, and the time to play it has passed.
    Heard(Mark),
    /// The stream to the caller was cut. It is being reopened; the playlist waits meanwhile.
    Cut,
    /// The stream to the caller is open again: its first bytes were handed to the socket at the time of this report.
    /// Reported half a second later, once the PBX can no longer refuse it.
    Reopened {
        /// How long the caller had nothing to hear; zero when the lead bridged the cut.
        gap: Duration,
    },
    /// The stream from the caller ended: the leg may be gone. Ask the PBX.
    StreamsEnded,
    /// A stream is open, but dead. It is being reopened. Ask the PBX for the leg.
    Silent(SilentStream),
    /// The caller's audio comes again after [`SilentStream::FromCaller`].
    CallerHeardAgain,
    /// The audio cannot go on.
    Failed(StreamFailure),
    /// An event of an agent's session.
    Agent {
        /// The handoff attempt that the session belongs to.
        attempt: u8,
        /// The event.
        what: AgentEvent,
    },
    /// No more audio is written.
    Closed(LegAudioStats),
}

/// A stream that is open, but dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SilentStream {
    /// Nothing was received from the caller for five seconds, not even silence.
    FromCaller,
    /// The PBX took no audio for some seconds.
    ToCaller,
}

impl SilentStream {
    /// The name in logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FromCaller => "from_caller",
            Self::ToCaller => "to_caller",
        }
    }

    /// What happened, for health.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::FromCaller => {
                "3CX: the caller's audio stream is open but silent (nothing received for 5 s), precall opened it again"
            }
            Self::ToCaller => {
                "3CX: the audio stream to the caller is open but takes no audio, precall opened it again"
            }
        }
    }
}

/// Why a leg's audio failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamFailure {
    /// The PBX had no media for this leg (404, 424) within the time allowed after Connected.
    #[error("the PBX had no media for the leg in time")]
    NotReady,
    /// 403: the leg does not belong to precall's route point.
    #[error("the PBX refuses audio on this leg (403)")]
    Forbidden,
    /// The PBX answered 401 to a fresh token, or no token was available in time.
    #[error("there is no access token that the PBX accepts")]
    Unauthorized,
    /// The PBX answered the last attempt with another status.
    #[error("the PBX refused the stream with status {0}")]
    Refused(u16),
    /// The last attempt got no connection.
    #[error("the PBX cannot be reached")]
    Unreachable,
    /// A stream was cut and could not be reopened in time.
    #[error("the stream was cut and could not be opened again")]
    CutForGood,
    /// The shard is full.
    #[error("there is no room for another leg")]
    NoRoom,
    /// A bug in precall.
    #[error("serving the leg panicked")]
    Panicked,
}

/// Figures of a leg's audio. Gaps are what the caller heard by precall's clock: the lead had run out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LegAudioStats {
    /// Pieces written. One piece is one chunk of the request's body.
    pub pieces: u64,
    /// Bytes of audio written, silence included.
    pub bytes: u64,
    /// The longest time with nothing to hear, from the first byte on.
    pub longest_gap: Duration,
    /// Gaps longer than 40 ms.
    pub gaps_over_40ms: u32,
    /// Pieces written so late that a further delay of two ticks would have caused a gap.
    pub late_pieces: u32,
    /// POST requests that carried audio and were not refused.
    pub posts_opened: u32,
    /// POST requests that were refused before they counted as open.
    pub posts_refused: u32,
    /// How often the stream to the caller was reopened after a cut.
    pub reopened: u32,
    /// Bytes of the caller's audio received.
    pub caller_bytes: u64,
    /// Sums over the agents on the leg.
    pub agents: AgentStats,
}

/// Figures of the conversations with agents on a leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AgentStats {
    /// Silence while the agent had to speak.
    pub agents_turn: Silence,
    /// Silence while it was the caller's turn.
    pub callers_turn: Silence,
    /// The caller's audio that was dropped because it was too old.
    pub dropped_to_agent: Duration,
    /// The agent's audio that was dropped because too much was waiting.
    pub dropped_to_caller: Duration,
}

impl AgentStats {
    /// The sum over two agents, one after the other.
    #[must_use]
    pub(crate) fn and(self, next: Self) -> Self {
        Self {
            agents_turn: self.agents_turn.and(next.agents_turn),
            callers_turn: self.callers_turn.and(next.callers_turn),
            dropped_to_agent: self.dropped_to_agent.saturating_add(next.dropped_to_agent),
            dropped_to_caller: self.dropped_to_caller.saturating_add(next.dropped_to_caller),
        }
    }
}
