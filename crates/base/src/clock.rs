//! What time it is, and new ids. Actors ask here; everything below them is told.

use std::time::{SystemTime, UNIX_EPOCH};

use precall_call::{At, CallId, CloneJobId};
use uuid::Uuid;

/// Now, in microseconds since 1970.
#[must_use]
pub fn now() -> At {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    At(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// A new call's id: time-ordered, so that its log can be partitioned by it.
#[must_use]
pub fn new_call() -> CallId {
    CallId(Uuid::now_v7().as_u128())
}

/// A new clone job's id.
#[must_use]
pub fn new_job() -> CloneJobId {
    CloneJobId(Uuid::now_v7().as_u128())
}
