//! How tests wait: for a condition, with one deadline for all.

use std::future::Future;
use std::time::{Duration, Instant};

/// The deadline of every wait. Long enough for a slow shared machine; a wait ends as soon as its condition holds.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Waits for a condition. `what` says in the failure message what did not happen.
pub async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < PATIENCE, "did not happen within {PATIENCE:?}: {what}");
        pause().await;
    }
}

/// The pause between two checks of a condition.
pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

/// Keeps a disturbance, such as an outage, for this long. Not for waiting until something has happened.
pub async fn lasting(duration: Duration) {
    tokio::time::sleep(duration).await;
}
