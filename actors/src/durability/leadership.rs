//! The role of this process on its database: leader or standby.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use precall_base::clock;
use precall_call::At;
use tokio::sync::watch;

/// A standby takes the leader lock after it was free for this time. The leader checks its lock more often, so it
/// knows
/// that no other process can have taken it, even while the database does not answer. A leader that has not checked
/// for
/// this time was not running and must check first.
pub const LEFT_FREE: Duration = Duration::from_secs(4);
/// Time limit of one check of the database and of the lock.
pub(crate) const CHECK_WITHIN: Duration = Duration::from_secs(1);
/// How [`Leadership::may_act`] waits for a check of the lock: length and number of pauses.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);
const CHECKS_MAX: u32 = 80;

/// The role of this process on its database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineRole {
    /// The database has not answered yet.
    #[default]
    Unknown,
    /// Another process is the leader; this one is ready to take over.
    Standby,
    /// This process is the leader, with this generation.
    Acting(u64),
    /// Another process took over: this one does nothing more.
    Superseded,
}

/// The current role, shared.
#[derive(Debug, Default)]
pub struct Leadership {
    role: watch::Sender<EngineRole>,
    /// When the leader lock was last confirmed, in microseconds since 1970.
    confirmed_at: AtomicI64,
}

impl Leadership {
    /// The current role.
    #[must_use]
    pub fn now(&self) -> EngineRole {
        *self.role.borrow()
    }

    /// Sets the role. A superseded process stays superseded. Returns whether the role changed.
    pub fn set(&self, role: EngineRole) -> bool {
        self.role.send_if_modified(|now| {
            let is_news = *now != role && *now != EngineRole::Superseded;
            if is_news {
                *now = role;
            }
            is_news
        })
    }

    /// A check confirmed the leader lock.
    pub(crate) fn lock_confirmed(&self, now: At) {
        self.confirmed_at.store(now.0, Ordering::Relaxed);
    }

    /// The database did not answer a check. If the role was certain until now, it stays certain: no process can take
    /// over
    /// without the database, and a standby that reaches it leaves the lock free for [`LEFT_FREE`] first.
    pub(crate) fn lock_unconfirmed(&self, now: At) {
        if self.is_certain(now) {
            self.lock_confirmed(now);
        }
    }

    /// Whether no other process can have taken over.
    #[must_use]
    pub fn is_certain(&self, now: At) -> bool {
        now.since(At(self.confirmed_at.load(Ordering::Relaxed))) < LEFT_FREE
    }

    /// Whether an action that must happen at most once may be done now. A process that was suspended in the middle of
    /// its
    /// work first checks that it is still the leader: another process may have taken over the action.
    pub(crate) async fn may_act(&self) -> bool {
        for _ in 0..CHECKS_MAX {
            match self.now() {
                EngineRole::Superseded => return false,
                EngineRole::Acting(_) if self.is_certain(clock::now()) => return true,
                EngineRole::Unknown | EngineRole::Standby | EngineRole::Acting(_) => {
                    tokio::time::sleep(CHECK_INTERVAL).await;
                }
            }
        }
        false
    }

    /// Waits until another process takes over.
    pub async fn superseded(&self) {
        let mut changes = self.role.subscribe();
        // The sender is in `self`, so it exists while `self` is borrowed.
        let _ = changes.wait_for(|role| *role == EngineRole::Superseded).await;
    }
}

#[cfg(test)]
mod tests;
