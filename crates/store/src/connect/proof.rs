//! A kept connection proves that it carries an answer before it is used again, if it was not used for a moment.
//!
//! An exchange that is given up, because the server did not answer in time, leaves its connection in the pool. The link
//! may be dead although the system sees it as open: a frozen host, a firewall that lost its state. Without a proof such
//! connections would go round for as long as somebody asks for one.
//!
//! The connection of a statement that waits for a lock is not dead, and its session stays until the server gives it up.
//! So only as many connections are replaced at once as the pool has: a locked table must not use up all sessions.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::{Hook, HookError};
use tokio::time::{Instant, timeout};

/// A connection that was taken from the pool within this time needs no proof. Every exchange that is given up takes
/// longer.
const USED_WITHIN: Duration = Duration::from_millis(900);
/// Time limit of the proof: a link with 400 ms each way passes.
const PROVED_WITHIN: Duration = Duration::from_secs(1);
/// Within this time the pool is replaced once at most. The server ends a statement that waits for a lock sooner.
const REPLACED_ONCE_IN: Duration = Duration::from_secs(10);

/// How many connections may be replaced.
#[derive(Debug)]
struct Allowance {
    size: usize,
    left: usize,
    since: Option<Instant>,
}

impl Allowance {
    fn may_replace(&mut self, now: Instant) -> bool {
        if self.since.is_none_or(|since| now.duration_since(since) >= REPLACED_ONCE_IN) {
            (self.left, self.since) = (self.size, None);
        }
        self.left > 0
    }

    fn replaced(&mut self, now: Instant) {
        self.since.get_or_insert(now);
        self.left = self.left.saturating_sub(1);
    }
}

/// Asks a connection of a pool of this size for an empty answer.
pub(super) fn proof(size: usize) -> Hook {
    let allowance = Arc::new(Mutex::new(Allowance { size, left: size, since: None }));
    Hook::async_fn(move |client, metrics| {
        let allowance = Arc::clone(&allowance);
        Box::pin(async move {
            let held = || allowance.lock().unwrap_or_else(PoisonError::into_inner);
            if metrics.last_used() < USED_WITHIN || !held().may_replace(Instant::now()) {
                return Ok(());
            }
            if matches!(timeout(PROVED_WITHIN, client.simple_query("")).await, Ok(Ok(_))) {
                return Ok(());
            }
            held().replaced(Instant::now());
            Err(HookError::message("the connection carries no answer"))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_is_replaced_once_in_a_while() {
        let mut allowance = Allowance { size: 2, left: 2, since: None };
        let (begun, soon) = (Instant::now(), Duration::from_secs(5));
        for _ in 0..2 {
            assert!(allowance.may_replace(begun));
            allowance.replaced(begun);
        }
        assert!(!allowance.may_replace(begun + soon));
        assert!(allowance.may_replace(begun + 2 * soon));
        allowance.replaced(begun + 2 * soon);
        assert!(allowance.may_replace(begun + 3 * soon), "one is left");
        allowance.replaced(begun + 3 * soon);
        assert!(!allowance.may_replace(begun + 3 * soon) && allowance.may_replace(begun + 4 * soon));
    }
}
