//! Legs that precall drops and the PBX still has. A PBX that cannot be reached drops nothing, and its caller hears
//! nothing any more: so the order is repeated until it is carried out, or until the leg is gone.
//!
//! The feed says when a leg is gone, also after a restart of the PBX, which gives its id to another leg. An order that
//! is repeated beyond that would drop a stranger.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use precall_providers::threecx::address::LegAddress;

/// The legs of one PBX that are being dropped.
#[derive(Debug, Default)]
pub struct DroppingLegs(Mutex<HashSet<LegAddress>>);

impl DroppingLegs {
    /// The leg is being dropped. False if it was already.
    pub(crate) fn begin(&self, leg: &LegAddress) -> bool {
        self.lock().insert(leg.clone())
    }

    /// Whether the leg is still there, as far as the feed knows.
    pub(crate) fn has(&self, leg: &LegAddress) -> bool {
        self.lock().contains(leg)
    }

    /// The leg is gone, or was dropped.
    pub(crate) fn over(&self, leg: &LegAddress) {
        self.lock().remove(leg);
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<LegAddress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
