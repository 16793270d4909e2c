//! What the edge asks of admission, and what it is answered.

use std::time::Duration;

use precall_call::{CallId, Cause, VoiceId};

/// `IncomingCall` of a 3CX webhook, checked and parsed.
#[derive(Clone, Debug)]
pub struct IncomingCall {
    /// The PBX's id of the call, if it gave one.
    pub threecx_call_id: Option<String>,
    /// The caller as the PBX wrote it; parsed by the engine.
    pub caller: Option<String>,
    /// The called number as the PBX wrote it.
    pub called: Option<String>,
    /// Kept with the call, never fetched.
    pub recording_url: Option<String>,
}

/// `CallEnded` or `CallStateChanged` of a 3CX webhook.
#[derive(Clone, Debug)]
pub struct PbxNotice {
    /// The PBX's id of the call, if it gave one.
    pub threecx_call_id: Option<String>,
    /// The caller as the PBX wrote it.
    pub caller: Option<String>,
    /// The called number as the PBX wrote it.
    pub called: Option<String>,
    /// What it says.
    pub kind: PbxNoticeKind,
}

/// What a notice says.
#[derive(Clone, Debug)]
pub enum PbxNoticeKind {
    /// The PBX's call is over.
    Ended {
        /// How long it lasted, if the PBX said so; zero counts.
        duration: Option<Duration>,
        /// Kept with the call, never fetched.
        recording_url: Option<String>,
    },
    /// The PBX's word for the new state.
    StateChanged(String),
}

/// The answer to an accepted webhook. By the time it is given, its event is durable.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Our id of the call; none for the end of a call that was never seen.
    pub call: Option<CallId>,
    /// What became of it.
    pub outcome: Outcome,
    /// The voice, where the cache holds one.
    pub cached_voice: Option<VoiceId>,
}

/// What became of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A new call.
    Accepted,
    /// Seen before; nothing happened.
    Duplicate,
    /// The call is over, or was before it came.
    Ended,
    /// News of a call that nobody has seen; nothing was kept.
    Ignored,
    /// The call must not be made.
    Rejected(Cause),
}

/// Why nothing was done. The sender may try again after a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// As many calls as are allowed are live.
    #[error("as many calls as are allowed are live")]
    AtCapacity,
    /// What would be acknowledged cannot be kept.
    #[error("neither the database nor the spool takes it")]
    CannotKeep,
    /// It was not durable in time.
    #[error("the event was not durable in time")]
    TooSlow,
    /// The program is being stopped.
    #[error("the program is being stopped")]
    Draining,
}

/// What became of a provider's report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportOutcome {
    /// It belongs to this call.
    Applied(CallId),
    /// Its conversation is not known yet; it is kept until it is.
    Kept,
    /// An agent that is not ours: counted, not stored.
    NotOurs,
}
