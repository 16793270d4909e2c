//! Rebuilds a call from its event log, and refuses a log that `step` would not have written.

use core::fmt;

use crate::event::Event;
use crate::state::Call;
use crate::step::{open, step};
use crate::time::At;

/// Why a log cannot be a call's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoldError {
    /// The log has no events.
    Empty,
    /// The first event is not an offer.
    NoOffer,
    /// This event changes nothing, so `step` would not have logged it here.
    Idle {
        /// The position of the event in the log, from 1.
        seq: u64,
    },
}

impl fmt::Display for FoldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the log is empty"),
            Self::NoOffer => f.write_str("the log does not begin with an offer"),
            Self::Idle { seq } => write!(f, "event {seq} changes nothing where it stands"),
        }
    }
}

impl core::error::Error for FoldError {}

/// The state after all events of a log, in order of `seq`.
///
/// # Errors
/// When the log is not one that [`step`] would have written.
pub fn fold<'a>(log: impl IntoIterator<Item = (&'a Event, At)>) -> Result<Call, FoldError> {
    let mut log = log.into_iter();
    let (first, at) = log.next().ok_or(FoldError::Empty)?;
    let Event::Offered(offer) = first else { return Err(FoldError::NoOffer) };
    let mut call = open(offer, at).next;
    for (event, at) in log {
        let next = step(&call, event, at).next;
        if next.version == call.version {
            return Err(FoldError::Idle { seq: call.version.saturating_add(1) });
        }
        call = next;
    }
    Ok(call)
}
