//! What this process is on its database: the one that acts, or one that waits for its turn.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use precall_base::clock;
use precall_call::At;
use tokio::sync::watch;

/// How long a standby sees the lock free before it takes it. Whoever holds it looks more often than that, and so knows that nobody else can have
/// taken it meanwhile, even where the database cannot be asked. Whoever has not looked for longer was not running, and knows nothing.
pub const LEFT_FREE: Duration = Duration::from_secs(4);
/// Between two questions whether somebody has looked meanwhile, and how often it is asked.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);
const CHECKS_MAX: u32 = 80;

/// See the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineRole {
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

/// The role as it changes.
#[derive(Debug, Default)]
pub struct Leadership {
    role: watch::Sender<EngineRole>,
    /// When somebody last looked whether it is still so; microseconds since 1970.
    looked: AtomicI64,
}

impl Leadership {
    /// As it is now.
    #[must_use]
    pub fn now(&self) -> EngineRole {
        *self.role.borrow()
    }

    /// Changes it; once superseded it stays so. Returns whether that is news.
    pub fn set(&self, role: EngineRole) -> bool {
        self.role.send_if_modified(|now| {
            let is_news = *now != role && *now != EngineRole::Superseded;
            if is_news {
                *now = role;
            }
            is_news
        })
    }

    /// Somebody looked, and it is still so.
    pub fn looked(&self, now: At) {
        self.looked.store(now.0, Ordering::Relaxed);
    }

    /// Somebody looked, and the database did not answer. If it was so a moment ago it still is: nobody can take over without the database,
    /// and whoever has it for a moment only leaves the lock alone.
    pub fn not_answered(&self, now: At) {
        if self.is_sure(now) {
            self.looked(now);
        }
    }

    /// Whether nobody can have taken over.
    #[must_use]
    pub fn is_sure(&self, now: At) -> bool {
        now.since(At(self.looked.load(Ordering::Relaxed))) < LEFT_FREE
    }

    /// Whether what must be done once at most may be done now. A process that was stopped in the middle of its work looks first
    /// whether it is still the one that acts: an order that it had before may be somebody else's by now.
    pub async fn may_act(&self) -> bool {
        for _ in 0..CHECKS_MAX {
            match self.now() {
                EngineRole::Superseded => return false,
                EngineRole::Acting(_) if self.is_sure(clock::now()) => return true,
                EngineRole::Unknown | EngineRole::Standby | EngineRole::Acting(_) => {
                    tokio::time::sleep(CHECK_INTERVAL).await;
                }
            }
        }
        false
    }

    /// Waits until another process has taken over.
    pub async fn superseded(&self) {
        let mut changes = self.role.subscribe();
        // The sender is ours: it is not gone while it is borrowed.
        let _ = changes.wait_for(|role| *role == EngineRole::Superseded).await;
    }
}

#[cfg(test)]
mod tests;
