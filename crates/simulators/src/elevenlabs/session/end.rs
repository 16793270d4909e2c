//! The end of a conversation over a WebSocket: who ended it, and its close code.

use serde::Serialize;

/// Who ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The agent: its script or the maximum duration.
    Agent,
    /// The agent, because of an error: see the code.
    Error,
    /// The client closed the socket.
    Client,
    /// The client's connection was lost without a close frame.
    ClientGone,
    /// The control API.
    HangUp,
    /// The script dropped the connection.
    Dropped,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct End {
    /// Who ended it.
    pub by: EndedBy,
    /// Close code: the client's, where the client closed.
    pub code: Option<u16>,
    /// The reason that went with it.
    pub reason: String,
    /// After the socket was opened.
    pub after_ms: u64,
}
