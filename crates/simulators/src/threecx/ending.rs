//! The end of an audio stream, in either direction.

/// How an open stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With an answer.
    Clean,
    /// By dropping the connection.
    Reset,
    /// Another POST took its place.
    Replaced,
}
