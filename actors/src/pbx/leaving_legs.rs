//! Legs that precall sends away or drops, and the PBX still has. While a PBX cannot be reached it carries out nothing,
//! and the caller hears nothing: so the order is repeated until it is carried out, or until the leg is gone.
//!
//! The feed says when a leg is gone, also after a restart of the PBX, which gives its id to another leg. An order that
//! is repeated beyond that would drop a stranger.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use precall_providers::threecx::address::LegAddress;

/// The legs of one PBX that must leave.
#[derive(Debug, Default)]
pub struct LeavingLegs(Mutex<HashSet<LegAddress>>);

impl LeavingLegs {
    /// The leg must leave. False if it must already.
    pub(crate) fn begin(&self, leg: &LegAddress) -> bool {
        self.lock().insert(leg.clone())
    }

    /// Whether the leg is still there, as far as the feed knows.
    pub(crate) fn has(&self, leg: &LegAddress) -> bool {
        self.lock().contains(leg)
    }

    /// The leg is gone, or the order was carried out.
    pub(crate) fn over(&self, leg: &LegAddress) {
        self.lock().remove(leg);
    }

    /// The PBX's list of legs was compared with the known ones. A leg that nobody knows any more was gone before its
    /// order began.
    pub(crate) fn compared(&self, is_known: impl Fn(&LegAddress) -> bool) {
        self.lock().retain(|leg| is_known(leg));
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<LegAddress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    //! Tests of the legs that must leave.

    use precall_providers::threecx::address::{Dn, ParticipantId};

    use super::*;

    #[test]
    fn a_leg_that_was_gone_before_its_order_began_is_not_ordered_about_for_ever() {
        let [known, unknown] =
            [1, 2].map(|number| LegAddress { dn: Dn::new("900"), participant: ParticipantId(number) });
        let legs = LeavingLegs::default();
        assert!(legs.begin(&known) && legs.begin(&unknown));
        assert!(!legs.begin(&known), "one order at a time");
        legs.compared(|leg| *leg == known);
        assert_eq!((legs.has(&known), legs.has(&unknown)), (true, false));
        legs.over(&known);
        assert!(!legs.has(&known));
    }
}
