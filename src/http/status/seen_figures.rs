//! What a request for health may see.

/// What a request may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeenFigures {
    /// Everything.
    All,
    /// States without figures: no key was sent, or the keys of the database are not known yet.
    None,
}
