//! Ctrl-C and SIGTERM: the demo ends its live calls, and then itself.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether the demo was told to end.
#[derive(Clone, Debug)]
pub struct Interrupt(Arc<watch::Sender<bool>>);

impl Interrupt {
    /// From now on the signals end the demo in order, and no longer the process at once.
    ///
    /// # Errors
    /// When the process cannot receive signals.
    pub fn listen() -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let told = Self(Arc::default());
        let of_signals = told.clone();
        actix::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            of_signals.tell();
        });
        Ok(told)
    }

    /// Tells the demo to end.
    pub(super) fn tell(&self) {
        self.0.send_replace(true);
    }

    /// Waits until the demo is told to end.
    pub async fn told(&self) {
        // The sender lives as long as this.
        let _ = self.0.subscribe().wait_for(|told| *told).await;
    }

    /// Whether the demo was told to end.
    #[must_use]
    pub fn is_told(&self) -> bool {
        *self.0.borrow()
    }
}
