//! The clock, and times as JSON shows them.

use jiff::Timestamp;
use precall_call::At;

pub(crate) use precall_base::clock::{now, wall};

/// A time for JSON; `None` when the calendar cannot represent it.
pub(crate) fn timestamp(at: At) -> Option<Timestamp> {
    Timestamp::from_microsecond(at.0).ok()
}
