//! Polls for something, within a limit.

use std::time::{Duration, Instant};

use super::post_stream::FRAME;

/// Calls `there` every 5 ms until it returns something; `None` after `limit`.
pub(super) async fn until<T>(limit: Duration, mut there: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        let found = there();
        if found.is_some() || begun.elapsed() >= limit {
            return found;
        }
        tokio::time::sleep(FRAME / 4).await;
    }
}
