//! The planned hand-over of legs from one process to the next, as their audio sees it.
//!
//! The process that leaves plays on until the PBX gives a leg's stream to its successor, and opens no stream again. The
//! successor opens the streams of a leg when the other one says that its agent is at a pause.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use precall_providers::threecx::address::LegAddress;
use tokio::sync::watch;

/// Whether and when the streams of a leg may be opened. Shared by all shards.
#[derive(Debug, Default)]
pub struct HandOver {
    /// Legs that another process still plays into.
    elsewhere: watch::Sender<HashSet<LegAddress>>,
    /// Legs that another process hands over, until their player here takes note of it.
    handed: Mutex<HashSet<LegAddress>>,
    leaves: AtomicBool,
}

/// A leg of a process that leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegTurn {
    /// The leg.
    pub address: LegAddress,
    /// The PBX takes its audio from this process.
    pub is_open: bool,
    /// Caller or agent is in the middle of something: a hand-over would cut it.
    pub is_in_turn: bool,
}

impl HandOver {
    /// Sets the legs that another process still plays into.
    pub fn set_elsewhere(&self, legs: HashSet<LegAddress>) {
        self.handed().extend(legs.iter().cloned());
        self.elsewhere.send_replace(legs);
    }

    /// Whether another process still plays into this leg.
    #[must_use]
    pub(crate) fn is_elsewhere(&self, leg: &LegAddress) -> bool {
        self.elsewhere.borrow().contains(leg)
    }

    /// Whether another process hands this leg over, or has, and no player has taken note of it.
    #[must_use]
    pub fn is_handed(&self, leg: &LegAddress) -> bool {
        self.handed().contains(leg)
    }

    /// The same, for the player that takes note of it.
    #[must_use]
    pub fn take_handed(&self, leg: &LegAddress) -> bool {
        self.handed().remove(leg)
    }

    fn handed(&self) -> MutexGuard<'_, HashSet<LegAddress>> {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no other process plays into this leg.
    pub(crate) async fn until_here(&self, leg: &LegAddress) {
        let mut changes = self.elsewhere.subscribe();
        // The sender is in `self`, so it exists while `self` is borrowed.
        let _ = changes.wait_for(|legs| !legs.contains(leg)).await;
    }

    /// From now on a stream that ends is not opened again: another process has the legs.
    pub fn leave(&self) {
        self.leaves.store(true, Ordering::Release);
    }

    /// Whether another process gets the legs.
    pub(crate) fn leaves(&self) -> bool {
        self.leaves.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use precall_providers::threecx::address::{Dn, ParticipantId};

    use super::*;

    fn leg(id: u64) -> LegAddress {
        LegAddress { dn: Dn::new("900"), participant: ParticipantId(id) }
    }

    #[tokio::test]
    async fn a_leg_is_here_once_it_is_off_the_list() {
        let hand_over = HandOver::default();
        hand_over.until_here(&leg(1)).await;
        hand_over.set_elsewhere(HashSet::from([leg(1), leg(2)]));
        let (one, two) = (leg(1), leg(2));
        let mut waits = std::pin::pin!(hand_over.until_here(&one));
        assert!(futures_util::poll!(waits.as_mut()).is_pending());
        hand_over.set_elsewhere(HashSet::from([two.clone()]));
        waits.await;
        assert!(!hand_over.is_elsewhere(&one) && hand_over.is_elsewhere(&two));
        assert!(hand_over.is_handed(&one) && !hand_over.is_handed(&leg(3)));
        assert!(hand_over.take_handed(&one) && !hand_over.take_handed(&one));
    }
}
