//! What a session and its socket tell each other: how far the opening is, and how the socket ended.
//!
//! Pure: no clock, no I/O, no actor.

use precall_base::redact::redact;
use precall_call::{AgentLoss, HandoffFailure};
use precall_providers::elevenlabs::refuses_override;

/// The provider's close code for a request that it does not allow (facts, section 4).
const POLICY_VIOLATION: u16 = 1008;

/// Close code of a conversation that ended normally.
const NORMAL: u16 = 1000;

/// Longest text of the provider that is kept, in characters.
const DETAIL_CHARS_MAX: usize = 300;

/// How far the provider is with opening a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// Its first message is awaited.
    Awaited,
    /// It lets the caller wait for a free conversation.
    Queued,
    /// The session is open, or over.
    Done,
}

/// How a socket ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SocketEnd {
    /// It was refused for good: a 4xx status, or an address that cannot be used.
    Refused(String),
    /// It broke, did not open in time, or was closed without a code.
    Broken(String),
    /// It was closed with this code.
    Closed(u16, String),
}

/// What the end of a socket means for its session.
pub(crate) struct Ending {
    /// Whether its close code is that of a conversation that ended normally.
    pub(crate) is_normal: bool,
    /// Whether the provider sent an error message before.
    pub(crate) is_error: bool,
    /// The provider's words, redacted, or ours.
    pub(crate) detail: String,
    /// Why the attempt failed, if the session was not open yet.
    pub(crate) not_opened: HandoffFailure,
    /// How the agent was lost, if it was.
    pub(crate) lost: AgentLoss,
}

impl Ending {
    /// `error` is the provider's last error message and its code, 0 for none. It says more than the close frame.
    pub(crate) fn new(end: SocketEnd, error: Option<(u16, String)>) -> Self {
        let (code, said) = match end {
            SocketEnd::Refused(why) => (Some(POLICY_VIOLATION), why),
            SocketEnd::Broken(why) => (None, why),
            SocketEnd::Closed(code, why) => (Some(code), why),
        };
        let is_error = error.is_some();
        let (code, detail) = match error {
            Some((0, error)) => (code, error),
            Some((error_code, error)) => (Some(error_code), error),
            None => (code, said),
        };
        let (not_opened, lost) = if refuses_override(&detail) {
            (HandoffFailure::OverrideRefused, AgentLoss::OverrideRefused)
        } else if code == Some(POLICY_VIOLATION) {
            (HandoffFailure::Refused, AgentLoss::Refused)
        } else {
            (HandoffFailure::Unknown, AgentLoss::Lost)
        };
        let detail = redacted(&detail);
        Self { is_normal: code == Some(NORMAL), is_error, detail, not_opened, lost }
    }
}

/// A text of the provider, for logs and events: it may repeat numbers and keys.
pub(crate) fn redacted(text: &str) -> String {
    redact(text, DETAIL_CHARS_MAX, &[])
}
