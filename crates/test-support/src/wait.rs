//! Tests wait for conditions, with one deadline for all of them.

use std::future::Future;
use std::time::{Duration, Instant};

/// Long enough for the slowest shared machine; a condition that holds is seen at once.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for a condition; never for a time.
pub async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        pause().await;
    }
}

/// Between two looks at a condition.
pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

/// How long something that is done to the service lasts. Not for waiting until something has happened.
pub async fn lasting(duration: Duration) {
    tokio::time::sleep(duration).await;
}
