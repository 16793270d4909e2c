//! Delays between retries: doubled each time up to a limit, with random spread.

use std::time::Duration;

use uuid::Uuid;

/// Growing delays.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// The first delay is about `first`; no delay is longer than `max`.
    #[must_use]
    pub fn new(first: Duration, max: Duration) -> Self {
        Self { first, max, next: first.min(max) }
    }

    /// The next delay: random between half of the step and the step, so that clients of one failed server do not return
    /// at the same moment.
    pub fn wait(&mut self) -> Duration {
        let step = self.next;
        self.next = step.saturating_mul(2).min(self.max);
        let half = step / 2;
        let spread = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).saturating_add(1);
        // A random UUID is random enough here.
        let (random, _) = Uuid::new_v4().as_u64_pair();
        step.saturating_sub(half)
            .saturating_add(Duration::from_micros(random.checked_rem(spread).unwrap_or(0)))
    }

    /// Starts again with the first delay, after a success.
    pub fn reset(&mut self) {
        self.next = self.first.min(self.max);
    }
}

#[cfg(test)]
mod tests;
