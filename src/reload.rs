//! Reload of the configuration and the end of the program, as those see it who ask for it: signals and the API. `app`
//! carries out a reload, the command the end.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};
use utoipa::ToSchema;

use crate::config::Config;

/// Reloads that wait for the one that runs. One more is refused: one that waits reads what is there then.
const WAITING: usize = 8;
/// Longest wait for a reload, with those before it. A reload may speak prompts first, which ends after 20 s.
const WITHIN: Duration = Duration::from_secs(60);

/// What a reload did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ReloadReport {
    /// Variables that were changed and count from now on.
    pub(crate) changed: Vec<&'static str>,
    /// Variables that were changed and stay as they were until a restart.
    pub(crate) needs_restart: Vec<&'static str>,
    /// Variables that the file sets to another value than the process environment. The process environment wins, and
    /// cannot change while precall runs.
    pub(crate) hidden_by_environment: Vec<String>,
    /// What is allowed and may surprise, and prompts that differ from the configuration.
    pub(crate) warnings: Vec<String>,
}

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReloadRefused {
    /// The wrong variables.
    pub(crate) names: Vec<String>,
    /// Every problem, without values of secrets.
    pub(crate) words: String,
}

/// A reload that somebody asked for.
pub(crate) struct ReloadOrder {
    /// Name of the API key, or `SIGHUP`.
    pub(crate) by: String,
    /// Told what became of it. Whoever asked may be gone.
    pub(crate) answer: oneshot::Sender<Result<ReloadReport, ReloadRefused>>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// Too many reloads wait already.
    TooMany,
    /// It was not done in time. It goes on.
    TooSlow,
}

/// Asks for reloads and for the end, and shows the configuration in use. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ReloadDesk {
    orders: mpsc::Sender<ReloadOrder>,
    running: Arc<ArcSwap<Config>>,
    stop: Arc<watch::Sender<bool>>,
}

impl ReloadDesk {
    /// The desk, and the orders for the task that carries them out one after the other.
    pub(crate) fn new(config: Config) -> (Self, mpsc::Receiver<ReloadOrder>) {
        let (orders, waiting) = mpsc::channel(WAITING);
        let running = Arc::new(ArcSwap::from_pointee(config));
        (Self { orders, running, stop: Arc::default() }, waiting)
    }

    /// Asks the program to drain and to end, as SIGTERM does.
    pub(crate) fn ask_to_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until the API asked the program to end.
    pub(crate) async fn asked_to_stop(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives as long as this.
        let _ = stop.wait_for(|asked| *asked).await;
    }

    /// The configuration in use.
    pub(crate) fn running(&self) -> Arc<Config> {
        self.running.load_full()
    }

    /// Replaces the configuration in use.
    pub(crate) fn use_config(&self, config: Config) {
        self.running.store(Arc::new(config));
    }

    /// Asks for a reload and waits for it. It goes on if the caller does not wait.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub(crate) async fn reload(&self, by: &str) -> Result<Result<ReloadReport, ReloadRefused>, NoAnswer> {
        let (answer, done) = oneshot::channel();
        let order = ReloadOrder { by: by.to_owned(), answer };
        self.orders.try_send(order).map_err(|_| NoAnswer::TooMany)?;
        let done = tokio::time::timeout(WITHIN, done).await;
        done.ok().and_then(Result::ok).ok_or(NoAnswer::TooSlow)
    }
}
