//! Current time and new ids. Only actors call this; code below them takes the time as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

use precall_call::{At, CallId, CloneJobId};
use uuid::Uuid;

/// The current time, in microseconds since 1970 UTC.
#[must_use]
pub fn now() -> At {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    At(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// A new call id. Ids are ordered by time, because the event log is partitioned by them.
#[must_use]
pub fn new_call() -> CallId {
    CallId(Uuid::now_v7().as_u128())
}

/// A new clone job id.
#[must_use]
pub fn new_job() -> CloneJobId {
    CloneJobId(Uuid::now_v7().as_u128())
}
