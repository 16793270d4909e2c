//! Limits how many unreadable webhooks are kept in an hour.

use std::sync::{Mutex, PoisonError};

use precall_call::At;

/// Unreadable bodies kept in one hour, so that they do not fill the database.
const UNREADABLE_MAX: u32 = 1_000;
const HOUR: i64 = 3600 * 1_000_000;

/// The current hour since 1970, and how many unreadable bodies were kept in it.
#[derive(Debug, Default)]
pub(crate) struct Unreadable(Mutex<(i64, u32)>);

impl Unreadable {
    /// Counts one more body. Returns whether it may be kept.
    pub(super) fn has_room(&self, now: At) -> bool {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let hour = now.0.div_euclid(HOUR);
        if counted.0 != hour {
            *counted = (hour, 0);
        }
        counted.1 = counted.1.saturating_add(1);
        counted.1 <= UNREADABLE_MAX
    }
}
