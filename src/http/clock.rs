//! What time it is: asked at the edge alone, and passed on from here.

use std::time::SystemTime;

use jiff::Timestamp;
use precall_call::At;

/// Now.
pub(super) fn now() -> At {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    At(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// A point in time as JSON says it; none beyond what a calendar holds.
pub(super) fn timestamp(at: At) -> Option<Timestamp> {
    Timestamp::from_microsecond(at.0).ok()
}
