//! Heartbeats: every arbiter stamps the time once a second, which shows that it makes progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use actix::ArbiterHandle;
use precall_base::clock;
use precall_call::At;

const EVERY: Duration = Duration::from_secs(1);

/// One time stamp per arbiter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heartbeats(Arc<Vec<AtomicI64>>);

impl Heartbeats {
    /// Starts a heartbeat on each arbiter; it ends with its arbiter.
    #[must_use]
    pub fn start(arbiters: &[ArbiterHandle]) -> Self {
        let now = clock::now().0;
        let stamps = Arc::new(arbiters.iter().map(|_| AtomicI64::new(now)).collect::<Vec<_>>());
        for (i, arbiter) in arbiters.iter().enumerate() {
            let stamps = Arc::clone(&stamps);
            arbiter.spawn(async move {
                while let Some(stamp) = stamps.get(i) {
                    stamp.store(clock::now().0, Ordering::Relaxed);
                    tokio::time::sleep(EVERY).await;
                }
            });
        }
        Self(stamps)
    }

    /// Age of the last stamp of each arbiter.
    #[must_use]
    pub(crate) fn ages(&self, now: At) -> Vec<Duration> {
        self.0.iter().map(|stamp| now.since(At(stamp.load(Ordering::Relaxed)))).collect()
    }

    /// Age of the oldest stamp.
    #[must_use]
    pub fn oldest(&self, now: At) -> Duration {
        let oldest = self.0.iter().map(|stamp| stamp.load(Ordering::Relaxed)).min().unwrap_or(now.0);
        now.since(At(oldest))
    }
}
