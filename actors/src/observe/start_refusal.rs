//! Why this start must end: going on would leave live callers without precall.

use tokio::sync::watch;

/// Empty while the start may go on.
#[derive(Debug, Default)]
pub(crate) struct StartRefusal(watch::Sender<Option<String>>);

impl StartRefusal {
    /// The start must end, for this reason.
    pub(crate) fn refuse(&self, words: String) {
        self.0.send_replace(Some(words));
    }

    /// Waits until the start must end. Returns the reason.
    pub(crate) async fn refused(&self) -> String {
        let mut changes = self.0.subscribe();
        // The sender is in `self`, so it exists while `self` is borrowed.
        match changes.wait_for(Option::is_some).await {
            Ok(words) => words.clone().unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    }
}
