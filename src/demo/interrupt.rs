//! Ctrl-C and SIGTERM: the demo ends its live calls, and then itself.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether the demo was told to end.
#[derive(Clone, Debug)]
pub struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// From now on the signals end the demo in order, and no longer the process at once.
    ///
    /// # Errors
    /// When the process cannot receive signals.
    pub fn listen() -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (told, is_told) = watch::channel(false);
        actix::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            told.send_replace(true);
            // The value stays for everyone who asks later.
            told.closed().await;
        });
        Ok(Self(is_told))
    }

    /// Waits until the demo is told to end.
    pub async fn told(&self) {
        let mut told = self.0.clone();
        if told.wait_for(|told| *told).await.is_err() {
            // Without the task that listens there is nobody who could tell.
            std::future::pending::<()>().await;
        }
    }

    /// Whether the demo was told to end.
    #[must_use]
    pub fn is_told(&self) -> bool {
        *self.0.borrow()
    }
}
