//! precall's own clock: set once, then it counts the time that passes and approaches the host's clock slowly.
//!
//! Pure: it gets what the host's clocks show.

#[cfg(test)]
mod tests;

use precall_call::At;

/// Of the time that passes, this part at most is used to approach the host's clock: 1 %.
const APPROACH: i64 = 100;
const NANOS: i64 = 1_000;

/// What the host's clocks show at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Nanoseconds that passed since some moment before the start. No one can set this clock.
    pub(super) passed: i64,
    /// The host's clock.
    pub(super) wall: At,
}

/// The clock, in nanoseconds.
#[derive(Debug)]
pub(super) struct OwnClock {
    /// Of the latest reading.
    passed: i64,
    /// From the time that passed to the time of this clock.
    offset: i64,
}

impl OwnClock {
    /// A clock that shows what the host's clock shows now.
    pub(super) fn set(seen: Seen) -> Self {
        Self { passed: seen.passed, offset: offset(seen) }
    }

    /// The time. It is never earlier than an earlier answer.
    pub(super) fn now(&mut self, seen: Seen) -> At {
        let since = seen.passed.saturating_sub(self.passed).max(0);
        self.passed = self.passed.saturating_add(since);
        let most = since / APPROACH;
        let missing = offset(seen).saturating_sub(self.offset);
        self.offset = self.offset.saturating_add(missing.clamp(most.saturating_neg(), most));
        At(self.passed.saturating_add(self.offset).div_euclid(NANOS))
    }
}

fn offset(seen: Seen) -> i64 {
    seen.wall.0.saturating_mul(NANOS).saturating_sub(seen.passed)
}
