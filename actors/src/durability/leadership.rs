//! The role of this process on its database, and what it may do now.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use precall_base::clock;
use precall_base::moment::Moment;
use precall_store::leader::lease::Renewal;
use tokio::sync::{oneshot, watch};

use crate::durability::lease::{Company, Kept, Lease};

/// Time limit of one check of the database and of the lock.
pub(crate) const CHECK_WITHIN: Duration = Duration::from_secs(1);

/// Asks to give the lease back. Answers whether that is durable.
pub(crate) type Leave = oneshot::Sender<bool>;

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
    /// This process was the leader and has left by plan: another one acts, or the next start will.
    Left,
    /// Another process took over: this one does nothing more.
    Superseded,
}

impl EngineRole {
    /// Whether this process will never act again.
    fn is_final(self) -> bool {
        match self {
            Self::Left | Self::Superseded => true,
            Self::Unknown | Self::Standby | Self::Acting(_) => false,
        }
    }
}

/// The current role and the lease, shared.
#[derive(Debug, Default)]
pub struct Leadership {
    role: watch::Sender<EngineRole>,
    lease: Mutex<Lease>,
    /// Whether nothing more begins, because this process is about to leave.
    leaving: watch::Sender<bool>,
    /// Whether this process goes on at the PBX before it leads: the engine before it has ended.
    goes_on_at_pbx: AtomicBool,
    under_way: Arc<AtomicUsize>,
    /// Whether calls must end here, because the PBX gives the legs to no other process.
    keeps_legs: AtomicBool,
}

/// An action that must happen at most once is under way while this lives.
#[derive(Debug)]
pub(crate) struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Leadership {
    /// `alone`: how long this process may act without the database, if no standby is there.
    #[must_use]
    pub(crate) fn new(alone: Duration) -> Self {
        Self { lease: Mutex::new(Lease::new(alone)), ..Self::default() }
    }

    /// The current role.
    #[must_use]
    pub fn now(&self) -> EngineRole {
        *self.role.borrow()
    }

    /// Sets the role. A superseded process stays superseded, and one that has left has left. Returns whether the role
    /// changed.
    pub fn set(&self, role: EngineRole) -> bool {
        self.role.send_if_modified(|now| {
            let is_news = *now != role && !now.is_final();
            if is_news {
                *now = role;
            }
            is_news
        })
    }

    /// The lease that a claim writes.
    pub(crate) fn at_claim(&self, kept: Kept) -> Duration {
        self.lease().at_claim(kept)
    }

    /// This process claimed the database, with a lease of this `length`; the claim was sent at `sent`.
    pub(crate) fn claimed(&self, sent: Moment, length: Duration) {
        self.lease().claimed(sent, length);
    }

    /// The next renewal of the lease. `kept` is asked while the lease is locked: an action that was allowed by a long
    /// lease was noted in the spool's state before, and one that asks later finds the short one.
    pub(crate) fn renewal(&self, kept: impl FnOnce() -> Kept) -> Renewal {
        let mut lease = self.lease();
        lease.renewal(kept())
    }

    /// The database has written a renewal that was sent at `sent`.
    pub(crate) fn renewed(&self, renewal: Renewal, sent: Moment, company: Company) {
        self.lease().renewed(renewal, sent, company);
    }

    /// Whether the lease should be renewed at once, because a standby came or went.
    pub(crate) fn renewal_is_due(&self, kept: Kept) -> bool {
        self.lease().is_due(kept)
    }

    /// Whether a standby was there at the last look.
    pub(crate) fn has_standby(&self) -> bool {
        self.lease().has_standby()
    }

    /// Whether this process acts, and no other one can have taken over.
    #[must_use]
    pub fn acts(&self) -> bool {
        matches!(self.now(), EngineRole::Acting(_)) && self.lease().is_certain(clock::moment())
    }

    /// Whether another process may lead soon.
    pub(crate) fn may_be_followed(&self) -> bool {
        self.lease().may_be_followed()
    }

    /// Sets whether this process goes on at the PBX before it leads.
    pub(crate) fn go_on_at_pbx(&self, goes_on: bool) {
        self.goes_on_at_pbx.store(goes_on, Ordering::Relaxed);
    }

    /// Whether this process may ask the PBX for an access token, which revokes the one before.
    pub(crate) fn may_use_pbx(&self) -> bool {
        let goes_on = self.goes_on_at_pbx.load(Ordering::Relaxed);
        let follows = goes_on && matches!(self.now(), EngineRole::Unknown | EngineRole::Standby);
        follows || self.acts()
    }

    /// Waits until this process may use the PBX, for ever if it never may.
    pub(crate) async fn using_pbx(&self) {
        while !self.may_use_pbx() {
            tokio::time::sleep(ACTING_INTERVAL).await;
        }
    }

    /// From now on nothing begins that must happen at most once.
    pub(crate) fn begin_to_leave(&self) {
        self.leaving.send_replace(true);
    }

    /// This process stays the leader after all.
    pub(crate) fn stay(&self) {
        self.leaving.send_replace(false);
    }

    /// The PBX gives no leg to another process: a stop waits for the end of the calls.
    pub(crate) fn keep_legs(&self) {
        self.keeps_legs.store(true, Ordering::Relaxed);
    }

    /// Whether a standby can go on with the calls.
    pub(crate) fn has_successor(&self) -> bool {
        self.has_standby() && !self.keeps_legs.load(Ordering::Relaxed)
    }

    /// Whether another process takes over by plan, now or in a moment, if this one is being stopped.
    pub(crate) fn hands_over(&self) -> bool {
        self.has_successor() || self.is_leaving() || self.now() == EngineRole::Left
    }

    pub(crate) fn is_leaving(&self) -> bool {
        *self.leaving.borrow()
    }

    /// How many actions are under way that must happen at most once.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Notes such an action.
    pub(crate) fn begin(&self) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(&self.under_way))
    }

    /// Waits until another process takes over.
    pub async fn superseded(&self) {
        let mut changes = self.role.subscribe();
        // The sender is in `self`, so it exists while `self` is borrowed.
        let _ = changes.wait_for(|role| *role == EngineRole::Superseded).await;
    }

    fn lease(&self) -> MutexGuard<'_, Lease> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often a waiting task looks whether this process may use the PBX.
const ACTING_INTERVAL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
