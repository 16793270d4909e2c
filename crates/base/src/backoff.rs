//! How long to wait before the same thing is tried again: twice as long each time, up to a bound, and never in step
//! with others.

use std::time::Duration;

use uuid::Uuid;

/// Waits that grow.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// The first wait is about `first`, none is longer than `max`.
    #[must_use]
    pub fn new(first: Duration, max: Duration) -> Self {
        Self { first, max, next: first.min(max) }
    }

    /// The next wait: between half of its step and all of it, so that many who lost the same server do not return
    /// together.
    pub fn wait(&mut self) -> Duration {
        let step = self.next;
        self.next = step.saturating_mul(2).min(self.max);
        let half = step / 2;
        let spread = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).saturating_add(1);
        // A random id is all the randomness that this needs.
        let (random, _) = Uuid::new_v4().as_u64_pair();
        step.saturating_sub(half)
            .saturating_add(Duration::from_micros(random.checked_rem(spread).unwrap_or(0)))
    }

    /// It worked: the next failure is a first one.
    pub fn reset(&mut self) {
        self.next = self.first.min(self.max);
    }
}

#[cfg(test)]
mod tests;
