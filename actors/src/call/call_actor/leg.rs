//! The caller's leg at the PBX, as the supervisor tells the call of it.

use std::sync::Arc;

use precall_call::At;
use precall_providers::threecx::address::LegAddress;
use slog::error;

use super::CallActor;
use crate::call::leg_player::ConnectedLeg;

impl CallActor {
    /// Sets the caller's leg; it replaces an earlier one. A call that is over does nothing with another leg: the
    /// supervisor learns of it, because its caller would hear nothing.
    pub(super) fn set_leg(&mut self, address: &LegAddress, connected_at: At) {
        if self.call.is_released() && self.leg.as_ref().is_none_or(|known| known.address != *address) {
            self.late_legs.push(address.clone());
            return;
        }
        match &self.services.pbx {
            Some(side) => {
                let (address, side) = (address.clone(), Arc::clone(side));
                self.leg = Some(ConnectedLeg { address, side, connected_at });
            }
            None => error!(self.log, "a leg came from a PBX that is not configured"),
        }
    }
}
