//! Lets live writes go before the import of a left-behind spool.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A live write that took longer than this is slowed down by the import.
const SLOW: Duration = Duration::from_millis(200);
/// Longest pause before one window.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// How long live writes take now.
#[derive(Debug, Default)]
pub struct Pace {
    /// Milliseconds of the slowest live write since the import asked last.
    slowest: AtomicU64,
}

impl Pace {
    /// A live write took this long.
    pub fn live_write(&self, took: Duration) {
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.slowest.fetch_max(took, Ordering::Relaxed);
    }

    /// How long the import pauses now: twice as long as the slowest live write took, if that was slow.
    fn pause(&self) -> Duration {
        let slowest = Duration::from_millis(self.slowest.swap(0, Ordering::Relaxed));
        if slowest < SLOW { Duration::ZERO } else { slowest.saturating_mul(2).min(PAUSE_MAX) }
    }

    /// Waits as long as live writes need.
    pub(crate) async fn give_way(&self) {
        let pause = self.pause();
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
}

#[cfg(test)]
mod tests;
