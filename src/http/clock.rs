//! Times as HTTP says them, and the one clock they come from.

use jiff::Timestamp;
use precall_call::At;

pub(crate) use precall_base::clock::now;

/// A point in time as JSON says it; none beyond what a calendar holds.
pub(crate) fn timestamp(at: At) -> Option<Timestamp> {
    Timestamp::from_microsecond(at.0).ok()
}
