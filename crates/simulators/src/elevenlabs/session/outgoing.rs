//! A message of a session to its client.

use bytes::Bytes;

/// A message to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outgoing {
    Text(String),
    Pong(Bytes),
    Close { code: u16, reason: String },
    Drop,
}
