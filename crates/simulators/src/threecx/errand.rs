//! Work that needs the network. The state lists it; the server's thread does it.

use std::time::Duration;

/// Work for the server's thread.
#[derive(Debug)]
pub(super) enum Errand {
    /// Posts a webhook.
    Notify(Notice),
    /// Reports a caller's hang-up to the other end of the trunk.
    HangUp(Hangup),
}

/// The kind of webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoticeKind {
    /// A call comes in. Its leg appears when the webhook is answered.
    IncomingThenAppear,
    /// A call has come in.
    Incoming,
    /// A call is over.
    Ended,
}

/// A webhook to be posted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notice {
    pub serial: u64,
    pub kind: NoticeKind,
    /// How long it waits first.
    pub wait: Duration,
}

/// A conversation whose caller hung up.
#[derive(Clone, Debug)]
pub(super) struct Hangup {
    pub dn: String,
    pub conversation_id: String,
}
