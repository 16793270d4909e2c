//! Which looks at personal data of a call are in the audit trail already: the page of a live call reads itself again up
//! to once a second, and one row a minute says the same.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use precall_call::At;
use uuid::Uuid;

/// A look goes on for this long without a new row.
const ONE_LOOK: Duration = Duration::from_secs(60);
/// Looks that are remembered; beyond that each gets its row.
const LOOKS_MAX: usize = 1_000;

/// Latest looks, by session and call.
#[derive(Debug, Default)]
pub(crate) struct Looks(Mutex<HashMap<([u8; 32], Uuid), At>>);

impl Looks {
    /// Whether this look needs a row of its own.
    pub(super) fn is_new(&self, session: [u8; 32], call: Uuid, now: At) -> bool {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        looks.retain(|_, at| now.since(*at) < ONE_LOOK);
        if looks.contains_key(&(session, call)) {
            return false;
        }
        if looks.len() < LOOKS_MAX {
            looks.insert((session, call), now);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    //! Tests of the looks.

    use super::*;

    #[test]
    fn a_look_has_one_row_a_minute() {
        let (looks, call) = (Looks::default(), Uuid::from_u128(1));
        let second = 1_000_000;
        for (session, at, is_new) in
            [(1, 0, true), (1, 1, false), (2, 1, true), (1, 59, false), (1, 60, true)]
        {
            assert_eq!(looks.is_new([session; 32], call, At(at * second)), is_new, "{session} {at}");
        }
        assert!(looks.is_new([1; 32], Uuid::from_u128(2), At(0)));
    }
}
