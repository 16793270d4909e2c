//! What this process is on its database: the one that acts, or one that waits for its turn.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use precall_call::At;
use tokio::sync::watch;

use crate::clock;

/// Looks are two seconds apart, and may take some: whoever has not looked for longer was not running.
const FRESH: Duration = Duration::from_secs(7);
/// Between two questions whether somebody has looked meanwhile, and how often it is asked.
const ASK_EVERY: Duration = Duration::from_millis(100);
const ASKED_MAX: u32 = 80;

/// See the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// The database has not been asked yet.
    #[default]
    Unknown,
    /// Another process acts; this one is ready to.
    Standby,
    /// This one acts, as this start of precall.
    Acting(u64),
    /// Another process has taken over: this one does nothing more.
    Superseded,
}

/// The standing as it changes.
#[derive(Debug, Default)]
pub struct Stand {
    standing: watch::Sender<Standing>,
    /// When somebody last looked whether it is still so; microseconds since 1970.
    looked: AtomicI64,
}

impl Stand {
    /// As it is now.
    #[must_use]
    pub fn now(&self) -> Standing {
        *self.standing.borrow()
    }

    /// Changes it; once superseded it stays so. Returns whether that is news.
    pub fn set(&self, standing: Standing) -> bool {
        self.standing.send_if_modified(|now| {
            let is_news = *now != standing && *now != Standing::Superseded;
            if is_news {
                *now = standing;
            }
            is_news
        })
    }

    /// Somebody looked, and nothing speaks against it.
    pub fn looked(&self, now: At) {
        self.looked.store(now.0, Ordering::Relaxed);
    }

    /// Whether what must be done once at most may be done now. A process that was stopped in the middle of its work looks first
    /// whether it is still the one that acts: an order that it had before may be somebody else's by now.
    pub async fn may_act(&self) -> bool {
        for _ in 0..ASKED_MAX {
            match self.now() {
                Standing::Superseded => return false,
                Standing::Acting(_) if self.is_fresh(clock::now()) => return true,
                Standing::Unknown | Standing::Standby | Standing::Acting(_) => {
                    tokio::time::sleep(ASK_EVERY).await;
                }
            }
        }
        false
    }

    fn is_fresh(&self, now: At) -> bool {
        now.since(At(self.looked.load(Ordering::Relaxed))) < FRESH
    }

    /// Waits until another process has taken over.
    pub async fn superseded(&self) {
        let mut changes = self.standing.subscribe();
        // The sender is ours: it is not gone while it is borrowed.
        let _ = changes.wait_for(|standing| *standing == Standing::Superseded).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_superseded_stays_so() {
        let stand = Stand::default();
        assert!(stand.set(Standing::Standby) && stand.set(Standing::Acting(3)));
        assert!(!stand.set(Standing::Acting(3)), "no news");
        assert!(stand.set(Standing::Superseded));
        assert!(!stand.set(Standing::Acting(4)));
        assert_eq!(stand.now(), Standing::Superseded);
    }

    #[tokio::test]
    async fn who_has_not_looked_for_long_does_nothing_until_it_has() {
        let long_ago = || At(clock::now().0 - 8_000_000);
        let stand = Stand::default();
        stand.set(Standing::Acting(1));
        stand.looked(clock::now());
        assert!(stand.may_act().await);
        stand.looked(long_ago());
        // The question comes first, and waits.
        let (may, ()) = tokio::join!(stand.may_act(), async { stand.looked(clock::now()) });
        assert!(may, "it looked meanwhile");
        stand.looked(long_ago());
        let (may, _) = tokio::join!(stand.may_act(), async { stand.set(Standing::Superseded) });
        assert!(!may);
    }
}
