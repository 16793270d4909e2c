//! A time on two clocks. [`clock::moment`](crate::clock::moment) reads them.

use std::time::Duration;

use precall_call::At;

/// A reading of two clocks, to measure a time that must not seem shorter than it was.
///
/// The time since the start of the machine cannot be set. On Linux it goes on while the machine sleeps, which
/// [`std::time::Instant`] does not. It may stand still while a virtual machine is paused; then the host sets the wall
/// clock forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Time since the start of the machine.
    pub uptime: Duration,
    /// The wall clock.
    pub wall: At,
}

impl Moment {
    /// The time since an earlier moment: what the clock says on which more time has passed.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.uptime.saturating_sub(earlier.uptime).max(self.wall.since(earlier.wall))
    }
}

#[cfg(test)]
mod tests;
